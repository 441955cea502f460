"""Restore points in time: what a day had, what a point keeps, the one before anything unusual."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from libs.shared import catalogue, clock, errors
from libs.shared.catalogue import Around, RestorePoint
from libs.shared.database import Connection, Pool, tenant_transaction
from services.portal import store
from services.portal.actions import log, runs
from services.portal.actions.clients import subscription
from services.portal.actions.files import browsing
from services.portal.actions.files.browsing import AskedPlace, Place
from services.portal.rules.files import moments, names
from services.portal.rules.log import acts
from services.portal.store.clients import Tenant
from services.portal.store.runs.points import KeptRange, RunOfDay, Unusual


@dataclass(frozen=True)
class Clean:
    """The last restore point before the first unusual run that is still there."""

    unusual: Unusual
    point: RestorePoint | None


@dataclass(frozen=True)
class Lost:
    """A folder that the restore point doesn't have.

    is_file: it has a file of this name. above: the nearest folder that it has; last: the last
    restore point that has the path, as a folder or not.
    """

    path: bytes
    is_file: bool
    last_is_folder: bool
    above: bytes
    last: int
    last_seen_at: datetime


Trouble = Literal["", "too-early", "gone"]


@dataclass(frozen=True)
class PointSpan:
    """The restore points and the runs of some days, newest first; until: the end, not in it."""

    since: datetime
    until: datetime
    points: list[RestorePoint]
    runs: list[RunOfDay]


@dataclass(frozen=True)
class PointsView:
    """Files as somebody asked for them, and what lies around in time.

    place is None where the path is lost. trouble: the day asked for is before the first point, or
    the run has none, or none any more: what follows is shown then. platform: of the machine.
    """

    plan: catalogue.CataloguePlan
    platform: str
    timezone: str
    around: Around
    point: RestorePoint
    place: Place | None
    lost: Lost | None
    clean: Clean | None
    kept: KeptRange | None
    month: PointSpan
    trouble: Trouble

    @property
    def is_now(self) -> bool:
        """Whether this is the newest there is."""
        return self.point.number == self.around.newest.number


@dataclass(frozen=True)
class Nothing:
    """A plan without any restore point."""

    plan: catalogue.CataloguePlan
    timezone: str


async def open_view(pool: Pool, asked: AskedPlace, month: str) -> PointsView | Nothing:
    """Finds what a page of files shows; a path that is not given begins where there is a choice.

    month: of the calendar, `2026-11`; that of the restore point for anything else. What is shown
    is noted by who lists it, and here that it is lost. Raises NotFound for what never was,
    PlanAmbiguous, RecoveryBlocked, InvalidRequest.
    """
    async with tenant_transaction(pool, asked.tenant_id) as conn:
        plan = await runs.find_plan(conn, asked.tenant_id, asked.plan)
        tenant = await subscription.check_recovery(conn, asked.tenant_id)
        where = asked.tenant_id, plan.plan_id
        point, trouble = await _find_point(conn, tenant, plan, asked)
        around = await catalogue.find_around(conn, *where, point.number if point else 0)
        if point is None or around is None:
            await log.note(conn, asked.actor, acts.RunsListed(plan.name))
            return Nothing(plan, tenant.timezone)
        path = names.clean_path(asked.path)
        if not asked.path:
            path = await catalogue.find_opening(conn, *where, point.number)
        place = lost = None
        entry = await catalogue.find_entry(conn, *where, point.number, path)
        if entry is None or entry.kind != "d":
            is_file = entry is not None
            lost = await _find_lost(conn, asked, plan, point, path, is_file=is_file)
        else:
            is_chosen = asked.run is not None
            place = Place(asked.actor, plan, point, path, entry, tenant.timezone, is_chosen)
        since, until = moments.month_around(month, point.committed_at, tenant.timezone)
        return PointsView(
            plan=plan,
            platform=await store.machines.find_platform(conn, asked.tenant_id, plan.agent_id),
            timezone=tenant.timezone,
            around=around,
            point=point,
            place=place,
            lost=lost,
            clean=await _find_clean(conn, asked, plan, around),
            kept=await store.runs.points.find_kept(conn, *where, point.number),
            month=await _read_span(conn, asked, plan, since, until),
            trouble=trouble,
        )


@dataclass(frozen=True)
class Points:
    """Some days of a plan, the first and the newest restore point, and the clean one."""

    plan: catalogue.CataloguePlan
    around: Around | None
    clean: Clean | None
    span: PointSpan


async def list_points(pool: Pool, asked: AskedPlace, since: str, until: str) -> Points:
    """The restore points from a day or moment to another, the last month without them.

    Raises NotFound, PlanAmbiguous, InvalidRequest."""
    async with tenant_transaction(pool, asked.tenant_id) as conn:
        plan = await runs.find_plan(conn, asked.tenant_id, asked.plan)
        tenant = await store.clients.find(conn, asked.tenant_id)
        if tenant is None:
            raise errors.NotFound("plan")
        begin, end = moments.read_days(since, until, clock.now(), tenant.timezone)
        around = await catalogue.find_around(conn, asked.tenant_id, plan.plan_id, 0)
        clean = await _find_clean(conn, asked, plan, around) if around else None
        span = await _read_span(conn, asked, plan, begin, end)
        await log.note(conn, asked.actor, acts.RunsListed(plan.name))
    return Points(plan, around, clean, span)


async def _find_point(
    conn: Connection, tenant: Tenant, plan: catalogue.CataloguePlan, asked: AskedPlace
) -> tuple[RestorePoint | None, Trouble]:
    """The restore point asked for; the first one after that day or run where they have none."""
    try:
        return await browsing.find_point(conn, tenant, plan.plan_id, asked.run, asked.at), ""
    except browsing.PointGone:
        after = min(asked.run or 0, catalogue.NEWEST)
        around = await catalogue.find_around(conn, tenant.tenant_id, plan.plan_id, after)
        if asked.run is None:
            return (around.first, "too-early") if around else (None, "")
        if around is None or around.following is None:
            raise
        return around.following, "gone"


async def _find_lost(
    conn: Connection,
    asked: AskedPlace,
    plan: catalogue.CataloguePlan,
    point: RestorePoint,
    path: bytes,
    *,
    is_file: bool,
) -> Lost:
    """Where else a path is; raises NotFound for one that no restore point has."""
    where = asked.tenant_id, plan.plan_id
    versions = await catalogue.list_versions(conn, *where, path, limit=1)
    if not versions:
        raise errors.NotFound("file or folder in any restore point")
    above = names.parent(path)
    while above and not await catalogue.find_entry(conn, *where, point.number, above):
        above = names.parent(above)
    await log.note(conn, asked.actor, acts.HistoryListed(plan.name, names.display(path)))
    last = versions[0]
    is_folder = last.entry.kind == "d"
    return Lost(path, is_file, is_folder, above, last.last_point, last.last_seen_at)


async def _find_clean(
    conn: Connection, asked: AskedPlace, plan: catalogue.CataloguePlan, around: Around
) -> Clean | None:
    where = asked.tenant_id, plan.plan_id
    unusual = await store.runs.points.find_first_unusual(conn, *where, around.first.number)
    if unusual is None:
        return None
    before = await catalogue.find_around(conn, *where, unusual.number)
    return Clean(unusual, before.previous if before else None)


async def _read_span(
    conn: Connection,
    asked: AskedPlace,
    plan: catalogue.CataloguePlan,
    since: datetime,
    until: datetime,
) -> PointSpan:
    where = asked.tenant_id, plan.plan_id
    return PointSpan(
        since,
        until,
        await catalogue.list_between(conn, *where, since, until),
        await store.runs.points.list_between(conn, *where, since, until),
    )
