"""What the bucket knows of runs that were cut short, lists, losses: a rebuild tells it rightly."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from libs.shared import clock, packs
from libs.shared import database as databases
from libs.shared.entries import FolderDelta
from libs.shared.keys import KeyRing
from services.ingest import actions, rules, store
from services.ingest.actions import lists
from tests.ingest.lost import MASTER, Empty, empty_database, fingerprint_of
from tests.ingest.machines import Agent, Service, Tenant, folder


@pytest.fixture
async def empty(ingest: Service, database: Any) -> AsyncIterator[Empty]:
    """An empty database beside the bucket that a worker's tests share."""
    async with empty_database(ingest, database.dsn("ingest")) as rebuilt:
        yield rebuilt


async def numbers(empty: Empty, plan: str) -> list[int]:
    rows = await empty.rows(
        "SELECT number FROM catalogue.runs WHERE plan_id = $1 ORDER BY number", UUID(plan)
    )
    return [row[0] for row in rows]


async def keys_like(service: Service, agent: Agent, plan: str, what: str) -> list[str]:
    prefix = f"t/{agent.tenant.tenant_id}/runs/{plan}/"
    return [key async for key, _ in service.objects.list(prefix + what)]


async def write_list(service: Service, agent: Agent, plan: str) -> None:
    """Has the plan's whole list written now, as the job does when it is due."""
    dsn = service.environ["COFFRE_DATABASE_URL"]
    async with empty_database(service, dsn) as own:
        due = store.DueList(agent.tenant.tenant_id, UUID(plan), 0, 0, 0)
        await lists.write_list(own.ingest, due)


async def write_list_when_due(service: Service, plan: str) -> None:
    """The job finds a plan that had 500 runs since its last list, and then no more."""
    async with empty_database(service, service.environ["COFFRE_DATABASE_URL"]) as own:
        state = "SELECT unlisted_runs, unlisted_entries, listed_entries FROM plans"
        state += " WHERE plan_id = $1"
        assert await own.rows(state, UUID(plan)) == [(1, 2, 8_003)]
        async with databases.transaction(own.ingest.pool) as conn:
            await conn.execute(
                "UPDATE plans SET unlisted_runs = 500 WHERE plan_id = $1", UUID(plan)
            )
        await actions.write_due_lists(own.ingest)
        assert await own.rows(state, UUID(plan)) == [(0, 0, 8_004)]


STEPS = [
    "ingest.before_commit_run",
    "ingest.in_commit_run",
    "ingest.after_commit_run",
    "ingest.after_tell_end",
]


async def test_the_newest_run_when_ingest_died_in_its_commit(
    own_ingest: Callable[..., Service], database: Any
) -> None:
    """Its agent had sent all and asked for it, so it comes back, unless it was given up later."""
    service = own_ingest(COFFRE_CRASHPOINT=f"{STEPS[0]}:2")
    cut: dict[str, tuple[Agent, str, str]] = {}
    async with empty_database(service, database.dsn("ingest")) as empty:
        for step in STEPS:
            if cut:
                service.start(COFFRE_CRASHPOINT=f"{step}:2")
            tenant = Tenant(service)
            await tenant.becomes("active")
            agent = await tenant.enrol()
            plan = await agent.declare()
            await agent.copy(plan, FolderDelta(b"", [agent.file(b"a", b"a")], []), contents=[b"a"])
            run = await agent.start(plan)
            await agent.upload(run, agent.pack(b"b"))
            await agent.send(run, FolderDelta(b"", [agent.file(b"b", b"b")], [b"a"]))
            with pytest.raises(httpx2.TransportError):
                await agent.commit(run)
            assert service.died() == 137
            assert len(await read_ends(service, agent, plan, 2)) == (step == STEPS[-1])
            (rebuilt,) = await empty.rebuild(tenant.tenant_id)
            assert rebuilt.troubles == []
            assert await numbers(empty, plan) == [1, 2]
            assert await empty.read(tenant.tenant_id, plan, 2, b"b") == b"b"
            cut[step] = agent, plan, run
        # The database is not lost after all: one gives up, the others ask again.
        service.start(COFFRE_CRASHPOINT="")
        for step, (agent, _, run) in cut.items():
            if step == STEPS[0]:
                assert (await agent.abort(run)).status_code == 200
            else:
                assert (await agent.commit(run)).json()["number"] == 2
        await tell_ends(service)
        for step, (agent, plan, _) in cut.items():
            (end,) = await read_ends(service, agent, plan, 2)
            assert end["state"] == ("failed" if step == STEPS[0] else "committed")
            await forget(database, agent)
            await empty.rebuild(agent.tenant.tenant_id)
            assert await numbers(empty, plan) == ([1] if step == STEPS[0] else [1, 2])
            expected = await fingerprint_of(service, agent.tenant.tenant_id)
            assert await empty.fingerprint(agent.tenant.tenant_id) == expected
            await agent.client.aclose()


