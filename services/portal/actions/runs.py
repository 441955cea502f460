"""A client's plans and runs, as somebody of the client sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from libs.shared import catalogue, clock, errors, outbox
from libs.shared.database import Connection, Pool, tenant_transaction
from libs.shared.events import ExpiryDecided
from libs.shared.words.tongue import find_zone
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import subscription
from services.portal.rules import runs
from services.portal.rules.files import names
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.runs import Mood, RunDay
from services.portal.store.clients import Tenant
from services.portal.store.incidents import HelpRequest
from services.portal.store.runs.changes import Change
from services.portal.store.runs.dropped import Dropped
from services.portal.store.runs.shown import (
    ClientVolume,
    NamedPlan,
    Plan,
    Run,
    SentReport,
    Verified,
)


@dataclass(frozen=True)
class Overview:
    """All plans with the newest runs of each, what they take, and when it was verified.

    late: of each plan whose run was due and never came, since when. unreached: who did not get
    the report of a plan's last run. last_good: when each was last copied; next_due: when it is
    due next; strips: its last days.
    """

    tenant: Tenant
    plans: list[Plan]
    runs: dict[UUID, list[Run]]
    late: dict[UUID, datetime]
    unreached: list[str]
    volume: ClientVolume
    verified: Verified
    strips: dict[UUID, list[RunDay]]
    last_good: dict[UUID, datetime]
    next_due: dict[UUID, datetime | None]

    def find_last(self, plan: Plan) -> Run | None:
        """A plan's last run that finished."""
        return next((run for run in self.runs[plan.plan_id] if run.outcome), None)

    def judge(self, plan: Plan) -> Mood:
        """How a plan stands by its last finished run, and whether another was due since."""
        last = self.find_last(plan)
        return runs.judge_plan(
            last.outcome if last else None,
            is_late=plan.plan_id in self.late,
            is_unusual=bool(last and last.verdicts and not last.cleared_at),
        )

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is backed up any more, however the last runs ended."""
        return self.tenant.subscription not in {"active", "ending"}

    @property
    def mood(self) -> Mood:
        """The worst of all plans that are still backed up."""
        return runs.find_worst(self.judge(plan) for plan in self.plans if not plan.withdrawn_at)


@dataclass(frozen=True)
class Runs:
    """Some of a plan's runs, newest first, and the folders that restore points come without.

    strip, last_good, next_due: as of an Overview.
    """

    tenant: Tenant
    plan: Plan
    runs: list[Run]
    dropped: list[Dropped]
    strip: list[RunDay]
    last_good: datetime | None
    next_due: datetime | None


@dataclass(frozen=True)
class Comparison:
    """What two restore points have otherwise in a folder."""

    tenant: Tenant
    plan: catalogue.CataloguePlan
    older: catalogue.RestorePoint
    newer: catalogue.RestorePoint
    path: bytes
    changes: list[Change]


@dataclass(frozen=True)
class Report:
    """One run, and to whom its report went.

    good: the last run before it that left a restore point, None without. older, newer: the
    numbers of the runs beside it.
    """

    tenant: Tenant
    plan: catalogue.CataloguePlan
    run: Run
    reports: list[SentReport]
    help_asked: list[HelpRequest]
    good: Run | None
    older: int | None
    newer: int | None


async def look_over(pool: Pool, actor: Actor, each: int) -> Overview:
    """A client's plans with `each` runs, at most, of every one."""
    async with tenant_transaction(pool, actor.tenant_id) as conn:
        overview = await gather(conn, actor.tenant_id, each)
        await log.note(conn, actor, acts.PlansListed())
    return overview


async def gather(conn: Connection, tenant_id: UUID, each: int) -> Overview:
    """The same, within a transaction of the tenant; whoever asks notes for whom."""
    now = clock.now()
    tenant = await _find_tenant(conn, tenant_id)
    plans = await store.runs.shown.list_plans(conn, tenant_id)
    plan_ids = [plan.plan_id for plan in plans]
    latest = await store.runs.shown.list_latest_runs(conn, tenant_id, plan_ids, each)
    last = [
        next((run.run_id for run in of_plan if run.outcome), None) for of_plan in latest.values()
    ]
    return Overview(
        tenant,
        plans,
        latest,
        await store.incidents.list_late(conn, tenant_id),
        await store.runs.shown.list_unreached(conn, tenant_id, [one for one in last if one]),
        await store.runs.shown.find_volume(conn, tenant_id),
        await store.runs.shown.find_verified(conn, tenant_id),
        await _lay_strips(conn, tenant, plans, now),
        await store.runs.strips.list_last_good(conn, tenant_id, plan_ids),
        {plan.plan_id: runs.find_next(plan.schedule, plan.timezone, now) for plan in plans},
    )


async def _lay_strips(
    conn: Connection, tenant: Tenant, plans: list[Plan], now: datetime
) -> dict[UUID, list[RunDay]]:
    zone = find_zone(tenant.timezone)
    today = now.astimezone(zone).date()
    first = datetime.combine(today - timedelta(days=runs.STRIP_DAYS - 1), time(), zone)
    ran = await store.runs.strips.list_days(conn, tenant.tenant_id, first, zone.key)
    missed = await store.runs.strips.list_missed(conn, tenant.tenant_id, first)
    return {
        plan.plan_id: runs.lay_strip(
            today,
            ran.get(plan.plan_id, ()),
            runs.find_missed_days(plan.schedule, plan.timezone, missed.get(plan.plan_id, ()), zone),
        )
        for plan in plans
    }


