"""What a client has: plans, runs, and the entries of a restore point."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from libs.shared.catalogue import join_path
from services.portal.actions import runs
from services.portal.api.access import Client, ResourcesOf
from services.portal.api.places import KINDS, Between, find_between
from services.portal.rules.files import names
from services.portal.store.runs.changes import SHOWN as CHANGES_SHOWN
from services.portal.store.runs.dropped import Dropped
from services.portal.store.runs.shown import Plan, Run

router = APIRouter(tags=["plans"])


@router.get("/plans")
async def list_plans(actor: Client, resources: ResourcesOf) -> dict[str, Any]:
    """A client's plans with their last finished runs, and when what is stored was verified."""
    found = await runs.look_over(resources.pool, actor, 2)
    return {
        "plans": [_plan(found, plan) for plan in found.plans],
        "verified_since": found.verified.since,
        "damaged_at": found.verified.damaged_at,
    }


def _plan(found: runs.Overview, plan: Plan) -> dict[str, Any]:
    finished = next((run for run in found.runs[plan.plan_id] if run.outcome), None)
    return {
        "plan_id": plan.plan_id,
        "name": plan.name,
        "agent": plan.hostname,
        "agent_id": plan.agent_id,
        "folders": plan.folders,
        "schedule": plan.schedule,
        "timezone": plan.timezone,
        "reports": plan.reports,
        "last_restore_point": plan.last_restore_point,
        "last_run": _run(finished) if finished else None,
        "last_good_at": found.last_good.get(plan.plan_id),
        "late_since": found.late.get(plan.plan_id),
        "next_due_at": found.next_due[plan.plan_id],
        "days": found.strips[plan.plan_id],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "number": run.number,
        "run_id": run.run_id,
        "outcome": run.outcome,
        "reason": run.reason,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "restore_point": run.restore_point,
        "files_total": run.files_total,
        "files_new": run.files_new,
        "files_changed": run.files_changed,
        "files_removed": run.files_removed,
        "files_not_copied": run.files_not_copied,
        "bytes_protected": run.bytes_protected,
        "bytes_sent": run.bytes_sent,
        "stored_bytes": run.stored_bytes,
        "unusual": run.verdicts,
        "cleared_at": run.cleared_at if run.verdicts else None,
        "figures": run.figures,
    }


@router.get("/plans/{plan}/runs")
async def list_runs(
    plan: str,
    actor: Client,
    resources: ResourcesOf,
    before: Annotated[int, Query(ge=0, lt=2**31)] = 2**31 - 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """A plan's runs, newest first; `before` goes on where a list ended."""
    found = await runs.list_runs(resources.pool, actor, plan, before=before, limit=limit)
    return {
        "runs": [_run(run) for run in found.runs],
        "dropped": [show_dropped(one) for one in found.dropped],
    }


@router.get("/plans/{plan}/changes")
async def list_changes(
    plan: str,
    actor: Client,
    resources: ResourcesOf,
    between: Annotated[Between, Depends(find_between)],
) -> dict[str, Any]:
    """What two restore points have otherwise in a folder, by name; `next` is the next `after`."""
    found = await runs.compare(
        resources.pool, actor, plan, between.older, between.newer, between.path, between.after
    )
    shown = found.changes[:CHANGES_SHOWN]
    return {
        "older": {"run": found.older.number, "committed_at": found.older.committed_at},
        "newer": {"run": found.newer.number, "committed_at": found.newer.committed_at},
        "path": names.quoted(found.path),
        "changes": [
            {
                "name": names.display(one.name),
                "path": names.quoted(join_path(found.path, one.name)),
                "kind": KINDS[one.kind],
                "what": one.what,
                "size_before": one.size_before,
                "size_after": one.size_after,
            }
            for one in shown
        ],
        "next": names.quoted(shown[-1].name) if len(found.changes) > CHANGES_SHOWN else None,
    }


def show_dropped(dropped: Dropped) -> dict[str, Any]:
    """A folder that restore points come without, as JSON."""
    return {
        "path": names.display(dropped.folder),
        "folder": names.quoted(dropped.folder),
        "through_run": dropped.through_run,
        "by": dropped.ordered_by,
        "ordered_at": dropped.ordered_at,
        "state": dropped.state,
        "undo_until": dropped.undo_until,
    }
