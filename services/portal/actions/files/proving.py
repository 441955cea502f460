"""A restore point is proven before anything of it is given out (docs/decisions/0037)."""

from __future__ import annotations

from collections.abc import Sequence

from libs.shared import bucket, catalogue, logs, proofs
from libs.shared.bucket import Tally, Unreadable
from libs.shared.catalogue import PathProof
from libs.shared.database import tenant_transaction
from libs.shared.objects import ObjectMissing
from libs.shared.proofs import ENTRY_FIELDS, PointSeal, Prover, Unproven
from services.portal.actions.files.browsing import Place
from services.portal.actions.files.spans import ChunkReader
from services.portal.rules.files import names
from services.portal.rules.files.newest import PointsMissing


async def prove(reader: ChunkReader, place: Place) -> PathProof:
    """What a place must come to while it is walked; of a file, this proves all.

    Raises what `prove_all` does."""
    [(_, proof)] = await prove_all(reader, place, [place])
    return proof


async def prove_all(
    reader: ChunkReader, folder: Place, roots: Sequence[Place]
) -> list[tuple[Place, PathProof]]:
    """What each of some places must come to: the folder itself, or what lies right in it.

    Raises Unproven where rows are not what a commit sealed, and PointsMissing where the bucket
    knows of a newer restore point than the catalogue, unless this very one was asked for.
    """
    try:
        seal = _open_seal(reader, folder)
        if not folder.is_chosen:
            await _check_newest(reader, folder)
        return await _prove_roots(reader, roots, seal)
    except Unproven:
        logs.get().error(
            "restore_point.unproven",
            tenant_id=str(folder.tenant_id),
            plan_id=str(folder.plan.plan_id),
            run=folder.run.number,
        )
        raise


def _open_seal(reader: ChunkReader, place: Place) -> PointSeal:
    run = place.run
    where = place.tenant_id, place.plan.plan_id, run.number
    seal = proofs.open_point(run.sealed, reader.keys, *where)
    told = (run.run_id, run.committed_at, run.files_total, run.bytes_protected)
    if told != (seal.run_id, seal.committed_at, seal.files_total, seal.bytes_protected):
        raise Unproven(run.number)
    return seal


async def _prove_roots(
    reader: ChunkReader, roots: Sequence[Place], seal: PointSeal
) -> list[tuple[Place, PathProof]]:
    prover = Prover(reader.keys)
    root = proofs.read_root(seal.root)
    if not roots[0].path:
        return [(roots[0], PathProof(prover, root))]
    point = roots[0]
    where = point.tenant_id, point.plan.plan_id, point.run.number
    by_name = {names.last(place.path): place for place in roots}
    async with tenant_transaction(reader.pool, point.tenant_id) as conn:
        above = names.parent(point.path)
        found = await catalogue.prove_entries(conn, where, above, list(by_name), prover, root)
    for name, (entry, _) in found.items():
        if entry[:ENTRY_FIELDS] != by_name[name].entry[:ENTRY_FIELDS]:
            raise Unproven(point.run.number)
    return [
        (by_name[name], PathProof(prover, digest)) for name, (_, digest) in sorted(found.items())
    ]


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
