"""Finding a path in a restore point, and walking what lies below it."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from libs.shared import catalogue, errors
from libs.shared.catalogue import EntryRow, Listed, RestorePoint
from libs.shared.database import Connection, Pool, tenant_transaction
from services.portal import store
from services.portal.actions import log
from services.portal.rules import moments, names, subscriptions
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.entries import Child, NamedPlan, Slice
from services.portal.store.tenants import Tenant

_FOLDERS_AT_ONCE = 64
_ENTRIES_AT_ONCE = 2_000


class Expired(errors.Refusal):
    """The restore point expired while it was read: what was read may lack versions."""

    code: ClassVar[str] = "restore-point-expired"
    status: ClassVar[int] = 410
    title: ClassVar[str] = "The restore point has expired"

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def detail(self) -> str:
        return f"Run {self.number} expired while it was read; recover from a newer restore point."


class PlanAmbiguous(errors.Refusal):
    """Several machines have a plan of that name."""

    code: ClassVar[str] = "plan-ambiguous"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "Several plans have this name"

    def __init__(self, name: str, plans: list[NamedPlan]) -> None:
        super().__init__()
        self.name = name
        self.plans = plans

    @property
    def detail(self) -> str:
        listed = ", ".join(f"{plan.plan_id} ({plan.hostname})" for plan in self.plans)
        return f"Several plans are called {self.name}; give the id of one: {listed}."

    def extra(self) -> dict[str, Any]:
        return {"plans": [{"plan_id": str(p.plan_id), "agent": p.hostname} for p in self.plans]}


@dataclass(frozen=True)
class Place:
    """A path that a restore point holds, and who looks at it."""

    actor: Actor
    plan: catalogue.Plan
    run: RestorePoint
    path: bytes
    entry: EntryRow
    timezone: str

    @property
    def tenant_id(self) -> UUID:
        """The client whose it is: that of whoever looks."""
        return self.actor.tenant_id

    @property
    def shown(self) -> tuple[str, int, str]:
        """Plan, run and path, as the log keeps them."""
        return self.plan.name, self.run.number, names.display(self.path)

    @property
    def identity(self) -> str:
        """Names this version and no other, for ETag."""
        entry = self.entry
        return f"{self.plan.plan_id.hex[:16]}-{entry.first_run}-{entry.size:x}-{entry.crc32:08x}"


@dataclass(frozen=True)
class Points:
    """A plan's restore points, newest first."""

    plan: catalogue.Plan
    points: list[RestorePoint]
    timezone: str


async def find_plan(conn: Connection, tenant_id: UUID, reference: str) -> catalogue.Plan:
    """A tenant's plan by id or name; raises NotFound, PlanAmbiguous."""
    try:
        plan_id = UUID(reference)
    except ValueError:
        named = await store.entries.find_plans_by_name(
            conn, tenant_id, reference.replace("\0", "\ufffd")
        )
        if len(named) > 1:
            raise PlanAmbiguous(reference, named) from None
        if not named:
            raise errors.NotFound("plan") from None
        plan_id = named[0].plan_id
    plan = await catalogue.find_plan(conn, tenant_id, plan_id)
    if plan is None:
        raise errors.NotFound("plan")
    return plan


async def check_recovery(conn: Connection, tenant_id: UUID) -> Tenant:
    """The tenant; raises RecoveryBlocked unless its files may be read now."""
    tenant = await store.tenants.find(conn, tenant_id)
    if tenant is None:
        raise errors.NotFound("plan")
    subscriptions.check_recovery(tenant.subscription, tenant.subscription_reason)
    return tenant


async def list_points(pool: Pool, actor: Actor, reference: str) -> Points:
    """A plan's restore points, to choose one by; raises NotFound, PlanAmbiguous.

    What is then looked at is noted; here only that there is nothing to look at."""
    tenant_id = actor.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        tenant = await store.tenants.find(conn, tenant_id)
        if tenant is None:
            raise errors.NotFound("plan")
        plan = await find_plan(conn, tenant_id, reference)
        points = await catalogue.list_runs(conn, tenant_id, plan.plan_id)
        if not points:
            await log.note(conn, actor, acts.RunsListed(plan.name))
    return Points(plan, points, tenant.timezone)


async def find_place(
    pool: Pool, actor: Actor, reference: str, run: int | None, path: bytes, at: str = ""
) -> Place:
    """Finds a path as a run saw it, or as it was at a day or moment; else as it is now.

    What is done with it is noted by who does it. Raises NotFound, PlanAmbiguous, RecoveryBlocked,
    and InvalidRequest for what is no moment."""
    tenant_id = actor.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await find_plan(conn, tenant_id, reference)
        tenant = await check_recovery(conn, tenant_id)
        point = await _find_point(conn, tenant, plan.plan_id, run, at)
        clean = names.clean_path(path)
        entry = await catalogue.find_entry(conn, tenant_id, plan.plan_id, point.number, clean)
        if entry is None:
            raise errors.NotFound("file or folder in this restore point")
    return Place(actor, plan, point, clean, entry, tenant.timezone)


async def _find_point(
    conn: Connection, tenant: Tenant, plan_id: UUID, run: int | None, at: str
) -> RestorePoint:
    point = None
    if run is None and at:
        moment = moments.read_moment(at, tenant.timezone)
        point = await catalogue.resolve_run_at(conn, tenant.tenant_id, plan_id, moment)
    # Numbers are 32 bits; no run has one beyond them.
    elif run is None or 0 <= run < 2**31:
        point = await catalogue.resolve_run(conn, tenant.tenant_id, plan_id, run)
    if point is None:
        raise errors.NotFound("restore point")
    return point


