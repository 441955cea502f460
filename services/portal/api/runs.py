"""What a client has: plans, runs, and the entries of a restore point."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from libs.shared.catalogue import join_path
from libs.shared.events import DumpResult, JudgedFigure, MovedBytes, Outcome
from libs.shared.reasons import Reason
from services.portal.actions import looks, runs
from services.portal.actions.runs import Report
from services.portal.api.access import Client, Operator, OperatorFirst, ResourcesOf
from services.portal.api.places import KINDS, Between, find_between
from services.portal.rules.files import names
from services.portal.rules.looks import hide_paths
from services.portal.rules.reductions import State
from services.portal.rules.runs import Mood, RunDay
from services.portal.store.incidents import HelpRequest
from services.portal.store.runs.changes import SHOWN as CHANGES_SHOWN
from services.portal.store.runs.dropped import Dropped
from services.portal.store.runs.shown import Plan, Run, SentReport

router = APIRouter(tags=["plans"])
operators = APIRouter(tags=["plans"], route_class=OperatorFirst)


class RunShown(BaseModel):
    """A run; outcome and finished_at are null while it is under way.

    figures: what it brought, beside what is usual.
    """

    number: int
    run_id: UUID
    outcome: Outcome | None
    reason: Reason | None
    started_at: datetime
    finished_at: datetime | None
    restore_point: bool
    files_total: int
    files_new: int
    files_changed: int
    files_removed: int
    files_not_copied: int
    bytes_protected: int
    bytes_sent: int
    bytes_read: int | None
    stored_bytes: int
    unusual: list[Reason]
    cleared_at: datetime | None
    figures: list[JudgedFigure]
    moved: list[MovedBytes]


PlanState = Mood | Literal["stopped"]
"""How a plan stands; stopped: its client's subscription is suspended or has ended."""


class PlanShown(BaseModel):
    """A plan, how it stands, how its last run ended, and how each of its last days went."""

    plan_id: UUID
    name: str
    state: PlanState
    agent: str
    agent_id: UUID
    folders: list[str]
    schedule: str
    timezone: str
    reports: bool
    last_restore_point: int | None
    last_run: RunShown | None
    last_good_at: datetime | None
    late_since: datetime | None
    next_due_at: datetime | None
    days: list[RunDay]


class PlanList(BaseModel):
    """Every plan; state: the worst of those that are still backed up.

    verified_since: all that is stored was read again since then.
    """

    state: PlanState
    plans: list[PlanShown]
    verified_since: datetime | None
    damaged_at: datetime | None


class DroppedShown(BaseModel):
    """A folder that restore points up to a run come without."""

    path: str
    folder: str
    through_run: int
    by: str
    ordered_at: datetime
    state: State
    undo_until: datetime | None


class RunList(BaseModel):
    """Runs, the newest first, and what their restore points come without."""

    runs: list[RunShown]
    dropped: list[DroppedShown]


class RunsOfClient(BaseModel):
    """Runs of a client, the newest first."""

    runs: list[RunShown]


class NotCopiedShown(BaseModel):
    """What a run could not back up; path: null where its reader may not see names."""

    path: str | None
    is_folder: bool
    reason: Reason


class RunReport(BaseModel):
    """A run with all that its page tells.

    good: the number of the last run before it that left a restore point. older, newer: the
    numbers of the runs beside it. names: whether paths stand in it, and mails as they were sent.
    """

    run: RunShown
    warnings: list[Reason]
    not_copied: list[NotCopiedShown]
    dumps: list[DumpResult]
    reports: list[SentReport]
    help_asked: list[HelpRequest]
    good: int | None
    older: int | None
    newer: int | None
    names: bool


class PointOfRun(BaseModel):
    """A restore point by its run."""

    run: int
    committed_at: datetime


class ChangeShown(BaseModel):
    """What became of a name of a folder; `within`: something below it."""

    name: str
    path: str
    kind: str
    what: Literal["added", "changed", "removed", "within"]
    size_before: int | None
    size_after: int | None


class ChangeList(BaseModel):
    """What two restore points have otherwise in a folder."""

    older: PointOfRun
    newer: PointOfRun
    path: str
    changes: list[ChangeShown]
    next: str | None


@router.get("/plans")
async def list_plans(actor: Client, resources: ResourcesOf) -> PlanList:
    """A client's plans with their last finished runs, and when what is stored was verified."""
    found = await runs.look_over(resources.pool, actor, 2)
    return PlanList(
        state="stopped" if found.is_stopped else found.mood,
        plans=[_plan(found, plan) for plan in found.plans],
        verified_since=found.verified.since,
        damaged_at=found.verified.damaged_at,
    )


def _plan(found: runs.Overview, plan: Plan) -> PlanShown:
    finished = found.find_last(plan)
    return PlanShown(
        plan_id=plan.plan_id,
        name=plan.name,
        state="stopped" if found.is_stopped else found.judge(plan),
        agent=plan.hostname,
        agent_id=plan.agent_id,
        folders=plan.folders,
        schedule=plan.schedule,
        timezone=plan.timezone,
        reports=plan.reports,
        last_restore_point=plan.last_restore_point,
        last_run=_run(finished) if finished else None,
        last_good_at=found.last_good.get(plan.plan_id),
        late_since=found.late.get(plan.plan_id),
        next_due_at=None if found.is_stopped else found.next_due[plan.plan_id],
        days=found.strips[plan.plan_id],
    )


