"""Who is not known costs nothing: no memory for what was declared, no parsing, no waiting."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from libs.shared.web.documents import LARGE_BYTES, MEMORY_BYTES
from services.ingest import api
from services.portal.api.bodies import BODIES
from tests.hostile.counting import Campaign
from tests.world.agents import Agent
from tests.world.house import House, open_house
from tests.world.tenants import Tenant

pytestmark = pytest.mark.xdist_group("before the token")
CROWD = 150
MUCH_BYTES = 64 << 20
"""More than a crowd that sends next to nothing may cost a process."""

OPEN = {
    ("POST", "/v1/enrolments"),
    ("POST", "/api/v1/tokens"),
    ("POST", "/api/v1/password"),
    ("POST", "/api/v1/password/forgotten"),
    ("POST", "/sign-in"),
    ("POST", "/sign-in/second"),
    ("POST", "/forgotten"),
    ("POST", "/password"),
    ("POST", "/invitations/{token}"),
    ("POST", "/overage/{token}/{answer}"),
    ("POST", "/reports/{token}"),
}
"""Routes with a body that need nobody signed in: it is short there, and has seconds to come."""

LIMITS = {
    "ingest": api.limit_bodies(200 * 1024**3),
    "portal": BODIES,
}


@pytest.fixture(scope="module")
def house(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """An ingest and a portal to be attacked."""
    folder = tmp_path_factory.mktemp("attacked")
    with open_house(servers, database_template, folder, "ingest", "portal") as house:
        yield house


@pytest.fixture
async def agent(house: House) -> AsyncIterator[Agent]:
    """A machine of a client company."""
    tenant = Tenant(house)
    await tenant.becomes("active")
    agent = await tenant.enrol()
    yield agent
    await agent.client.aclose()


async def connect(
    house: House, service: str, source: str = "127.0.0.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(house.url(service))
    return await asyncio.open_connection(address.hostname, address.port, local_addr=(source, 0))


def head(method: str, path: str, declared: int, token: str = "") -> bytes:
    filled = re.sub("{[^}]+}", "0" * 32, path.replace("{pack}", "0" * 64))
    lines = [
        f"{method} {filled} HTTP/1.1",
        "Host: x",
        f"Content-Type: application/{'json' if '/v1/' in path else 'x-www-form-urlencoded'}",
        f"Content-Length: {declared}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def memory_of(house: House, service: str) -> int:
    return int(psutil.Process(house.processes[service].pid).memory_info().rss)


@pytest.mark.parametrize("service", ["ingest", "portal"])
async def test_without_a_token_the_answer_comes_before_the_body(
    house: House, campaign: Campaign, service: str
) -> None:
    for (method, path), limit in LIMITS[service].items():
        if (method, path) in OPEN:
            assert limit.most_bytes <= 160 << 10
            assert limit.seconds <= 15
            continue
        for token in ("", "cfa_" + "0" * 43):
            reader, writer = await connect(house, service)
            writer.write(head(method, path, limit.most_bytes, token))
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            # A form of a page is answered by the page that says so, or the way to the first door;
            # an address with a made-up part may not be there at all.
            told = (b"HTTP/1.1 401 ", b"HTTP/1.1 303 ", b"HTTP/1.1 404 ")
            assert answer.startswith(told), (method, path, answer)
            writer.transport.abort()
            campaign.tried("bodies declared without a token")


@pytest.mark.parametrize("service", ["ingest", "portal"])
async def test_a_crowd_that_declares_much_costs_what_it_sends(
    house: House, agent: Agent, campaign: Campaign, service: str
) -> None:
    tokens = {"ingest": agent.token, "portal": house.place.operator_token}
    before = memory_of(house, service)
    # One route of each size: what reads bodies is the same for all that have it.
    routes = {limit.most_bytes: route for route, limit in LIMITS[service].items()}
    for most, (method, path) in routes.items():
        if path.endswith(("/packs/{pack}", "/files/{path:anything}")):
            continue  # these hold memory or disk of a budget, of which others tell
        declared = min(most, 16 << 20)
        if declared * CROWD < MUCH_BYTES:
            continue  # even what was declared would not be much
        size = min(CROWD, 2 * MUCH_BYTES // declared)
        crowd = [await connect(house, service) for _ in range(size)]
        for _, writer in crowd:
            writer.write(head(method, path, declared, tokens[service]) + b"[")
        await asyncio.sleep(0.3)
        after = memory_of(house, service)
        for _, writer in crowd:
            writer.transport.abort()
        campaign.tried("connections that declare much and send little", size)
        assert after - before < MUCH_BYTES, (method, path, after - before)


@pytest.mark.parametrize(
    ("nonsense", "says"),
    [
        (b"[" * 500_000, "values"),
        (b"[" * 5_000, "nested"),
        (b"[" * 5_000 + b"]" * 5_000, "nested"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested"),
        (b"[" + b"[]," * 300_000 + b"[]]", "values"),
        (b'{"folders":[' + b'"",' * 300_000 + b'""]}', "values"),
        (b'{"a":' + b"9" * 5_000 + b"}", ""),
        (b'"' + b'\\"' * 400_000, ""),
        (b'{"folders": NaN}', "JSON"),
    ],
    ids=["long", "open", "deep", "objects", "lists", "texts", "digits", "quotes", "nan"],
)
async def test_json_has_no_more_values_and_levels_than_its_route_takes(
    agent: Agent, campaign: Campaign, nonsense: bytes, says: str
) -> None:
    began = time.monotonic()
    for method, path in (("PUT", "/v1/plans/docs"), ("POST", f"/v1/runs/{'0' * 32}/commit")):
        answer = await agent.client.request(
            method, path, content=nonsense, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, answer.text
        assert says in answer.json()["detail"]
        campaign.tried("nonsense in JSON")
    assert time.monotonic() - began < 20


async def test_strings_with_brackets_and_commas_are_only_text(agent: Agent) -> None:
    await agent.declare(folders=["[" * 4_000, "{" * 4_000, '\\"[[,' * 1_000, "," * 4_000] * 10)


FLOOD = """
import socket, sys, threading
address, head, rounds = (sys.argv[1], int(sys.argv[2])), sys.argv[3].encode(), int(sys.argv[4])
body = b"[" + b"[]," * 349_000 + b"[]]"
def attack():
    for _ in range(rounds):
        with socket.create_connection(address, 60) as wire:
            try:
                wire.sendall(head + body)
                wire.recv(100)
            except OSError:
                pass