async def forget(database: Any, agent: Agent) -> None:
    """Loses a rebuilt tenant once more."""
    connection = await asyncpg.connect(database.admin_dsn)
    for table in (
        *("ingest.rebuilds", "ingest.names_due", "ingest.runs", "ingest.plans", "ingest.agents"),
        *(f"catalogue.{name}" for name in ("versions", "folders", "runs", "plans", "volumes")),
        *("catalogue.chunks", "catalogue.packs"),
    ):
        await connection.execute(
            f"DELETE FROM {table} WHERE tenant_id = $1",
            agent.tenant.tenant_id,
        )
    await connection.close()


async def tell_ends(service: Service) -> None:
    """What the job does some seconds after the runs' ends."""
    untold = (
        "SELECT count(*) FROM runs"
        " WHERE tried_at IS NOT NULL AND finished_at IS NOT NULL AND NOT end_written"
    )
    async with empty_database(service, service.environ["COFFRE_DATABASE_URL"]) as own:
        for _ in range(100):
            await actions.tell_ends(own.ingest)
            async with databases.acquire(own.ingest.pool) as conn:
                if not await conn.fetchval(untold):
                    return
            await asyncio.sleep(0.1)
    raise AssertionError("the bucket was not told of all ends")


async def read_ends(service: Service, agent: Agent, plan: str, run: int) -> list[dict[str, Any]]:
    keys = await KeyRing(service.objects, MASTER).get(agent.tenant.tenant_id)
    told = []
    for key in await keys_like(service, agent, plan, f"{run}.end"):
        aad = f"coffre/run/v1 {key}".encode()
        told.append(json.loads(packs.open_blob(await service.objects.get(key), keys, aad)))
    return told


async def test_a_run_that_was_given_up_after_its_commit_was_refused(
    agent: Agent, ingest: Service, empty: Empty
) -> None:
    """Its head lies in the bucket, and it must not come back; nor does one followed by another."""
    plan = await agent.declare()
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"a", b"a")], []), contents=[b"a"])
    orphan = FolderDelta(b"nowhere", [agent.file(b"x", b"a")], [])
    run = await agent.start(plan)
    await agent.send(run, orphan)
    assert (await agent.commit(run)).status_code == 422
    assert len(await keys_like(ingest, agent, plan, "2.head.")) == 1
    tenant_id = agent.tenant.tenant_id
    # Not told yet: a rebuild refuses it for the same reason as the commit did.
    await empty.rebuild(tenant_id)
    assert await numbers(empty, plan) == [1]
    await agent.abort(run, reason_code="tired", reason="no more")
    await tell_ends(ingest)
    assert [end["state"] for end in await read_ends(ingest, agent, plan, 2)] == ["failed"]


async def test_a_whole_list_stands_for_all_that_was_before_it(
    agent: Agent, ingest: Service, empty: Empty
) -> None:
    plan = await agent.declare()
    start = [
        FolderDelta(b"", [folder(b"d"), agent.file(b"gone", b"1"), agent.file(b"f", b"1")], []),
        FolderDelta(b"d", [agent.file(b"%04d" % i, b"1") for i in range(8_000)], []),
    ]
    await agent.copy(plan, *start, contents=[b"1", b"22"])
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"f", b"22")], [b"gone"]), contents=[])
    await write_list_when_due(ingest, plan)
    await agent.copy(plan, FolderDelta(b"d", [agent.file(b"new", b"22")], []), contents=[])
    tenant_id = agent.tenant.tenant_id
    parts = await keys_like(ingest, agent, plan, "2.list.")
    assert len(parts) > 1
    for name in ("1.", "2.0."):
        for key in await keys_like(ingest, agent, plan, name):
            await ingest.objects.delete(key)
    (rebuilt,) = await empty.rebuild(tenant_id)
    assert rebuilt.troubles == []
    assert await empty.fingerprint(tenant_id) == await fingerprint_of(ingest, tenant_id)
    assert await numbers(empty, plan) == [1, 2, 3]
    assert await empty.read(tenant_id, plan, 1, b"gone") == b"1"


