"""How runs end badly, and how every end is said; the good one is in `commits`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from prometheus_client import Counter

from libs.shared import clock, database, logs, outbox, reasons, timekeeping
from libs.shared.catalogue import volumes
from libs.shared.database import Connection
from libs.shared.events import Counted, Outcome, RunFinished
from libs.shared.reasons import Reason
from services.ingest import rules, store
from services.ingest.actions.resources import Resources
from services.ingest.actions.runs.holding import find_run, hold_plan
from services.ingest.actions.usage import tell

_ENDED = Counter("coffre_runs_ended", "Runs that ended", ["outcome"])
for _outcome in get_args(Outcome):
    _ENDED.labels(_outcome)


async def abort_run(
    resources: Resources, agent: rules.agents.Agent, run_id: UUID, abort: rules.reported.Abort
) -> dict[str, Any]:
    """Ends a run as failed; again is fine, after a commit it is not."""
    ending = abort.shortened()
    run = await find_run(resources, agent, run_id)
    async with hold_plan(resources, agent, run.plan_id) as (conn, plan):
        now = clock.now()
        ending = await tell(conn, agent.tenant_id, ending, now)
        await fail_run(conn, run, plan, ending.reason or Reason("failed"), ending, now)
        ended = await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id)
        assert ended is not None
    if ended.state != "failed":
        raise rules.refusals.RunClosed(ended.state, ended.reason)
    return {
        "outcome": "failed",
        "number": ended.number,
        "reason": reasons.write(ended.reason),
    }


async def fail_run(
    conn: Connection,
    run: rules.runs.Run,
    plan: store.plans.Plan,
    reason: Reason,
    ending: rules.reported.Ending,
    now: datetime,
    *,
    if_lease_before: datetime | None = None,
) -> bool:
    """Closes an open run as failed and says so; False if it was closed already."""
    closed = await store.runs.finish(
        conn,
        run.tenant_id,
        run.run_id,
        state="failed",
        outcome="failed",
        reason=reason,
        answer=None,
        now=now,
        if_lease_before=if_lease_before,
    )
    if closed:
        run = replace(run, state="failed", reason=reason)
        volume = await volumes.read(conn, run.tenant_id)
        await say_finished(conn, run, plan, "failed", ending, volume.stored_bytes, now)
        logs.get().warning("run.failed", run_id=str(run.run_id), why=reason.code)
    return closed


async def say_finished(
    conn: Connection,
    run: rules.runs.Run,
    plan: store.plans.Plan,
    outcome: Outcome,
    ending: rules.reported.Ending,
    stored_bytes: int,
    now: datetime,
    counted: Counted | None = None,
) -> None:
    """Says the whole summary of a run that ended; counted: what its restore point came to.

    It is counted here, within the transaction: one that is rolled back is counted once too often.
    """
    summary = RunFinished(
        tenant_id=run.tenant_id,
        run_id=run.run_id,
        plan_id=run.plan_id,
        plan_name=plan.name,
        agent_id=run.agent_id,
        hostname=plan.hostname,
        number=run.number,
        outcome=outcome,
        reason=run.reason,
        started_at=run.started_at,
        finished_at=now,
        **ending.counters.model_dump(),
        stored_bytes=stored_bytes,
        restore_point=run.state == "committed",
        counted=counted,
        not_copied=ending.not_copied,
        dumps=ending.dumps,
        warnings=ending.warnings,
        log_tail=ending.log_tail,
    )
    await outbox.add(conn, summary)
    _ENDED.labels(outcome).inc()


async def fail_runs_of(conn: Connection, tenant_id: UUID, agent_id: UUID) -> None:
    """Ends the open runs of an agent whose token was withdrawn."""
    for run in await store.runs.list_open_of(conn, tenant_id, agent_id):
        plan = await store.plans.lock(conn, tenant_id, agent_id, run.plan_id)
        assert plan is not None
        await fail_run(
            conn, run, plan, Reason("agent-revoked"), rules.reported.Ending(), clock.now()
        )


async def fail_abandoned(resources: Resources, limit: int = 100) -> int:
    """Ends open runs that gave no sign of life past their lease; returns how many."""
    now = clock.now()
    async with database.acquire(resources.pool) as conn:
        abandoned = await store.runs.list_abandoned(conn, now, limit)
    if abandoned:
        now = await timekeeping.check_time(resources.pool)
    closed = 0
    for run in abandoned:
        async with database.transaction(resources.pool) as conn:
            plan = await store.plans.lock(conn, run.tenant_id, run.agent_id, run.plan_id)
            assert plan is not None
            closed += await fail_run(
                conn,
                run,
                plan,
                Reason("abandoned", limit=round(resources.lease.total_seconds())),
                rules.reported.Ending(),
                now,
                if_lease_before=now,
            )
    return closed