async def list_runs(pool: Pool, actor: Actor, reference: str, *, before: int, limit: int) -> Runs:
    """A plan's runs with a number under `before`; raises NotFound, PlanAmbiguous."""
    tenant_id = actor.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        found = await find_plan(conn, tenant_id, reference)
        tenant, now = await _find_tenant(conn, tenant_id), clock.now()
        plans = await store.runs.shown.list_plans(conn, tenant_id)
        plan = next(plan for plan in plans if plan.plan_id == found.plan_id)
        strips = await _lay_strips(conn, tenant, [plan], now)
        good = await store.runs.strips.list_last_good(conn, tenant_id, [plan.plan_id])
        listed = Runs(
            tenant,
            plan,
            await store.runs.shown.list_runs(
                conn, tenant_id, found.plan_id, before=before, limit=limit
            ),
            await store.runs.dropped.list_dropped(conn, tenant_id, found.plan_id),
            strips[plan.plan_id],
            good.get(plan.plan_id),
            runs.find_next(plan.schedule, plan.timezone, now),
        )
        await log.note(conn, actor, acts.RunsListed(listed.plan.name))
    return listed


async def find_report(pool: Pool, actor: Actor, reference: str, number: int) -> Report:
    """One run of a plan; raises NotFound, PlanAmbiguous."""
    tenant_id = actor.tenant_id
    if not 0 <= number < 2**31:
        raise errors.NotFound("run")
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await find_plan(conn, tenant_id, reference)
        run = await store.runs.shown.find_run(conn, tenant_id, plan.plan_id, number)
        if run is None:
            raise errors.NotFound("run")
        tenant = await _find_tenant(conn, tenant_id)
        reports = await store.runs.shown.list_reports(conn, tenant_id, run.run_id)
        help_asked = await store.incidents.list_help(conn, tenant_id, run.run_id)
        good = await store.runs.shown.find_good(conn, tenant_id, plan.plan_id, number)
        beside = await store.runs.shown.find_beside(conn, tenant_id, plan.plan_id, number)
        await log.note(conn, actor, acts.RunViewed(plan.name, number))
    return Report(tenant, plan, run, reports, help_asked, good, *beside)


async def compare(
    pool: Pool, actor: Actor, reference: str, older: int, newer: int, path: bytes, after: bytes
) -> Comparison:
    """What two restore points of a plan have otherwise in a folder, by name, after one of them.

    Raises NotFound, PlanAmbiguous, and what keeps a client from its files.
    """
    tenant_id = actor.tenant_id
    if not 0 < older < newer < 2**31:
        raise errors.InvalidRequest("older comes before newer; both are numbers of runs.")
    async with tenant_transaction(pool, tenant_id) as conn:
        tenant = await subscription.check_recovery(conn, tenant_id)
        plan = await find_plan(conn, tenant_id, reference)
        points = [
            await catalogue.resolve_run(conn, tenant_id, plan.plan_id, number)
            for number in (older, newer)
        ]
        folder = await catalogue.find_folder(conn, tenant_id, plan.plan_id, path)
        if points[0] is None or points[1] is None or folder is None:
            raise errors.NotFound("folder")
        changes = await store.runs.changes.list_changes(
            conn, tenant_id, plan.plan_id, folder, (older, newer), after
        )
        await log.note(
            conn, actor, acts.PointsCompared(plan.name, older, newer, names.display(path))
        )
    return Comparison(tenant, plan, points[0], points[1], path, changes)


async def clear_holds(
    pool: Pool, operator: Actor, tenant_id: UUID, reference: str, reason: str
) -> UUID:
    """Tells retention that what holds a plan was meant: its versions expire again.

    Raises NotFound where nothing holds it, PlanAmbiguous."""
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await find_plan(conn, tenant_id, reference)
        held = await store.runs.holds.list_of_tenant(conn, tenant_id)
        if not any(one.plan_id == plan.plan_id for one in held):
            raise errors.NotFound("hold")
        decided = ExpiryDecided(
            tenant_id=tenant_id,
            decision_id=uuid4(),
            plan_id=plan.plan_id,
            reason=reason,
            by=operator.name,
            decided_at=clock.now(),
        )
        await outbox.add(conn, decided)
        await log.note(conn, operator, acts.HoldsCleared(plan.name, reason), tenant_id)
    return decided.decision_id


async def _find_tenant(conn: Connection, tenant_id: UUID) -> Tenant:
    tenant = await store.clients.find(conn, tenant_id)
    if tenant is None:
        raise errors.NotFound("client")
    return tenant


class PlanAmbiguous(errors.Refusal):
    """Several machines have a plan of that name."""

    code = "plan-ambiguous"
    status = 409
    title = "Several plans have this name"

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


async def find_plan(conn: Connection, tenant_id: UUID, reference: str) -> catalogue.CataloguePlan:
    """A tenant's plan by id or name; raises NotFound, PlanAmbiguous."""
    try:
        plan_id = UUID(reference)
    except ValueError:
        named = await store.runs.shown.find_plans_by_name(
            conn, tenant_id, reference.replace("\0", "\ufffd")
        )
        if not named:
            raise errors.NotFound("plan") from None
        # A machine that was withdrawn and joined again has its plan twice.
        named = [plan for plan in named if not plan.is_withdrawn] or named
        if len(named) > 1:
            raise PlanAmbiguous(reference, named) from None
        plan_id = named[0].plan_id
    plan = await catalogue.find_plan(conn, tenant_id, plan_id)
    if plan is None:
        raise errors.NotFound("plan")
    return plan