async def test_a_damaged_list_is_named_and_the_deltas_are_used(
    agent: Agent, ingest: Service, empty: Empty
) -> None:
    plan = await agent.declare()
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"f", b"1")], []), contents=[b"1"])
    await write_list(ingest, agent, plan)
    (part,) = await keys_like(ingest, agent, plan, "1.list.")
    sealed = bytearray(await ingest.objects.get(part))
    sealed[20] ^= 1
    await ingest.objects.put(part, sealed)
    tenant_id = agent.tenant.tenant_id
    (rebuilt,) = await empty.rebuild(tenant_id)
    (trouble,) = rebuilt.troubles
    assert part in trouble
    assert await empty.fingerprint(tenant_id) == await fingerprint_of(ingest, tenant_id)


async def expire(ingest: Service, tenant_id: UUID, before: int) -> None:
    """Does what retention does to versions that ended before a run, and to points that see them."""
    await ingest.fetch(
        "DELETE FROM catalogue.runs r WHERE tenant_id = $1 AND number < $2 AND EXISTS (SELECT"
        " FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.plan_id = r.plan_id"
        " AND v.last_run < $2 AND v.last_run >= r.number AND v.first_run <= r.number)",
        tenant_id,
        before,
    )
    await ingest.fetch(
        "DELETE FROM catalogue.versions WHERE tenant_id = $1 AND last_run < $2", tenant_id, before
    )


@pytest.mark.parametrize(
    ("listed_after", "expired_before", "kept"),
    [(0, 4, [4, 5, 6]), (2, 4, [4, 5, 6]), (4, 4, [4, 5, 6]), (0, 5, [5, 6]), (3, 5, [5, 6])],
)
async def test_what_had_expired_stays_away(
    agent: Agent,
    ingest: Service,
    empty: Empty,
    listed_after: int,
    expired_before: int,
    kept: list[int],
) -> None:
    plan = await agent.declare()
    tenant_id = agent.tenant.tenant_id
    contents = [b"%d" % number for number in range(7)]
    nights = [FolderDelta(b"", [agent.file(b"f", content)], []) for content in contents]
    nights[1].upserts.append(agent.file(b"stays", contents[0]))
    nights[2].upserts.append(agent.file(b"short", contents[0]))
    nights[3].removed.append(b"short")
    for number in range(1, 6):
        await agent.copy(plan, nights[number], contents=contents)
        if number == listed_after:
            await write_list(ingest, agent, plan)
    await expire(ingest, tenant_id, expired_before)
    # Where all that was superseded had expired, the last night supersedes nothing more.
    last = [nights[6]] if expired_before == 4 else []
    await agent.copy(plan, *last, contents=[])
    (rebuilt,) = await empty.rebuild(tenant_id)
    assert rebuilt.troubles == []
    assert await numbers(empty, plan) == kept
    assert await empty.fingerprint(tenant_id) == await fingerprint_of(ingest, tenant_id)


async def test_lost_objects_are_named_and_the_next_run_heals(
    own_ingest: Callable[..., Service], database: Any
) -> None:
    """A pack, a part of a delta and a head are gone: the rest comes back, and what is whole."""
    service = own_ingest()
    tenant = Tenant(service)
    await tenant.becomes("active")
    agent = await tenant.enrol()
    plan, other = await agent.declare(), await agent.declare("other")
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"a", b"a")], []), contents=[b"a"])
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"b", b"b")], []), contents=[b"b"])
    lost_pack = agent.pack(b"c")
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"c", b"c")], []), contents=[b"c"])
    for number in range(3):
        delta = FolderDelta(b"", [agent.file(b"%d" % number, b"a")], [])
        await agent.copy(other, delta, contents=[])
    prefix = f"t/{tenant.tenant_id}/packs/{lost_pack.id[:2]}/"
    await service.objects.delete(prefix + lost_pack.id)
    (part,) = await keys_like(service, agent, other, "2.0.")
    await service.objects.put(part, b"not what it was")
    async with empty_database(service, database.dsn("ingest")) as empty:
        (rebuilt,) = await empty.rebuild(tenant.tenant_id)
        assert any(part in trouble for trouble in rebuilt.troubles)
        assert any("'c'" in trouble for trouble in rebuilt.troubles)
        assert rebuilt.versions_gone == 1
        # Only whole restore points are listed, and one more on top of what is there.
        assert await numbers(empty, plan) == [1, 2, 4]
        assert await numbers(empty, other) == [1, 4]
        assert await empty.read(tenant.tenant_id, other, 4, b"2") == b"a"
        service.stop()
        service.environ["COFFRE_DATABASE_URL"] = database.dsn("ingest")
        service.admin_dsn = database.admin_dsn
        service.start()
        await tenant.becomes("active")
        again = await tenant.enrol()
        # The agent remembers run 3, is told of run 4, and so compares; then it sends what lacks.
        run = await again.start(plan)
        listed = await again.client.get(f"/v1/plans/{plan}/entries")
        assert listed.headers["x-coffre-run"] == "4"
        assert await again.missing(run, b"b", b"c") == [False, True]
        await again.upload(run, lost_pack)
        await again.send(run, FolderDelta(b"", [again.file(b"c", b"c")], []))
        assert (await again.commit(run)).json()["number"] == 5
        assert await empty.read(tenant.tenant_id, plan, 5, b"c") == b"c"
        await again.client.aclose()
        service.stop()
    await agent.client.aclose()


