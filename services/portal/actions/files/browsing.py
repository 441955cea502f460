"""Finding a path in a restore point, and walking what lies below it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID

from libs.shared import catalogue, errors
from libs.shared.catalogue import (
    Columns,
    EntryRow,
    FolderOrder,
    FolderPage,
    PathProof,
    RestorePoint,
)
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
    def first(self) -> Place:
        """Itself, as a selection has a first place."""
        return self

    @property
    def roots(self) -> list[Root]:
        """What an archive of it holds: itself."""
        return [Root(self)]

    @property
    def number(self) -> int:
        """The number of its run."""
        return self.run.number

    @property
    def name(self) -> bytes:
        """What an archive is called."""
        return self.entry.name or self.plan.name.encode()

    @property
    def download_acts(self) -> list[acts.Act]:
        """That somebody has all of it."""
        return [acts.FolderDownloaded(*self.shown)]

    @property
    def view_acts(self) -> list[acts.Act]:
        """That somebody sees how large an archive would be."""
        return [acts.FolderViewed(*self.shown)]

    @property
    def etag(self) -> str:
        """Names this version and no other (RFC 9110, section 8.8.3)."""
        entry = self.entry
        plan = self.plan.plan_id.hex[:16]
        return f'"{plan}-{entry.first_run}-{entry.size:x}-{entry.crc32:08x}"'


@dataclass(frozen=True)
class Root:
    """A place of an archive; into: the folder there that it is put into, `b""` for none."""

    place: Place
    into: bytes = b""


async def find_newest(pool: Pool, place: Place) -> RestorePoint | None:
    """The newest restore point of the plan that a place is of."""
    async with tenant_transaction(pool, place.tenant_id) as conn:
        return await catalogue.resolve_run(conn, place.tenant_id, place.plan.plan_id, None)


async def find_place(pool: Pool, asked: AskedPlace) -> Place:
    """Finds a path as a run saw it.

    What is done with it is noted by who does it. Raises NotFound, PlanAmbiguous, RecoveryBlocked,
    and InvalidRequest for what is no moment."""
    tenant_id = asked.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await runs.find_plan(conn, tenant_id, asked.plan)
        tenant = await subscription.check_recovery(conn, tenant_id)
        point = await find_point(conn, tenant, plan.plan_id, asked.run, asked.at)
        clean = names.clean_path(asked.path)
        entry = await catalogue.find_entry(conn, tenant_id, plan.plan_id, point.number, clean)
        if entry is None:
            raise errors.NotFound("file or folder in this restore point")
    is_chosen = asked.run is not None
    return Place(asked.actor, plan, point, clean, entry, tenant.timezone, is_chosen)


async def find_point(
    conn: Connection, tenant: Tenant, plan_id: UUID, run: int | None, at: str
) -> RestorePoint:
    """A restore point by its number, or the last one that is not later than a moment.

    Raises PointGone, InvalidRequest."""
    point = None
    if run is None and at:
        moment = moments.read_moment(at, tenant.timezone)
        point = await catalogue.resolve_run_at(conn, tenant.tenant_id, plan_id, moment)
    # Numbers are 32 bits; no run has one beyond them.
    elif run is None or 0 <= run < 2**31:
        point = await catalogue.resolve_run(conn, tenant.tenant_id, plan_id, run)
    if point is None:
        raise PointGone
    return point


class PointGone(errors.NotFound):
    """A restore point that never was, or that expired or was dropped meanwhile."""

    def __init__(self) -> None:
        super().__init__("restore point")


@dataclass(frozen=True)
class Listing:
    """A page of what a folder holds, and what its restore point comes without.

    passed: of a folder by name, the folders in it that hold nothing but the next one.
    """

    page: FolderPage
    passed: dict[bytes, list[bytes]]
    dropped: list[Dropped]


async def list_folder(
    pool: Pool, place: Place, order: FolderOrder, limit: int, *, deleted: bool = False
) -> Listing:
    """A page of what a folder holds; raises NotFound for anything else.

    deleted: with what it held before, up to the restore point."""
    if place.entry.kind != "d":
        raise errors.NotFound("folder in this restore point")
    point = place.tenant_id, place.plan.plan_id, place.run.number
    async with tenant_transaction(pool, place.tenant_id) as conn:
        page = await catalogue.list_page(conn, (*point, place.path), order, limit, deleted=deleted)
        passed = await _pass_through(conn, place, page)
        dropped = await store.runs.dropped.list_dropped(conn, *point)
        await log.note(conn, place.actor, acts.FolderListed(*place.shown, deleted=deleted))
    return Listing(page, passed, dropped)


async def _pass_through(
    conn: Connection, place: Place, page: FolderPage
) -> dict[bytes, list[bytes]]:
    names_shown = [
        one.entry.name for one in page.entries if one.entry.kind == "d" and one.last_point is None
    ]
    where = place.tenant_id, place.plan.plan_id
    ids = await store.files.find_folder_ids(conn, *where, place.path, names_shown)
    passed = await catalogue.pass_through(conn, (*where, place.run.number), list(ids.values()))
    return {name: passed[one] for name, one in ids.items() if one in passed}


def walk(
    pool: Pool,
    place: Place,
    columns: Columns[T],
    proof: PathProof | None = None,
    *,
    in_order: bool = False,
    at_once: int = catalogue.VERSIONS_AT_ONCE,
) -> AsyncGenerator[list[tuple[bytes, list[T]]], None]:
    """Yields a place and all that lies below it, as `catalogue.walk`.

    Raises PointExpired, and Unproven where it is not what `proof` says."""
    tree = catalogue.Tree(place.tenant_id, place.plan.plan_id, place.run.number, place.path)
    begin = partial(tenant_transaction, pool, place.tenant_id)
    return catalogue.walk(begin, tree, columns, in_order=in_order, at_once=at_once, proof=proof)
