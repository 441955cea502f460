"""Restore points that came back, compared with their seals in the bucket and sealed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from libs.shared import bucket, database, proofs
from libs.shared.bucket import TallyObject, Unreadable
from libs.shared.keys import TenantKeys
from libs.shared.proofs import PointSeal, Prover
from services.ingest import store
from services.ingest.actions.proofs import open_seal
from services.ingest.actions.rebuild import fetching
from services.ingest.actions.resources import Resources


def seal_points(
    points: Sequence[bucket.Point],
    roots: Mapping[int, int],
    keys: TenantKeys,
    prover: Prover,
    head: bucket.Head,
    troubles: list[str],
) -> dict[int, bytes]:
    """Returns the seals of restore points by number, of those that came back as they were sealed.

    points: oldest first. Adds to `troubles` what is another, and can't be proven from now on.
    """
    seals: dict[int, bytes] = {}
    chains: dict[int, str] = {}
    for point in points:
        root = proofs.write_root(roots.get(point.number, 0))
        seal = PointSeal(
            run_id=point.run_id,
            number=point.number,
            parent=point.parent,
            committed_at=point.committed_at,
            files_total=point.files_total,
            bytes_protected=point.bytes_protected,
            root=root,
        )
        before = "" if point.parent is None else chains.get(point.parent)
        linked = prover.link(seal, before or "")
        if point.chain is not None and before is None:
            # What it hangs on has expired.
            linked = msgspec.structs.replace(linked, chain=point.chain)
        if point.root not in (None, root) or point.chain not in (None, linked.chain):
            troubles.append(
                f"run {point.number} of plan {head.plan_id} is not what was sealed when it was"
                " committed"
            )
            continue
        chains[point.number] = linked.chain
        seals[point.number] = proofs.seal_point(linked, keys, head.tenant_id, head.plan_id)
    return seals


async def count_back(
    resources: Resources, tenant_id: UUID, keys: TenantKeys
) -> tuple[int, list[str]]:
    """Compares what came back of a tenant with its tallies in the bucket.

    Returns the number of the last one, 0 for none, and in words what has gone from the bucket.
    """
    listed = [key async for key, _ in resources.objects.list(bucket.tallies_of(tenant_id))]
    last = 0
    troubles = []
    async with database.acquire(resources.pool) as conn:
        known = await store.proofs.list_newest(conn, tenant_id)
    async for key, tally in fetching.read_all(resources, keys, listed, bucket.Tally):
        if isinstance(tally, Unreadable):
            troubles.append(str(tally))
            continue
        named = bucket.parse_key(key)
        if isinstance(named, TallyObject):
            last = max(last, named.sequence)
        for plan in tally.plans:
            newest = known.get(plan.plan_id)
            if newest is None or newest.number < plan.number:
                troubles.append(
                    f"run {plan.number} of plan {plan.plan_id} was a restore point, and nothing of"
                    " it is left in the bucket"
                )
            elif newest.number == plan.number and plan.chain is not None:
                seal = open_seal(keys, tenant_id, plan.plan_id, plan.number, newest.sealed)
                if seal is None or seal.chain != plan.chain:
                    troubles.append(
                        f"run {plan.number} of plan {plan.plan_id} is another than the one that"
                        " was counted"
                    )
    if not last and known:
        troubles.append(
            f"{bucket.tallies_of(tenant_id)} holds no tally: nobody can tell whether newest"
            " restore points are gone"
        )
    return last, troubles