for _ in range(24):
    threading.Thread(target=attack).start()
"""


async def test_floods_of_lists_stop_nobody(house: House, agent: Agent, campaign: Campaign) -> None:
    victim = Tenant(house)
    await victim.becomes("active")
    machine = await victim.enrol()
    await machine.declare()

    async def ask(rounds: int) -> list[float]:
        took = []
        for _ in range(rounds):
            began = time.monotonic()
            assert (await machine.client.get("/v1/plans/docs")).status_code == 200
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.01)
        return took

    alone = await ask(200)
    address = urlsplit(house.url("ingest"))
    for name, token in (("no token", "none"), ("a token", agent.token)):
        sent = head("PUT", "/v1/plans/docs", 1_047_004, token).decode()
        words = [str(address.hostname), str(address.port), sent, "5"]
        attacker = await asyncio.create_subprocess_exec(sys.executable, "-c", FLOOD, *words)
        meanwhile = await ask(200)
        campaign.felt(f"24 bodies of empty lists at a time, with {name}", alone, meanwhile)
        await attacker.wait()
        campaign.tried("bodies of empty lists", 24 * 5)
        assert max(meanwhile) < 5 + 20 * max(alone), "others take their part of the processor"
    await machine.client.aclose()


BODY_BYTES = 8 << 20
"""What the end of a run may take, and what a batch of entries may."""
HOARDERS = 40
"""Five times as many as fit into one client's share."""