def _run(run: Run) -> RunShown:
    return RunShown(
        number=run.number,
        run_id=run.run_id,
        outcome=run.outcome,
        reason=run.reason,
        started_at=run.started_at,
        finished_at=run.finished_at,
        restore_point=run.restore_point,
        files_total=run.files_total,
        files_new=run.files_new,
        files_changed=run.files_changed,
        files_removed=run.files_removed,
        files_not_copied=run.files_not_copied,
        bytes_protected=run.bytes_protected,
        bytes_sent=run.bytes_sent,
        bytes_read=run.bytes_read,
        stored_bytes=run.stored_bytes,
        unusual=run.verdicts,
        cleared_at=run.cleared_at if run.verdicts else None,
        figures=run.figures,
        moved=run.moved,
    )


@router.get("/plans/{plan}/runs")
async def list_runs(
    plan: str,
    actor: Client,
    resources: ResourcesOf,
    before: Annotated[int, Query(ge=0, lt=2**31)] = 2**31 - 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> RunList:
    """A plan's runs, newest first; `before` goes on where a list ended."""
    found = await runs.list_runs(resources.pool, actor, plan, before=before, limit=limit)
    return RunList(
        runs=[_run(run) for run in found.runs], dropped=[show_dropped(one) for one in found.dropped]
    )


@operators.get("/tenants/{tenant_id}/plans/{plan}/runs")
async def list_runs_of_client(
    tenant_id: UUID,
    plan: str,
    operator: Operator,
    resources: ResourcesOf,
    before: Annotated[int, Query(ge=0, lt=2**31)] = 2**31 - 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> RunsOfClient:
    """The runs of a client's plan, newest first; what was dropped is told under `reductions`."""
    actor = operator.within(tenant_id)
    found = await runs.list_runs(resources.pool, actor, plan, before=before, limit=limit)
    return RunsOfClient(runs=[_run(run) for run in found.runs])


@router.get("/plans/{plan}/runs/{number}")
async def show_run(plan: str, number: int, actor: Client, resources: ResourcesOf) -> RunReport:
    """A run with its report: what was not backed up and why, who was sent which mail, who asked."""
    return _report(await runs.find_report(resources.pool, actor, plan, number), named=True)


@operators.get("/tenants/{tenant_id}/plans/{plan}/runs/{number}")
async def show_run_of_client(
    tenant_id: UUID, plan: str, number: int, operator: Operator, resources: ResourcesOf
) -> RunReport:
    """The same of a client; without paths and mails where those take a second operator."""
    actor = operator.within(tenant_id)
    found = await runs.find_report(resources.pool, actor, plan, number)
    return _report(found, named=await looks.shows_names(resources, actor, tenant_id))


def _report(found: Report, *, named: bool) -> RunReport:
    run = found.run
    return RunReport(
        run=_run(run),
        warnings=run.warnings,
        not_copied=[
            NotCopiedShown(
                path=one.path if named else None,
                is_folder=one.is_folder,
                reason=one.reason if named else one.reason.without_details(),
            )
            for one in run.not_copied
        ],
        dumps=run.dumps if named else hide_paths(run.dumps),
        reports=[one if named else replace(one, subject="", body="") for one in found.reports],
        help_asked=found.help_asked,
        good=found.good.number if found.good else None,
        older=found.older,
        newer=found.newer,
        names=named,
    )


@router.get("/plans/{plan}/changes")
async def list_changes(
    plan: str,
    actor: Client,
    resources: ResourcesOf,
    between: Annotated[Between, Depends(find_between)],
) -> ChangeList:
    """What two restore points have otherwise in a folder, by name; `next` is the next `after`."""
    found = await runs.compare(
        resources.pool, actor, plan, between.older, between.newer, between.path, between.after
    )
    shown = found.changes[:CHANGES_SHOWN]
    return ChangeList(
        older=PointOfRun(run=found.older.number, committed_at=found.older.committed_at),
        newer=PointOfRun(run=found.newer.number, committed_at=found.newer.committed_at),
        path=names.quoted(found.path),
        changes=[
            ChangeShown(
                name=names.display(one.name),
                path=names.quoted(join_path(found.path, one.name)),
                kind=KINDS[one.kind],
                what=one.what,
                size_before=one.size_before,
                size_after=one.size_after,
            )
            for one in shown
        ],
        next=names.quoted(shown[-1].name) if len(found.changes) > CHANGES_SHOWN else None,
    )


def show_dropped(dropped: Dropped) -> DroppedShown:
    """A folder that restore points come without, as JSON."""
    return DroppedShown(
        path=names.display(dropped.folder),
        folder=names.quoted(dropped.folder),
        through_run=dropped.through_run,
        by=dropped.ordered_by,
        ordered_at=dropped.ordered_at,
        state=dropped.state,
        undo_until=dropped.undo_until,
    )
