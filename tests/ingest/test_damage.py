"""Chunks that were found damaged: asked for, sent again, and good from then on."""

from __future__ import annotations

import random
import uuid

from libs.shared import bucket
from libs.shared.entries import FolderDelta
from tests.world.agents import Agent
from tests.world.house import House

DAMAGE = (
    "UPDATE catalogue.packs SET state = 'damaged', damaged_at = '2026-01-01'"
    " WHERE tenant_id = $1 AND pack_id = $2"
)


async def states(ingest: House, agent: Agent) -> list[tuple[str, int]]:
    rows = await ingest.fetch(
        "SELECT p.state, (SELECT count(*) FROM catalogue.chunks c WHERE c.tenant_id = $1"
        " AND c.pack_no = p.pack_no) AS chunks FROM catalogue.packs p WHERE tenant_id = $1"
        " ORDER BY pack_no",
        agent.tenant.tenant_id,
    )
    return [tuple(row) for row in rows]


async def counted(ingest: House, agent: Agent) -> tuple[int, int]:
    """The stored volume as it is counted, and as it is."""
    rows = await ingest.fetch(
        "SELECT v.stored_bytes, (SELECT sum(object_bytes)::bigint FROM catalogue.packs p"
        " WHERE p.tenant_id = $1 AND p.state <> 'condemned') AS packs"
        " FROM catalogue.volumes v WHERE v.tenant_id = $1",
        agent.tenant.tenant_id,
    )
    return rows[0]["stored_bytes"], rows[0]["packs"]


async def test_damaged_chunks_are_wanted_until_they_came_again(
    agent: Agent, stranger: Agent, ingest: House
) -> None:
    plan = await agent.declare()
    one, two, other = (random.Random(n).randbytes(300_000) for n in range(3))
    delta = FolderDelta(b"", [agent.file(b"1", one), agent.file(b"2", two, other)], [])
    pack = agent.pack(one, two)
    run = await agent.start(plan)
    await agent.upload(run, pack)
    await agent.upload(run, agent.pack(other))
    await agent.send(run, delta)
    assert (await agent.commit(run)).status_code == 200
    started = await agent.ask_start(plan)
    assert started.json()["wanted_chunks"] == []

    await ingest.fetch(DAMAGE, agent.tenant.tenant_id, bytes.fromhex(pack.id))
    key = str(uuid.uuid4())
    started = await agent.ask_start(plan, run_key=key)
    wanted = {agent.id_of(one).hex(), agent.id_of(two).hex()}
    assert set(started.json()["wanted_chunks"]) == wanted
    assert (await stranger.ask_start(await stranger.declare())).json()["wanted_chunks"] == []
    run = started.json()["run_id"]
    assert await agent.missing(run, one, two, other) == [True, True, False]

    # One of them comes in another pack; the machine lost the other, and that stops nothing.
    assert (await agent.upload(run, agent.pack(one))).status_code == 201
    assert await agent.missing(run, one, two) == [False, True]
    assert (await agent.commit(run, batches=0)).status_code == 200
    assert await states(ingest, agent) == [("damaged", 1), ("live", 1), ("live", 1)]
    started = await agent.ask_start(plan)
    assert started.json()["wanted_chunks"] == [agent.id_of(two).hex()]
    run = started.json()["run_id"]

    # The very same pack replaces the damaged object.
    key = bucket.key_of_pack(agent.tenant.tenant_id, bytes.fromhex(pack.id))
    sealed = await ingest.objects.get(key)
    await ingest.objects.put(key, b"damaged" + sealed[7:])
    answer = await agent.upload(run, pack)
    assert (answer.status_code, answer.json()) == (201, {"stored_bytes": 0})
    assert await ingest.objects.get(key) == sealed
    assert [state for state, _ in await states(ingest, agent)] == ["live"] * 3
    assert await agent.missing(run, one, two) == [False, False]
    stored, packs = await counted(ingest, agent)
    assert stored == packs
    assert (await agent.ask_start(plan)).json()["wanted_chunks"] == []


async def test_more_damage_than_one_run_is_asked_for(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    contents = [b"%d" % number for number in range(9_000)]
    pack = agent.pack(*contents)
    await agent.upload(run, pack)
    await ingest.fetch(DAMAGE, agent.tenant.tenant_id, bytes.fromhex(pack.id))
    asked: set[str] = set()
    for _ in range(60):
        wanted = (await agent.ask_start(plan)).json()["wanted_chunks"]
        assert len(set(wanted)) == 4_096
        asked |= set(wanted)
        if len(asked) == len(contents):
            break
    assert asked == {agent.id_of(content).hex() for content in contents}


async def test_a_script_heals_what_it_puts(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    content = random.Random(9).randbytes(900_000)
    for night in range(2):
        run = await agent.start(plan)
        answer = await agent.client.put(f"/v1/runs/{run}/files/dump", content=content)
        assert (answer.json()["stored_bytes"] > 0) == (night == 0)
        answer = await agent.client.post(f"/v1/runs/{run}/commit", json={"full": True})
        assert answer.status_code == 200
        assert {state for state, _ in await states(ingest, agent)} == {"live"}
        await ingest.fetch(
            "UPDATE catalogue.packs SET state = 'damaged', damaged_at = '2026-01-01'"
            " WHERE tenant_id = $1",
            agent.tenant.tenant_id,
        )


async def test_what_was_damaged_comes_again_where_growth_is_blocked(
    agent: Agent, ingest: House
) -> None:
    """It is the provider's disk that broke: what mends it is no growth of the client's."""
    plan = await agent.declare()
    one, two, new = (random.Random(n).randbytes(300_000) for n in range(3))
    pack, run = agent.pack(one, two), await agent.start(plan)
    stored = (await agent.upload(run, pack)).json()["stored_bytes"]
    await ingest.fetch(DAMAGE, agent.tenant.tenant_id, bytes.fromhex(pack.id))
    await ingest.fetch(
        "INSERT INTO ingest.allowances VALUES ($1, 1000000, $2, 'the contract is full')"
        " ON CONFLICT (tenant_id) DO UPDATE SET version = 1000000, ceiling_bytes = $2",
        agent.tenant.tenant_id,
        stored,
    )

    # What is new is refused, alone or beside what was damaged, and leaves nothing behind.
    assert (await agent.upload(run, agent.pack(new))).status_code == 507
    assert (await agent.upload(run, agent.pack(one, new))).status_code == 507
    assert await agent.missing(run, one, two, new) == [True] * 3
    assert await counted(ingest, agent) == (stored, stored)

    # The very same pack takes the place of the damaged one.
    assert (await agent.upload(run, pack)).status_code == 201
    assert await agent.missing(run, one, two) == [False, False]
    assert await counted(ingest, agent) == (stored, stored)

    # Other packs lie beside what is damaged, until that is cleared away.
    await ingest.fetch(DAMAGE, agent.tenant.tenant_id, bytes.fromhex(pack.id))
    assert (await agent.upload(run, agent.pack(one))).status_code == 201
    assert await agent.missing(run, one, two) == [False, True]
    assert (await agent.upload(run, agent.pack(two))).status_code == 201
    assert await agent.missing(run, one, two) == [False, False]
    volume, packs = await counted(ingest, agent)
    assert volume == packs > stored
    assert (await agent.upload(run, agent.pack(new))).status_code == 507