async def test_verifying_finds_damage_that_an_index_does_not_show(
    agent: Agent, ingest: Service, empty: Empty
) -> None:
    plan = await agent.declare()
    good, bad = agent.pack(b"good"), agent.pack(b"bad")
    for name, pack in ((b"good", good), (b"bad", bad)):
        run = await agent.start(plan)
        await agent.upload(run, pack)
        await agent.send(run, FolderDelta(b"", [agent.file(name, name)], []))
        assert (await agent.commit(run)).status_code == 200
    key = f"t/{agent.tenant.tenant_id}/packs/{bad.id[:2]}/{bad.id}"
    body = bytearray(await ingest.objects.get(key))
    body[30] ^= 1
    await ingest.objects.put(key, body)
    (rebuilt,) = await empty.rebuild(agent.tenant.tenant_id, verify=True)
    (trouble,) = rebuilt.troubles
    assert bad.id in trouble
    states = dict(await empty.rows("SELECT encode(pack_id, 'hex'), state FROM catalogue.packs"))
    assert states == {good.id: "live", bad.id: "damaged"}


async def test_a_rebuild_that_was_cut_short_goes_on(
    agent: Agent, ingest: Service, empty: Empty
) -> None:
    first, second = await agent.declare("first"), await agent.declare("second")
    for plan in (first, second):
        await agent.copy(plan, FolderDelta(b"", [agent.file(b"a", b"a")], []), contents=[b"a"])
    tenant_id = agent.tenant.tenant_id

    class Interrupted(Exception):  # noqa: N818 - stands for a kill
        pass

    def die(line: str) -> None:
        if max(first, second) in line:
            raise Interrupted

    with pytest.raises(Interrupted):
        await actions.rebuild(empty.ingest, tenant_id, verify=False, say=die)
    (rebuilt,) = await empty.rebuild(tenant_id)
    assert (rebuilt.plans, rebuilt.troubles) == (2, [])
    assert await empty.fingerprint(tenant_id) == await fingerprint_of(ingest, tenant_id)


async def test_a_machine_takes_its_old_place_only_where_its_name_tells_which(
    agent: Agent, ingest: Service, empty: Empty
) -> None:
    tenant = agent.tenant
    twin = await tenant.enrol()
    for one in (agent, twin):
        plan = await one.declare()
        await one.copy(plan, FolderDelta(b"", [one.file(b"a", b"a")], []), contents=[b"a"])
    await empty.rebuild(tenant.tenant_id)

    async def enrol(code: str, hostname: str) -> UUID:
        async with databases.transaction(empty.ingest.pool) as conn:
            digest = hashlib.sha256(code.encode()).hexdigest()
            until = clock.now() + timedelta(hours=1)
            await store.put_subscription(conn, tenant.tenant_id, 1, "active", "")
            await store.add_enrolment(conn, tenant.tenant_id, uuid4(), digest, "", until)
        machine = rules.Machine(hostname=hostname)
        enrolled, _, _ = await actions.enrol(empty.ingest, code, machine)
        return enrolled.agent_id

    known = {agent.agent_id, twin.agent_id}
    assert await enrol("one", "caisse") not in known  # which of the two?
    async with databases.transaction(empty.ingest.pool) as conn:
        await conn.execute(
            "UPDATE agents SET hostname = 'comptoir' WHERE agent_id = $1", twin.agent_id
        )
    assert await enrol("two", "elsewhere") not in known
    assert await enrol("three", "comptoir") == twin.agent_id
    assert await enrol("four", "caisse") == agent.agent_id
    assert await enrol("five", "caisse") not in known
    await twin.client.aclose()
