"""Every restore point against its seal, and against what the bucket says of it.

docs/decisions/0037 tells what this proves, and what it can't.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import bucket, catalogue, database, proofs
from libs.shared.bucket import End, Head, RunObjects, Tally
from libs.shared.catalogue import Folders, RestorePoint
from libs.shared.keys import KeysDestroyed, KeysUnreadable, TenantKeys
from libs.shared.proofs import PointSeal, Prover, Unproven
from services.retention import rules, store
from services.retention.actions.parts import list_objects, read_all
from services.retention.actions.resources import Resources
from services.retention.rules.audit import Disagreement

_UNDER_WAY = timedelta(hours=1)
"""How old a restore point is before the bucket must know of it."""


@dataclass
class _Told:
    """What the bucket says of a plan; `parts` are the keys of those that are there."""

    runs: RunObjects
    parts: set[str]
    ends: list[End] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)


async def compare_points(
    resources: Resources, tenant_id: UUID, now: datetime
) -> AsyncIterator[Disagreement]:
    """Yields what of a tenant's restore points can't be proven, or is missing; reads only.

    The bucket is read first: what it tells was in the catalogue before.
    """
    try:
        keys = await resources.keys.get(tenant_id)
    except (KeysDestroyed, KeysUnreadable):
        return
    names = [key async for key, _ in resources.objects.list(bucket.tallies_of(tenant_id))]
    tallies = [one for one in await read_all(resources, tenant_id, names, Tally) if one]
    async with database.acquire(resources.pool) as conn:
        plans = await store.audit.list_plans(conn, tenant_id)
        tenant = await store.tenants.find(conn, tenant_id)
        dropped = await store.reductions.list_collected(conn, tenant_id)
    counted = {one.plan_id for tally in tallies for one in tally.plans}
    kept_days = tenant.retention_days if tenant else 1
    cutoff = rules.expiry.find_window(now, kept_days).cutoff
    if plans and not tallies:
        yield Disagreement(
            "restore-point-missing",
            tenant_id,
            "No tally of this client is in the bucket: newest restore points may be gone from it.",
        )
    for plan_id in sorted({*plans, *counted}):
        told = await _read_reported(resources, tenant_id, plan_id)
        async with (
            database.acquire(resources.pool) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            await store.sessions.allow_long_statements(conn)
            plan = await _Plan(tenant_id, plan_id, keys, dropped.get(plan_id, 0)).read(conn)
        for found in [
            *plan.compare_rows(),
            *plan.compare_tallies(tallies),
            *plan.compare_ends(told, cutoff),
            *plan.compare_objects(told, now),
        ]:
            yield found


async def _read_reported(resources: Resources, tenant_id: UUID, plan_id: UUID) -> _Told:
    found = await list_objects(resources, tenant_id, plan_id)
    told = _Told(found.runs, {part.key for parts in found.parts.values() for part in parts})
    ends = await read_all(resources, tenant_id, list(found.runs.ends.values()), End)
    told.ends = [end for end in ends if end is not None]
    listed = max(found.runs.lists, default=0)
    names = [key for number, some in found.runs.heads.items() if number > listed for key in some]
    heads = await read_all(resources, tenant_id, names, Head)
    told.heads = [head for head in heads if head is not None]
    return told


class _Plan:
    """One plan's restore points with their seals; those up to `dropped` may be gone."""

    def __init__(self, tenant_id: UUID, plan_id: UUID, keys: TenantKeys, dropped: int) -> None:
        self._tenant_id = tenant_id
        self._plan_id = plan_id
        self._keys = keys
        self._dropped = dropped
        self._prover = Prover(keys)
        self._points: dict[int, RestorePoint] = {}
        self._seals: dict[int, PointSeal] = {}
        self._altered: set[int] = set()

    async def read(self, conn: database.Connection) -> _Plan:
        """Opens the seals, and compares all that the restore points show with them."""
        where = self._tenant_id, self._plan_id
        points = await catalogue.list_runs(conn, *where, hidden=True)
        self._points = {point.number: point for point in reversed(points)}
        for number, point in self._points.items():
            try:
                seal = proofs.open_point(point.sealed, self._keys, *where, number)
            except Unproven:
                self._altered.add(number)
                continue
            self._seals[number] = seal
            told = (point.run_id, point.committed_at, point.files_total, point.bytes_protected)
            if told != (
                seal.run_id,
                seal.committed_at,
                seal.files_total,
                seal.bytes_protected,
            ):
                self._altered.add(number)
        numbers = list(self._points)
        folders = await catalogue.read_folders(conn, *where, numbers, self._prover)
        for number, seal in self._seals.items():
            root = catalogue.digest_at(folders.root, number)
            if proofs.write_root(root) != seal.root:
                self._altered.add(number)
        await self._compare_digests(conn, numbers, folders)
        return self

    async def _compare_digests(
        self, conn: database.Connection, numbers: Sequence[int], folders: Folders
    ) -> None:
        """What was written down of each folder must be what its entries come to."""
        kept: dict[int, list[tuple[int, int]]] = {}
        for folder_id, number, digest in await store.audit.list_digests(
            conn, self._tenant_id, self._plan_id
        ):
            kept.setdefault(folder_id, []).append((number, self._prover.show(digest)))
        for folder_id in folders.places:
            steps, mine = folders.steps.get(folder_id, []), kept.get(folder_id, [])
            if steps == mine:
                continue
            for number in numbers:
                if catalogue.digest_at(steps, number) != catalogue.digest_at(mine, number):
                    self._altered.add(number)

    def compare_rows(self) -> Iterator[Disagreement]:
        """The restore points that are not what was sealed."""
        for number in sorted(self._altered):
            yield self._say(
                "restore-point-unproven", number, "its rows are not what was sealed at its commit"
            )

    def compare_tallies(self, tallies: Sequence[Tally]) -> Iterator[Disagreement]:
        """The newest restore point that the bucket counted must be there."""
        newest = max(self._points, default=0)
        told = [one for tally in tallies for one in tally.plans if one.plan_id == self._plan_id]
        last = max((one.number for one in told), default=0)
        if last > max(newest, self._dropped):
            what = f"the bucket counted it, and the catalogue's newest is {newest}"
            yield self._say("restore-point-missing", last, what)
        for one in told:
            seal = self._seals.get(one.number)
            if seal is not None and one.chain not in (None, seal.chain):
                yield self._say(
                    "restore-point-unproven", one.number, "another one was counted in the bucket"
                )

    def compare_ends(self, told: _Told, cutoff: datetime) -> Iterator[Disagreement]:
        """What ended as a restore point is one until it may expire, with the same seal."""
        newest = max(self._points, default=0)
        for end in sorted(told.ends, key=lambda one: one.number):
            if end.state != "committed":
                continue
            seal = self._seals.get(end.number)
            if seal is not None:
                if end.chain not in (None, seal.chain) or end.run_id != seal.run_id:
                    yield self._say(
                        "restore-point-unproven", end.number, "the bucket has another end of it"
                    )
            elif end.number <= self._dropped or end.number in self._points:
                continue
            elif end.number > newest or end.finished_at > cutoff:
                yield self._say(
                    "restore-point-missing",
                    end.number,
                    "it was committed, and is no restore point though it can't have expired",
                )

    def compare_objects(self, told: _Told, now: datetime) -> Iterator[Disagreement]:
        """What a rebuild would need of each restore point since the newest whole list."""
        listed = max(told.runs.lists, default=0)
        ended = {end.number for end in told.ends}
        heads = {head.run_id: head for head in told.heads}
        for number, point in self._points.items():
            if number <= listed or point.committed_at + _UNDER_WAY > now:
                continue
            head = heads.get(point.run_id)
            if head is None or number not in ended:
                what = "its head or end is gone from the bucket, or can't be read"
                yield self._say("run-object-missing", number, what)
            elif not told.parts.issuperset(part.key for part in head.parts):
                what = "a part of what it brought is gone from the bucket"
                yield self._say("run-object-missing", number, what)

    def _say(self, kind: rules.audit.Kind, number: int, what: str) -> Disagreement:
        return Disagreement(kind, self._tenant_id, f"Plan {self._plan_id}, run {number}: {what}.")