@pytest.mark.parametrize("call", ["commit", "abort", "entries?batch=0"])
async def test_bodies_that_never_end_take_a_share_of_memory(
    house: House, agent: Agent, campaign: Campaign, call: str
) -> None:
    victim = Tenant(house)
    await victim.becomes("active")
    machine = await victim.enrol()
    plan = await machine.declare()
    run = await agent.start(await agent.declare())
    came = 0

    async def hoard() -> asyncio.StreamWriter:
        """Sends all of a body but its last byte."""
        nonlocal came
        _, writer = await connect(house, "ingest")
        # So that what was sent was received, and does not wait in the kernel.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        writers.append(writer)
        writer.write(head("POST", f"/v1/runs/{run}/{call}", BODY_BYTES, agent.token) + b'{"a":"')
        for _ in range(BODY_BYTES // 65_536 - 1):
            writer.write(bytes(65_536))
            await writer.drain()
        came += 1
        return writer

    async def end_a_run() -> list[float]:
        """The victim's runs end with a long tail of their log, and one after the other."""
        took = []
        for _ in range(10):
            started, began = await machine.start(plan), time.monotonic()
            answer = await machine.commit(started, batches=0, log_tail="a" * 60_000)
            assert answer.status_code == 200, answer.text
            took.append(time.monotonic() - began)
        return took

    alone = await end_a_run()
    before = memory_of(house, "ingest")
    writers: list[asyncio.StreamWriter] = []
    hoarders = [asyncio.ensure_future(hoard()) for _ in range(HOARDERS)]
    try:
        async with asyncio.timeout(60):
            while came < MEMORY_BYTES // BODY_BYTES:
                await asyncio.sleep(0.01)
        meanwhile = await end_a_run()
        held = memory_of(house, "ingest") - before
        campaign.tried("bodies of 8 MiB that never end", HOARDERS)
        campaign.felt(f"bodies of 8 MiB that never end, for {call}", alone, meanwhile)
        assert came == MEMORY_BYTES // BODY_BYTES
        assert held < MEMORY_BYTES + MUCH_BYTES, held
    finally:
        for hoarder in hoarders:
            hoarder.cancel()
        for writer in writers:
            writer.transport.abort()
    # What a cut body took is given back.
    again = await agent.start(await agent.declare())
    assert (await agent.commit(again, batches=0, log_tail="a" * 60_000)).status_code == 200
    await machine.client.aclose()


async def test_slow_strangers_take_of_the_share_of_their_own_address(
    house: House, campaign: Campaign
) -> None:
    body = json.dumps({"email": "a@b.example", "password": "\U0001f600" * 4_000}).encode()
    assert len(body) > LARGE_BYTES
    most = 160 << 10
    slow = []
    for _ in range(MEMORY_BYTES // most + CROWD):
        reader, writer = await connect(house, "portal", "127.0.0.2")
        writer.write(head("POST", "/api/v1/tokens", most) + b'{"email":"')
        slow.append((asyncio.ensure_future(reader.read(1)), writer))
    campaign.tried("slow strangers with a large body", len(slow))
    try:
        async with house.http("portal") as client:
            answer = await client.post(
                "/api/v1/tokens", content=body, headers={"Content-Type": "application/json"}
            )
        assert answer.status_code == 401, answer.text
        # It was not their giving up that made room.
        assert not any(answered.done() for answered, _ in slow)
    finally:
        for answered, writer in slow:
            answered.cancel()
            writer.transport.abort()


HALVES = (r"\ud800", r"\udfff", r"\ud83d\u0041", r"a\udc80z")


async def test_half_a_surrogate_pair_is_refused_everywhere(
    house: House, agent: Agent, campaign: Campaign
) -> None:
    plan_id = await agent.declare()
    run = await agent.start(plan_id)
    reason = {"code": "hook-failed", "subject": "HALF", "detail": "HALF"}
    ending = {"outcome_hint": "succeeded", "log_tail": "HALF", "reason": reason, "batches": 0}
    documents: list[tuple[str, str, str, dict[str, Any]]] = [
        ("ingest", "POST", "/v1/enrolments", {"code": "HALF", "hostname": "HALF"}),
        ("ingest", "PUT", "/v1/plans/docs", {"folders": ["HALF"], "schedule": "HALF"}),
        ("ingest", "PUT", "/v1/plans/docs", {"HALF": 1}),
        ("ingest", "POST", "/v1/runs", {"plan_id": "HALF"}),
        ("ingest", "POST", f"/v1/runs/{run}/commit", ending),
        ("ingest", "POST", f"/v1/runs/{run}/abort", ending),
        ("portal", "POST", "/api/v1/tokens", {"email": "HALF", "password": "HALF"}),
        ("portal", "POST", "/api/v1/tokens", {"email": "a@b.c", "password": "x", "HALF": 1}),
        (
            "portal",
            "POST",
            "/api/v1/password",
            {"email": "a@b.c", "password": "HALF", "new_password": "HALF"},
        ),
        ("portal", "POST", "/api/v1/tenants", {"name": "HALF", "contracted_bytes": 1}),
        ("portal", "POST", f"/api/v1/tenants/{'0' * 32}/end", {"reason": "HALF"}),
        ("portal", "POST", f"/api/v1/tenants/{'0' * 32}/suspend", {"reason": "HALF"}),
        ("portal", "POST", f"/api/v1/tenants/{'0' * 32}/enrolments", {"label": "HALF"}),
        ("portal", "POST", "/api/v1/administrators/reset", {"email": "HALF"}),
    ]
    tokens = {"ingest": agent.token, "portal": house.place.operator_token}
    for service, method, path, document in documents:
        async with house.http(service) as client:
            client.headers["Authorization"] = f"Bearer {tokens[service]}"
            for half in HALVES:
                answer = await client.request(
                    method,
                    path,
                    content=json.dumps(document).replace("HALF", half).encode(),
                    headers={"Content-Type": "application/json"},
                )
                assert answer.status_code == 422, (path, half, answer.text)
                assert answer.json()["type"] == "urn:coffre:problem:invalid-request"
                campaign.tried("halves of surrogate pairs")
    # Its whole is a letter like any other.
    await agent.declare(folders=["/srv/\U0001f600"])