async def list_folder(pool: Pool, place: Place) -> list[EntryRow]:
    """What a folder holds, folders first; raises NotFound for anything else."""
    if place.entry.kind != "d":
        raise errors.NotFound("folder in this restore point")
    async with tenant_transaction(pool, place.tenant_id) as conn:
        found = await catalogue.list_folder(
            conn, place.tenant_id, place.plan.plan_id, place.run.number, place.path
        )
        await log.note(conn, place.actor, acts.FolderListed(*place.shown, deleted=False))
    return found


async def list_folder_with_deleted(pool: Pool, place: Place) -> list[Listed]:
    """What a folder held up to a restore point, deleted entries too; raises NotFound."""
    if place.entry.kind != "d":
        raise errors.NotFound("folder in this restore point")
    async with tenant_transaction(pool, place.tenant_id) as conn:
        found = await catalogue.list_folder_with_deleted(
            conn, place.tenant_id, place.plan.plan_id, place.run.number, place.path
        )
        await log.note(conn, place.actor, acts.FolderListed(*place.shown, deleted=True))
    return found


@dataclass
class _Folder:
    """A folder that a walk has still to visit; `listing` is what was read ahead of it."""

    folder_id: int
    path: bytes
    entry: EntryRow | None
    listing: list[Child] | None = None


async def walk(pool: Pool, place: Place) -> AsyncGenerator[tuple[bytes, list[EntryRow]], None]:
    """Yields what lies below a folder: (folder path, some of its entries).

    A folder's entry comes right before all that lies below it: GNU tar restores folders' times
    in that order only. Each slice is read in a short transaction of its own, so that a slow
    reader holds none; what a run saw never changes, so the slices fit together.

    Raises Expired at the end where the restore point expired meanwhile: retention takes it away
    before any version that it shows, so where it is still there, nothing was missing."""
    async with tenant_transaction(pool, place.tenant_id) as conn:
        start = await catalogue.find_folder(conn, place.tenant_id, place.plan.plan_id, place.path)
    waiting = [] if start is None else [_Folder(start, place.path, None)]
    while waiting:
        folder = waiting.pop()
        if folder.entry is not None:
            yield names.parent(folder.path), [folder.entry]
        below: list[_Folder] = []
        async with aclosing(_list_whole(pool, place, folder, waiting)) as slices:
            async for slice_ in slices:
                # A folder that never held anything has no row of its own to walk into.
                files = [child.entry for child in slice_ if child.child_id is None]
                if files:
                    yield folder.path, files
                below += [
                    _Folder(child.child_id, join(folder.path, child.entry.name), child.entry)
                    for child in slice_
                    if child.child_id is not None
                ]
        waiting.extend(reversed(below))
    async with tenant_transaction(pool, place.tenant_id) as conn:
        number = place.run.number
        if not await catalogue.resolve_run(conn, place.tenant_id, place.plan.plan_id, number):
            raise Expired(number)


async def _list_whole(
    pool: Pool, place: Place, folder: _Folder, waiting: list[_Folder]
) -> AsyncGenerator[list[Child], None]:
    """A folder's entries in slices; the folders that come next are read ahead on the way."""
    if folder.listing is not None:
        yield folder.listing
        return
    ahead = [one for one in waiting[-_FOLDERS_AT_ONCE:] if one.listing is None]
    found = await _read_slice(pool, place, [one.folder_id for one in [folder, *ahead]], (0, b""))
    # A full slice ends within some folder: those before it are whole, by the slice's own order.
    is_full = len(found) == _ENTRIES_AT_ONCE
    whole_below = found[-1].folder_id if is_full else sys.maxsize
    by_folder: dict[int, list[Child]] = {}
    for child in found:
        by_folder.setdefault(child.folder_id, []).append(child)
    for one in ahead:
        if one.folder_id < whole_below:
            one.listing = by_folder.get(one.folder_id, [])
    is_whole = folder.folder_id < whole_below
    found = by_folder.get(folder.folder_id, [])
    if not is_whole and not found:
        found = await _read_slice(pool, place, [folder.folder_id], (0, b""))
        is_whole = len(found) < _ENTRIES_AT_ONCE
    while True:
        yield found
        if is_whole:
            return
        found = await _read_slice(
            pool, place, [folder.folder_id], (folder.folder_id, found[-1].entry.name)
        )
        is_whole = len(found) < _ENTRIES_AT_ONCE


async def _read_slice(
    pool: Pool, place: Place, folder_ids: list[int], after: tuple[int, bytes]
) -> list[Child]:
    async with tenant_transaction(pool, place.tenant_id) as conn:
        part = slice_of(place, folder_ids, after, _ENTRIES_AT_ONCE)
        return await store.entries.list_slice(conn, part)


def slice_of(place: Place, folder_ids: list[int], after: tuple[int, bytes], limit: int) -> Slice:
    """The next entries of a restore point's folders, as the store wants to be asked."""
    return Slice(place.tenant_id, place.plan.plan_id, place.run.number, folder_ids, after, limit)


def join(folder: bytes, name: bytes) -> bytes:
    """The path of a name in a folder."""
    return folder + b"/" + name if folder else name
