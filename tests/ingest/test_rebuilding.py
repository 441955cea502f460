"""The database is lost: bucket and master key bring the whole catalogue back, and copies go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec.structs import replace as replace_in

from libs.shared import attributes, bucket
from libs.shared.entries import Entry, FolderDelta
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from tests.ingest.lost import empty_database
from tests.world.agents import Agent, folder, link
from tests.world.house import House
from tests.world.tenants import Tenant

A, B, C = b"aaa" * 100_000, b"bbbb" * 70_000, b"ccccc"


def with_more(agent: Agent) -> list[Entry]:
    """What entries may have beside what most have."""
    written = attributes.write({b"user.x": b"1", attributes.TIME: attributes.write_time(10**20)})
    return [
        replace_in(agent.file(b"marked", A), attributes=written),
        replace_in(agent.file(b"first", A), target=b"srv/first"),
        replace_in(agent.file(b"second", A), target=b"srv/first", attributes=written),
        replace_in(folder(b"disk"), kind="b", target=b"8:1"),
        replace_in(folder(b"pipe"), kind="p", attributes=written),
    ]


async def live_for_a_while(agent: Agent) -> str:
    """Nights with all that can happen to a tree, and to a run; returns the plan."""
    plan = await agent.declare()
    first = [
        FolderDelta(b"", [folder(b"srv")], []),
        FolderDelta(b"srv", [folder(b"d"), folder(b"e"), agent.file(b"top", A)], []),
        FolderDelta(b"srv/d", [agent.file(b"1", A), agent.file(b"2", B), folder(b"sub")], []),
        FolderDelta(b"srv/d/sub", [agent.file(b"deep", A, B, C), link(b"l", b"\xff")], []),
    ]
    await agent.copy(plan, *first, contents=[A, B, C])
    changed = [
        FolderDelta(b"srv/d", [agent.file(b"1", B), agent.file(b"2", B, mtime_ns=9)], []),
        FolderDelta(b"srv", [], [b"top"]),
    ]
    await agent.copy(plan, *changed, contents=[])
    await agent.copy(plan, contents=[])  # nothing changed
    retyped = [
        FolderDelta(b"srv", [agent.file(b"d", C)], []),
        FolderDelta(b"srv/e", [agent.file(b"inside", A)], []),
    ]
    await agent.copy(plan, *retyped, contents=[])
    # One that its agent gave up after it had asked for the commit, one that was never committed.
    run = await agent.start(plan)
    await agent.send(run, FolderDelta(b"srv", [agent.file(b"given up", C)], []))
    assert (await agent.abort(run)).status_code == 200
    # A failed run keeps what it copied (docs/decisions/0008).
    run = await agent.start(plan)
    await agent.send(run, FolderDelta(b"srv", [folder(b"d")], []))
    answer = await agent.commit(run, outcome_hint="failed")
    assert answer.json()["outcome"] == "failed"
    # The whole tree anew, with some of it as it was.
    run = await agent.start(plan)
    whole = [
        FolderDelta(b"", [folder(b"srv"), agent.file(b"f", B, A)], []),
        FolderDelta(b"srv", [folder(b"e"), folder(b"d"), *with_more(agent)], []),
        FolderDelta(b"srv/d", [agent.file(b"1", A)], []),
    ]
    await agent.send(run, *whole)
    assert (await agent.commit(run, full=True)).status_code == 200
    return plan


CATALOGUE = {
    "plans": "SELECT plan_id, agent_id, name, created_at, last_run FROM catalogue.plans",
    "runs": "SELECT * FROM catalogue.runs",
    "packs": "SELECT tenant_id, pack_id, object_bytes, chunk_count, state FROM catalogue.packs",
    "chunks": 'SELECT chunk_id, p.pack_id, "offset", length, size, encoding, crc32,'
    " start, frame_size FROM catalogue.chunks c JOIN catalogue.packs p USING (tenant_id, pack_no)",
    "versions": "SELECT v.plan_id, f.name AS folder, v.name, first_run, last_run, mode, kind,"
    " mtime_ns, uid, gid, size, crc32, received_at, target, chunk_ids, attributes_id"
    " FROM catalogue.versions v JOIN catalogue.folders f USING (tenant_id, folder_id)",
    "sets": "SELECT tenant_id, attributes_id, content FROM catalogue.attribute_sets",
    "volumes": "SELECT tenant_id, stored_bytes, protected_bytes FROM catalogue.volumes",
    "declared": "SELECT plan_id, agent_id, name, declaration::text FROM ingest.plans",
    "outcomes": "SELECT run_id, number, parent, outcome, reason::text, started_at, finished_at"
    " FROM ingest.runs WHERE state = 'committed'",
}


async def test_all_comes_back_and_copies_go_on(
    own_ingest: Callable[..., House], database: Any, tmp_path: Path
) -> None:
    service = own_ingest()
    tenant, other = Tenant(service), Tenant(service)
    await tenant.becomes("active")
    await other.becomes("active")
    agent, stranger = await tenant.enrol(), await other.enrol()
    plan = await live_for_a_while(agent)
    await agent.copy(
        await agent.declare("photos", recipients=[]),
        FolderDelta(b"", [agent.file(b"p", C)], []),
        contents=[],
    )
    theirs = await live_for_a_while(stranger)
    dsn = database.dsn("ingest")
    command = partial(service.command, "ingest")
    kept = tmp_path / "fingerprints"
    kept.write_text(command("fingerprint").stdout)
    assert len(kept.read_text().splitlines()) == 2
    refused = command("rebuild")
    assert (refused.returncode, str(tenant.tenant_id) in refused.stderr) == (1, True)

    done = command("rebuild", "--verify", "--expect", str(kept), COFFRE_DATABASE_URL=dsn)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the fingerprints are equal" in done.stdout
    async with empty_database(service, dsn) as rebuilt:
        for table, statement in CATALOGUE.items():
            lost = {tuple(row) for row in await service.fetch(statement)}
            assert set(await rebuilt.rows(statement)) == lost, table
        # Whoever knows of a volume takes what comes now for newer.
        ((sequence,),) = await rebuilt.rows(
            "SELECT min(sequence) FROM catalogue.volumes WHERE tenant_id = $1", tenant.tenant_id
        )
        assert sequence > 10**12
        again = await rebuilt.rebuild()
        assert [each.was_done for each in again] == [True, True]
        assert await rebuilt.read(tenant.tenant_id, plan, 1, b"srv/d/sub/deep") == A + B + C

        # Life goes on: the machine enrols again and is who it was; its plan is the same.
        service.stop("ingest")
        service.place = replace(service.place, database=database.name)
        service.start("ingest")
        await tenant.becomes("active")
        assert (await agent.client.put("/v1/plans/docs", json={})).status_code == 401
        newcomer = await tenant.enrol()
        assert newcomer.agent_id == agent.agent_id
        assert newcomer.chunk_key == agent.chunk_key
        assert await newcomer.declare() == plan
        run = await newcomer.start(plan)
        assert await newcomer.missing(run, A, B, b"new") == [False, False, True]
        assert (await newcomer.upload(run, newcomer.pack(b"new"))).status_code == 201
        changed = FolderDelta(b"srv/e", [newcomer.file(b"new", b"new")], [])
        assert (await newcomer.send(run, changed)).status_code == 204
        answer = (await newcomer.commit(run)).json()
        assert (answer["outcome"], answer["number"]) == ("succeeded", 8)
        for path, content in [(b"srv/e/new", b"new"), (b"f", B + A), (b"srv/d/1", A)]:
            assert await rebuilt.read(tenant.tenant_id, plan, 8, path) == content
        assert await rebuilt.read(other.tenant_id, theirs, 7, b"f") == B + A
        # A second machine of the same name is another one.
        second = await tenant.enrol()
        assert second.agent_id != agent.agent_id
    service.stop("ingest")
    for one in (agent, stranger, newcomer, second):
        await one.client.aclose()


async def test_tenants_whose_keys_are_lost_are_named(
    ingest: House, object_store: ObjectStore, database: Any
) -> None:
    """With another master key, or without the keys' object: the others come back all the same."""
    good, foreign, orphan = uuid4(), uuid4(), uuid4()
    await KeyRing(object_store, ingest.master_key).create(good)
    await KeyRing(object_store, bytes(32)).create(foreign)
    for tenant in (good, foreign, orphan):
        await object_store.put(bucket.key_of_pack(tenant, bytes(32)), b"no pack")
        await object_store.put(bucket.key_of_pack(tenant, b"\1" * 32), b"")
        await object_store.put(f"{bucket.packs_of(tenant)}02/{'00' * 32}", b"not its folder")
    async with empty_database(ingest, database.dsn("ingest"), object_store) as empty:
        rebuilt = {each.tenant_id: each for each in await empty.rebuild()}
        assert set(rebuilt) == {good, foreign, orphan}
        assert len(rebuilt[good].troubles) == 3
        assert "has no pack's name" in rebuilt[good].troubles[2]
        assert "do not open" in rebuilt[foreign].troubles[0]
        assert "is missing" in rebuilt[orphan].troubles[0]
        assert await empty.rows("SELECT tenant_id FROM ingest.rebuilds") == [(good,)]
