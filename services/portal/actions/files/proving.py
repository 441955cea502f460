"""A restore point is proven before anything of it is given out (docs/decisions/0037)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from libs.shared import bucket, catalogue, logs, proofs
from libs.shared.bucket import Tally, Unreadable
from libs.shared.catalogue import PathProof
from libs.shared.database import tenant_transaction
from libs.shared.objects import ObjectMissing
from libs.shared.proofs import ENTRY_FIELDS, PointSeal, Prover, Unproven
from services.portal.actions.files.browsing import Place, Root
from services.portal.actions.files.spans import ChunkReader
from services.portal.rules.files import names
from services.portal.rules.files.newest import PointsMissing


async def prove(reader: ChunkReader, place: Place) -> PathProof:
    """What a place must come to while it is walked; of a file, this proves all.

    Raises what `prove_all` does."""
    [(_, proof)] = await prove_all(reader, place.roots)
    return proof


async def prove_all(reader: ChunkReader, roots: Sequence[Root]) -> list[tuple[Root, PathProof]]:
    """What each of some places must come to, in their order; no two are the same.

    Raises Unproven where rows are not what a commit sealed, and PointsMissing where the bucket
    knows of a newer restore point than the catalogue, unless this very one was asked for.
    """
    points: dict[UUID, list[Place]] = defaultdict(list)
    for root in roots:
        points[root.place.run.run_id].append(root.place)
    proven: dict[tuple[UUID, bytes], PathProof] = {}
    for run_id, places in points.items():
        for path, proof in (await _prove_point(reader, places)).items():
            proven[run_id, path] = proof
    return [(one, proven[one.place.run.run_id, one.place.path]) for one in roots]


async def _prove_point(reader: ChunkReader, places: Sequence[Place]) -> dict[bytes, PathProof]:
    """By path, what places of one restore point must come to."""
    first = places[0]
    try:
        seal = _open_seal(reader, first)
        if not all(one.is_chosen for one in places):
            await _check_newest(reader, first)
        folders: dict[bytes, list[Place]] = defaultdict(list)
        for place in places:
            folders[names.parent(place.path)].append(place)
        proven: dict[bytes, PathProof] = {}
        for together in folders.values():
            proven |= await _prove_together(reader, together, seal)
    except Unproven:
        logs.get().error(
            "restore_point.unproven",
            tenant_id=str(first.tenant_id),
            plan_id=str(first.plan.plan_id),
            run=first.run.number,
        )
        raise
    return proven


def _open_seal(reader: ChunkReader, place: Place) -> PointSeal:
    run = place.run
    where = place.tenant_id, place.plan.plan_id, run.number
    seal = proofs.open_point(run.sealed, reader.keys, *where)
    told = (run.run_id, run.committed_at, run.files_total, run.bytes_protected)
    if told != (seal.run_id, seal.committed_at, seal.files_total, seal.bytes_protected):
        raise Unproven(run.number)
    return seal


async def _prove_together(
    reader: ChunkReader, places: Sequence[Place], seal: PointSeal
) -> dict[bytes, PathProof]:
    """By path, what places of one folder must come to, or the whole of a restore point alone."""
    prover = Prover(reader.keys)
    root = proofs.read_root(seal.root)
    point = places[0]
    if not point.path:
        return {b"": PathProof(prover, root)}
    where = point.tenant_id, point.plan.plan_id, point.run.number
    by_name = {names.last(place.path): place for place in places}
    async with tenant_transaction(reader.pool, point.tenant_id) as conn:
        above = names.parent(point.path)
        found = await catalogue.prove_entries(conn, where, above, list(by_name), prover, root)
    for name, place in by_name.items():
        if name not in found or found[name][0][:ENTRY_FIELDS] != place.entry[:ENTRY_FIELDS]:
            raise Unproven(point.run.number)
    return {place.path: PathProof(prover, found[name][1]) for name, place in by_name.items()}


async def _check_newest(reader: ChunkReader, place: Place) -> None:
    """The bucket's tallies first: what they tell was in the catalogue before."""
    told = 0
    async for key, _ in reader.objects.list(bucket.tallies_of(place.tenant_id)):
        try:
            tally = bucket.open_as(await reader.objects.get(key), reader.keys, key, Tally)
        except ObjectMissing:
            continue  # replaced since the listing
        except Unreadable as trouble:
            logs.get().error("tally.unreadable", key=key, why=str(trouble))
            continue
        numbers = [one.number for one in tally.plans if one.plan_id == place.plan.plan_id]
        told = max(told, *numbers) if numbers else told
    async with tenant_transaction(reader.pool, place.tenant_id) as conn:
        plan = await catalogue.find_plan(conn, place.tenant_id, place.plan.plan_id)
    known = plan.last_run if plan is not None and plan.last_run is not None else 0
    if told > known:
        logs.get().error(
            "restore_points.missing", plan_id=str(place.plan.plan_id), told=told, known=known
        )
        raise PointsMissing(known, told)
