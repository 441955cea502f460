"""Finding a path in a restore point, and walking what lies below it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID

from libs.shared import catalogue, errors
from libs.shared.catalogue import Columns, EntryRow, FolderEntry, PathProof, RestorePoint
from libs.shared.database import Connection, Pool, tenant_transaction
from services.portal import store
from services.portal.actions import log, runs
from services.portal.actions.clients import subscription
from services.portal.rules.files import moments, names
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.clients import Tenant
from services.portal.store.runs.dropped import Dropped

T = TypeVar("T")


@dataclass(frozen=True)
class AskedPlace:
    """A place as somebody asks for it: a plan by id or name, a path as it came, which run.

    run: its number, None for the newest. at: a day or moment instead: the last restore point that
    is not later."""

    actor: Actor
    plan: str
    path: bytes
    run: int | None = None
    at: str = ""

    @property
    def tenant_id(self) -> UUID:
        """The client whose files these are: that of whoever asks."""
        return self.actor.tenant_id


@dataclass(frozen=True)
class Place:
    """A path that a restore point holds, and who looks at it.

    is_chosen: the restore point was asked for by its number, be it the newest or not."""

    actor: Actor
    plan: catalogue.CataloguePlan
    run: RestorePoint
    path: bytes
    entry: EntryRow
    timezone: str
    is_chosen: bool

    @property
    def tenant_id(self) -> UUID:
        """The client whose it is: that of whoever looks."""
        return self.actor.tenant_id

    @property
    def shown(self) -> tuple[str, int, str]:
        """Plan, run and path, as the log keeps them."""
        return self.plan.name, self.run.number, names.display(self.path)

    @property
    def etag(self) -> str:
        """Names this version and no other (RFC 9110, section 8.8.3)."""
        entry = self.entry
        plan = self.plan.plan_id.hex[:16]
        return f'"{plan}-{entry.first_run}-{entry.size:x}-{entry.crc32:08x}"'


@dataclass(frozen=True)
class Points:
    """A plan's restore points, newest first."""

    plan: catalogue.CataloguePlan
    points: list[RestorePoint]
    timezone: str


async def list_points(pool: Pool, asked: AskedPlace) -> Points:
    """A plan's restore points, to choose one by; raises NotFound, PlanAmbiguous.

    What is then looked at is noted; here only that there is nothing to look at."""
    tenant_id = asked.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        tenant = await store.clients.find(conn, tenant_id)
        if tenant is None:
            raise errors.NotFound("plan")
        plan = await runs.find_plan(conn, tenant_id, asked.plan)
        points = await catalogue.list_runs(conn, tenant_id, plan.plan_id)
        if not points:
            await log.note(conn, asked.actor, acts.RunsListed(plan.name))
    return Points(plan, points, tenant.timezone)


async def find_place(pool: Pool, asked: AskedPlace) -> Place:
    """Finds a path as a run saw it.

    What is done with it is noted by who does it. Raises NotFound, PlanAmbiguous, RecoveryBlocked,
    and InvalidRequest for what is no moment."""
    tenant_id = asked.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await runs.find_plan(conn, tenant_id, asked.plan)
        tenant = await subscription.check_recovery(conn, tenant_id)
        point = await _find_point(conn, tenant, plan.plan_id, asked.run, asked.at)
        clean = names.clean_path(asked.path)
        entry = await catalogue.find_entry(conn, tenant_id, plan.plan_id, point.number, clean)
        if entry is None:
            raise errors.NotFound("file or folder in this restore point")
    is_chosen = asked.run is not None
    return Place(asked.actor, plan, point, clean, entry, tenant.timezone, is_chosen)


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


@dataclass(frozen=True)
class Listing:
    """What a folder holds, folders first; and what its restore point comes without."""

    entries: list[FolderEntry]
    dropped: list[Dropped]


async def list_folder(pool: Pool, place: Place, *, deleted: bool = False) -> Listing:
    """What a folder holds; raises NotFound for anything else.

    deleted: with what it held before, up to the restore point."""
    if place.entry.kind != "d":
        raise errors.NotFound("folder in this restore point")
    where = place.tenant_id, place.plan.plan_id, place.run.number, place.path
    async with tenant_transaction(pool, place.tenant_id) as conn:
        if deleted:
            found = await catalogue.list_folder_with_deleted(conn, *where)
        else:
            entries = await catalogue.list_folder(conn, *where)
            found = [FolderEntry(entry, None, None) for entry in entries]
        dropped = await store.runs.dropped.list_dropped(conn, *where[:3])
        await log.note(conn, place.actor, acts.FolderListed(*place.shown, deleted=deleted))
    return Listing(found, dropped)


def walk(
    pool: Pool,
    place: Place,
    columns: Columns[T],
    proof: PathProof | None = None,
    *,
    in_order: bool = False,
) -> AsyncGenerator[list[tuple[bytes, list[T]]], None]:
    """Yields a place and all that lies below it, as `catalogue.walk`.

    Raises PointExpired, and Unproven where it is not what `proof` says."""
    tree = catalogue.Tree(place.tenant_id, place.plan.plan_id, place.run.number, place.path)
    begin = partial(tenant_transaction, pool, place.tenant_id)
    return catalogue.walk(begin, tree, columns, in_order=in_order, proof=proof)
