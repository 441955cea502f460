"""What clients drop and take back: orders, what is shown afterwards, and what must count."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from libs.shared import catalogue, clock, database, events, frames, proofs
from libs.shared.batches import decode_batch
from libs.shared.catalogue import PathProof, Tree
from libs.shared.proofs import Prover
from services.retention import actions, store
from tests.retention.house import Client
from tests.world.agents import taken
from tests.world.files import File, add_folders, deltas

Files = Mapping[bytes, Sequence[bytes]]


async def order(
    client: Client,
    plan_id: UUID,
    what: str = "plan",
    *,
    folder: bytes | None = None,
    before: datetime | None = None,
) -> UUID:
    """Has copies dropped, and waits until the volume knows of it."""
    reduction_id = uuid4()
    said = events.ReductionOrdered.model_validate(
        {
            "tenant_id": client.tenant_id,
            "reduction_id": reduction_id,
            "version": 1,
            "what": what,
            "plan_id": plan_id,
            "folder": None if folder is None else base64.b64encode(folder).decode(),
            "before": before,
            "by": "Camille",
            "ordered_at": clock.now(),
        }
    )
    await client.house.deliver(said)
    await carry_out(client)
    return reduction_id


async def take_back(client: Client, reduction_id: UUID) -> None:
    """Takes a reduction back, and waits until the volume knows of it."""
    said = events.ReductionWithdrawn(
        tenant_id=client.tenant_id,
        reduction_id=reduction_id,
        by="Camille",
        withdrawn_at=clock.now(),
    )
    await client.house.deliver(said)
    await carry_out(client)


async def carry_out(client: Client) -> None:
    """What the job does, for this client."""
    keeper = client.house.keeper
    async with database.acquire(keeper.pool) as conn:
        waiting = await store.reductions.list_uncounted(conn)
    for reduction in waiting:
        if reduction.tenant_id == client.tenant_id:
            await actions.reductions.carry_out(keeper, reduction)


async def pass_night(client: Client, now: datetime) -> None:
    """What retention does for a client each night."""
    keeper = client.house.keeper
    await actions.reductions.collect(keeper, client.tenant_id, now)
    done = await actions.collection.tenant.collect_tenant(keeper, client.tenant_id, now)
    assert not done.failed


async def copy_anew(client: Client, plan_id: UUID, files: Files) -> int:
    """A run of a machine that has these files and compares them with the server's list."""
    run = await client.start(plan_id)
    listed = await list_paths(client, plan_id)
    tree = {path: File(list(contents), mtime_ns=1) for path, contents in files.items()}
    add_folders(tree)
    await client.agent.upload_missing(str(run), [one for file in files.values() for one in file])
    gone = [path for path in listed if path not in files]
    taken(await client.agent.send(str(run), *deltas(tree, gone, client.agent.chunk_key)))
    return await client.commit(run)


async def list_paths(client: Client, plan_id: UUID) -> list[bytes]:
    """The files that ingest lists of a plan to its agent."""
    answer = taken(await client.agent.client.get(f"/v1/plans/{plan_id}/entries"))
    found: list[bytes] = []
    for part in frames.read_frames(io.BytesIO(answer.content), 2**24):
        for delta in decode_batch(part):
            found += [
                catalogue.join_path(delta.folder, one.name)
                for one in delta.upserts
                if one.kind == "f"
            ]
    return found


async def points(client: Client, plan_id: UUID) -> list[int]:
    """The restore points that are shown, oldest first."""
    async with database.acquire(client.house.keeper.pool) as conn:
        found = await catalogue.list_runs(conn, client.tenant_id, plan_id)
    return sorted(point.number for point in found)


async def restore(client: Client, plan_id: UUID, number: int) -> dict[bytes, bytes]:
    """What a restore of a restore point gives out, proven as a whole, by path."""
    pool, prover = client.house.keeper.pool, Prover(client.keys)
    async with database.acquire(pool) as conn:
        point = await catalogue.resolve_run(conn, client.tenant_id, plan_id, number)
    assert point is not None
    seal = proofs.open_point(point.sealed, client.keys, client.tenant_id, plan_id, number)
    tree = Tree(client.tenant_id, plan_id, number)
    proof = PathProof(prover, proofs.read_root(seal.root))
    found: dict[bytes, list[bytes]] = {}
    walked = catalogue.walk(
        partial(database.transaction, pool), tree, catalogue.ENTRIES, proof=proof
    )
    async with aclosing(walked) as parts:
        async for folders in parts:
            for folder, entries in folders:
                for entry in entries:
                    if entry.kind == "f":
                        ids = [entry.chunks[at : at + 32] for at in range(0, len(entry.chunks), 32)]
                        found[catalogue.join_path(folder, entry.name)] = ids
    contents = await client.contents({one for ids in found.values() for one in ids})
    return {path: b"".join(contents[one] for one in ids) for path, ids in found.items()}


async def check_volume(client: Client) -> int:
    """Compares the stored volume with what the rows come to, counted another way; returns it."""
    rows = await client.house.fetch(
        """SELECT p.pack_no, p.object_bytes, p.state, c.chunk_id,
           ceil(c.length::numeric * c.size / c.frame_size)::bigint AS stored
           FROM catalogue.packs p LEFT JOIN catalogue.chunks c USING (tenant_id, pack_no)
           WHERE tenant_id = $1""",
        client.tenant_id,
    )
    if not rows:
        return 0
    needed, dropped = await list_needed(client)
    forgotten = await client.house.fetch(
        "SELECT chunk_id FROM catalogue.discounts WHERE tenant_id = $1", client.tenant_id
    )
    dropped |= {row[0] for row in forgotten}
    counted: dict[int, int] = {}
    for row in rows:
        if row["state"] == "condemned":
            continue
        counted.setdefault(row["pack_no"], row["object_bytes"])
        if row["chunk_id"] in dropped - needed:
            counted[row["pack_no"]] -= row["stored"]
    stored = await client.stored_bytes()
    assert stored == sum(counted.values())
    return stored


async def list_needed(client: Client) -> tuple[set[bytes], set[bytes]]:
    """The chunks that versions need which count, and those that dropped ones need."""
    rows = await client.house.fetch(
        """SELECT v.chunk_ids, EXISTS (SELECT FROM catalogue.dropped d
           WHERE d.tenant_id = v.tenant_id AND d.folder_id = v.folder_id
           AND (v.first_run <= d.begun_by OR v.last_run <= d.ended_by)) AS is_dropped
           FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.kind = 'f'""",
        client.tenant_id,
    )
    found: tuple[set[bytes], set[bytes]] = set(), set()
    for row in rows:
        ids = row["chunk_ids"]
        found[row["is_dropped"]].update(ids[at : at + 32] for at in range(0, len(ids), 32))
    return found


async def last_said(client: Client) -> dict[str, Any]:
    """What retention said last of a reduction."""
    return (await client.said("reduction.applied.v1"))[-1]
