"""A credential that was withdrawn is dead within a second, with the broker stopped as well."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from libs.shared.entries import FolderDelta
from libs.shared.objects import ObjectStore
from tests.hostile.counting import Campaign
from tests.shared.conftest import until
from tests.shared.gate import Gate
from tests.world.agents import Agent, problem_of, taken
from tests.world.house import House, take_place
from tests.world.inside import Ingest
from tests.world.tenants import Tenant

SECOND = 1.0
REVOKED = (401, "unauthenticated")
SUSPENDED = (403, "subscription-suspended")
ENDED = (403, "subscription-ended")
WITHDRAWALS = {"revoke": REVOKED, "suspend": SUSPENDED, "end": ENDED}


class Client(Tenant):
    """A client of a portal and an ingest that hear of each other until the broker is stopped."""

    def __init__(self, house: House, gates: list[Gate]) -> None:
        super().__init__(house)
        self.gates = gates

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self.house.portal.ask, method, path, body)

    async def open(self) -> Agent:
        """The client, and a machine of it that both services know."""
        email = f"{uuid.uuid4().hex}@client.example"
        portal = self.house.portal
        self.tenant_id = uuid.UUID(
            await asyncio.to_thread(portal.open_client, "Martin", "Jeanne", email)
        )
        enrolment = await self.ask("POST", f"/tenants/{self.tenant_id}/enrolments", {})
        client = self.house.http("ingest")
        machine = {"code": enrolment["code"], "hostname": "caisse", "platform": "linux"}

        async def enrol() -> Any:
            answer = await client.post("/v1/enrolments", json=machine)
            return answer.json() if answer.is_success else None

        told = await until(enrol, 60, "the enrolment")
        client.headers["Authorization"] = f"Bearer {told['token']}"
        agent_id = uuid.UUID(told["agent_id"])

        async def known() -> Any:
            return await self.house.fetch("SELECT 1 FROM portal.agents WHERE agent_id=$1", agent_id)

        await until(known, 60, "the news of the machine")
        return Agent(client, self, agent_id, bytes.fromhex(told["chunk_key"]), told["token"])

    async def stop_broker(self) -> None:
        for gate in self.gates:
            await gate.shut()

    async def withdraw(self, agent: Agent, how: str) -> Any:
        if how == "revoke":
            return await self.ask("POST", f"/agents/{agent.agent_id}/revoke")
        return await self.ask("POST", f"/tenants/{self.tenant_id}/{how}", {"reason": "unpaid"})


@pytest.fixture
async def client(servers: Any, database_template: str, tmp_path: Path) -> AsyncIterator[Client]:
    place_of = take_place(servers, database_template, tmp_path / "house")
    async with AsyncExitStack() as stack:
        place = await asyncio.to_thread(place_of.__enter__)
        stack.push_async_callback(asyncio.to_thread, place_of.__exit__, None, None, None)
        house = House(place)
        stack.push_async_callback(asyncio.to_thread, house.close)
        gates = []
        for service in ("portal", "ingest"):
            gate = await stack.enter_async_context(Gate(place.broker_url(service)))
            gates.append(gate)
            await asyncio.to_thread(house.start, service, COFFRE_AMQP_URL=gate.url)
            await asyncio.to_thread(house.wait_ready, service)
        yield Client(house, gates)


def every_request(agent: Agent, plan: str, run: str) -> Iterator[Callable[[], Any]]:
    """Nineteen requests, all that an agent can ask, most of them twice."""
    http, pack = agent.client, agent.pack(b"x")
    at = f"/v1/runs/{run}"
    batch = FolderDelta(b"", [agent.file(b"x", b"x")], [])
    ids = agent.id_of(b"x")
    for name in ("docs", "more", "others"):
        yield lambda name=name: http.put(f"/v1/plans/{name}", json=declaration())
    for _ in range(2):
        yield lambda: agent.ask_start(plan)
        yield lambda: http.post(f"{at}/missing", content=ids)
        yield lambda: agent.upload(run, pack)
        yield lambda: agent.send(run, batch)
        yield lambda: http.put(f"{at}/files/a/b.txt", content=b"content")
        yield lambda: agent.commit(run)
        yield lambda: http.get(f"/v1/plans/{plan}/entries")
    yield lambda: agent.abort(run)
    yield lambda: http.put(f"{at}/files/c", content=b"")


def declaration() -> dict[str, Any]:
    return {
        "folders": ["/srv/docs"],
        "exclude": [],
        "schedule": "30 1 * * *",
        "timezone": "Europe/Paris",
        "dumps": [],
        "recipients": [],
        "reports": True,
    }


async def test_every_request_of_a_revoked_machine_is_refused_with_the_broker_stopped(
    client: Client, campaign: Campaign
) -> None:
    agent = await client.open()
    plan = await agent.declare()
    run = await agent.start(plan)
    await client.stop_broker()
    told = await client.withdraw(agent, "revoke")
    assert told["effective_since"]
    answers = [await ask() for ask in every_request(agent, plan, run)]
    campaign.tried("requests of a revoked machine, the broker stopped", len(answers))
    assert [problem_of(answer) for answer in answers] == [REVOKED] * 19
    assert await client.withdraw(agent, "revoke") == told
    await agent.client.aclose()


async def test_what_is_under_way_is_cut_within_a_second_and_not_acknowledged(
    client: Client, campaign: Campaign
) -> None:
    """A pack and a whole file of each of three clients, half sent when the portal withdraws."""
    clients = {how: Client(client.house, client.gates) for how in WITHDRAWALS}
    agents = {how: await one.open() for how, one in clients.items()}
    runs = {how: await agent.start(await agent.declare()) for how, agent in agents.items()}
    await client.stop_broker()
    requests = {}
    for how, agent in agents.items():
        pack = agent.pack(b"x" * 100_000)
        halves = {f"packs/{pack.id}": bytes(pack.body), "files/a/b.txt": b"y" * 100_000}
        for path, body in halves.items():
            sent = half_sent(agent, f"/v1/runs/{runs[how]}/{path}", body)
            requests[how, path] = asyncio.create_task(sent)
    await asyncio.sleep(0.5)
    assert not any(request.done() for request in requests.values())

    for how, one in clients.items():
        await one.withdraw(agents[how], how)
    done, _ = await asyncio.wait(requests.values(), timeout=10 * SECOND)
    campaign.tried("uploads under way when the portal withdraws", len(requests))
    assert len(done) == len(requests), "they were left to go on"
    for (how, _), request in requests.items():
        assert request.result() in (WITHDRAWALS[how], None)
    rows = await client.house.fetch(
        "SELECT (SELECT count(*) FROM catalogue.packs)"
        " + (SELECT count(*) FROM ingest.run_files) AS n"
    )
    assert rows[0]["n"] == 0
    for agent in agents.values():
        await agent.client.aclose()


async def half_sent(agent: Agent, path: str, body: bytes) -> tuple[int, str] | None:
    """What a request is told whose body stops half-way; None where its connection is cut."""
    url = httpx2.URL(str(agent.client.base_url))
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agent.token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body[: len(body) // 2])
        await writer.drain()
        told = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(told.partition("content-length:")[2].split()[0])
        problem = json.loads(await reader.readexactly(length))
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return problem["status"], problem["type"].rpartition(":")[2]


@pytest.fixture
async def inside(database: Any, object_store: ObjectStore) -> AsyncIterator[Ingest]:
    """Ingest without its jobs: nothing is cut, only looked at again."""
    ingest = Ingest(database.dsn("ingest"), object_store, bytes(32))
    yield await ingest.open()
    await ingest.close()


LAST_ROWS = {
    "pack": "SELECT 1 FROM catalogue.volumes FOR UPDATE",
    "batch": "SELECT 1 FROM ingest.runs FOR UPDATE",
    "file": "SELECT 1 FROM ingest.runs FOR UPDATE",
    "commit": "SELECT 1 FROM catalogue.volumes FOR UPDATE",
}


@pytest.mark.parametrize("what", LAST_ROWS)
@pytest.mark.parametrize("how", ["revoke", "suspend"])
async def test_the_row_that_acknowledges_looks_again(
    inside: Ingest, database: Any, what: str, how: str, campaign: Campaign
) -> None:
    """Withdrawn at the last moment, while the last transaction waits for a lock."""
    tenant = Tenant(inside)
    await tenant.becomes("active")
    agent = await tenant.enrol()
    plan = await agent.declare()
    run = await agent.start(plan)
    taken(await agent.upload(run, agent.pack(b"there")))
    batch = FolderDelta(b"", [agent.file(b"x", b"there")], [])
    if what == "commit":
        taken(await agent.send(run, batch))
    requests: dict[str, Callable[[], Any]] = {
        "pack": lambda: agent.upload(run, agent.pack(b"new")),
        "batch": lambda: agent.send(run, batch),
        "file": lambda: agent.client.put(f"/v1/runs/{run}/files/b", content=b"there"),
        "commit": lambda: agent.commit(run),
    }
    before = await counts(database)
    portal = await asyncpg.connect(database.dsn("portal"))
    admin = await asyncpg.connect(database.admin_dsn)
    async with admin.transaction():
        await admin.execute(LAST_ROWS[what])
        request = asyncio.create_task(requests[what]())
        await until(lambda: is_waiting(database), what="the wait for the lock")
        if how == "revoke":
            await portal.execute(
                "INSERT INTO ingest.portal_revocations VALUES ($1, now())", agent.agent_id
            )
        else:
            await portal.execute(
                "INSERT INTO ingest.portal_subscriptions VALUES ($1, 99, 'suspended', 'unpaid')",
                tenant.tenant_id,
            )
    campaign.tried("acknowledgements at the moment of a withdrawal")
    assert problem_of(await request) == WITHDRAWALS[how]
    assert await counts(database) == before
    await portal.close()
    await admin.close()
    await agent.client.aclose()


async def is_waiting(database: Any) -> bool:
    admin = await asyncpg.connect(database.admin_dsn)
    try:
        return bool(
            await admin.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
        )
    finally:
        await admin.close()


async def counts(database: Any) -> list[int]:
    """How many rows an acknowledgement would have brought."""
    admin = await asyncpg.connect(database.admin_dsn)
    tables = ("catalogue.packs", "ingest.run_batches", "ingest.run_files", "catalogue.versions")
    try:
        return [await admin.fetchval(f"SELECT count(*) FROM {table}") for table in tables]
    finally:
        await admin.close()


async def test_a_code_works_from_the_moment_that_it_is_handed_out(client: Client) -> None:
    await client.stop_broker()
    portal, email = client.house.portal, f"{uuid.uuid4().hex}@client.example"
    client.tenant_id = uuid.UUID(
        await asyncio.to_thread(portal.open_client, "Martin", "Jeanne", email)
    )
    opened = [
        (await client.ask("POST", f"/tenants/{client.tenant_id}/enrolments", {}))["code"]
        for _ in range(2)
    ]
    async with client.house.http("ingest") as http:

        async def enrol(code: str) -> httpx2.Response:
            machine = {"code": code, "hostname": "caisse", "platform": "linux"}
            return await http.post("/v1/enrolments", json=machine)

        answer = await enrol(opened[0])
        assert answer.status_code == 201, answer.text
        http.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        taken(await http.put("/v1/plans/docs", json=declaration()))
        assert problem_of(await enrol(opened[0])) == (401, "enrolment-code-invalid")
        await client.ask("POST", f"/tenants/{client.tenant_id}/suspend", {"reason": "unpaid"})
        assert problem_of(await enrol(opened[1])) == SUSPENDED
        assert problem_of(await http.put("/v1/plans/docs", json=declaration())) == SUSPENDED


async def test_the_portal_may_withdraw_and_nothing_else_of_ingest(database: Any) -> None:
    portal = await asyncpg.connect(database.dsn("portal"))
    for statement in (
        "SELECT * FROM ingest.portal_revocations",
        "DELETE FROM ingest.portal_revocations",
        "UPDATE ingest.portal_revocations SET revoked_at = now()",
        "DELETE FROM ingest.portal_subscriptions",
        "SELECT * FROM ingest.agents",
        "UPDATE ingest.agents SET revoked_at = NULL",
        "SELECT * FROM ingest.enrolments",
        "UPDATE ingest.enrolments SET used_at = NULL",
        "DELETE FROM ingest.enrolments",
        "SELECT * FROM ingest.tenants",
        "SELECT * FROM ingest.standings",
        "SELECT * FROM ingest.outbox",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await portal.execute(statement)
    await portal.close()
    ingest = await asyncpg.connect(database.dsn("ingest"))
    for statement in (
        "UPDATE ingest.portal_revocations SET revoked_at = NULL",
        "INSERT INTO ingest.portal_subscriptions VALUES (gen_random_uuid(), 1, 'active', '')",
        "SELECT * FROM portal.tenants",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ingest.execute(statement)
    await ingest.close()
