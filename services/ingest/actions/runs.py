"""Runs from their start to a bad end; the good end is in `commits`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from libs.shared import clock, database, logs, outbox, reasons
from libs.shared.catalogue import volumes
from libs.shared.database import Connection
from libs.shared.errors import NotFound, Refusal
from libs.shared.events import Outcome, RunFinished, RunStarted
from libs.shared.reasons import Reason
from services.ingest import rules, store
from services.ingest.actions.resources import Resources

_SECOND = timedelta(seconds=1)
_WANTED_CHUNKS = 4_096


@dataclass(frozen=True, slots=True)
class Started:
    """What an agent is told of its new run."""

    run_id: UUID
    number: int
    parent: int | None
    parent_run_id: UUID | None
    lease_seconds: int
    chunk_key_id: str
    growth_left_bytes: int | None
    wanted_chunks: list[str]


async def start_run(
    resources: Resources,
    agent: rules.agents.Agent,
    plan_id: UUID,
    run_key: UUID,
    estimated_new_bytes: int,
) -> Started:
    """Opens a run of a plan; the same key again gives the same run.

    A run that may not start is written down as failed and reported, then refused; so is an open
    one that is started again with an estimate that does not fit any more.
    """
    keys = await resources.keys.get(agent.tenant_id)
    now = clock.now()
    async with database.transaction(resources.pool) as conn:
        plan = await store.plans.lock(conn, agent.tenant_id, agent.agent_id, plan_id)
        if plan is None:
            raise NotFound("plan")
        run = await store.runs.find_by_key(conn, agent.tenant_id, agent.agent_id, run_key)
        if run is None:
            run, refusal = await _open(
                resources, conn, agent, plan, run_key, estimated_new_bytes, now
            )
        else:
            refusal = await _refuse_again(conn, agent, plan, run, estimated_new_bytes, now)
        volume = await volumes.read(conn, agent.tenant_id)
        last_run, last_run_id = await store.plans.find_last_run(conn, agent.tenant_id, plan_id)
        wanted = await store.intake.packs.list_damaged_chunks(
            conn, agent.tenant_id, run.run_id.bytes, _WANTED_CHUNKS
        )
    if refusal is not None:
        raise refusal
    logs.get().info("run.started", tenant_id=str(agent.tenant_id), run_id=str(run.run_id))
    return Started(
        run.run_id,
        run.number,
        run.parent,
        last_run_id if last_run == run.parent else None,
        int(resources.lease.total_seconds()),
        hashlib.sha256(b"coffre/chunk-key-id/v1" + keys.chunk_key).hexdigest()[:16],
        rules.agents.growth_left(agent.ceiling_bytes, volume.stored_bytes),
        [chunk_id.hex() for chunk_id in wanted],
    )


async def _open(
    resources: Resources,
    conn: Connection,
    agent: rules.agents.Agent,
    plan: store.plans.Plan,
    run_key: UUID,
    estimated_new_bytes: int,
    now: datetime,
) -> tuple[rules.runs.Run, Refusal | None]:
    """Closes what the agent left open, then opens the run or writes its refusal down."""
    left = await store.runs.find_open(conn, agent.tenant_id, plan.plan_id)
    if left is not None:
        await fail_run(conn, left, plan, Reason("overtaken"), rules.reported.Ending(), now)
    volume = await volumes.read(conn, agent.tenant_id)
    run = rules.runs.Run(
        run_id=uuid4(),
        tenant_id=agent.tenant_id,
        plan_id=plan.plan_id,
        agent_id=agent.agent_id,
        number=await store.plans.next_number(conn, agent.tenant_id, plan.plan_id),
        parent=plan.last_run,
        state="open",
        started_at=now,
        outcome=None,
        reason=None,
        answer=None,
    )
    refusal: Refusal | None = None
    try:
        rules.agents.check_admission(agent, volume.stored_bytes, estimated_new_bytes)
    except rules.refusals.RunRefused as refused:
        refusal = refused
        run = replace(run, state="failed", outcome="failed", reason=refused.reason)
    await store.runs.add(conn, agent.tenant_id, run, run_key, now + resources.lease)
    if refusal is None:
        await outbox.add(
            conn,
            RunStarted(
                tenant_id=run.tenant_id,
                run_id=run.run_id,
                plan_id=run.plan_id,
                number=run.number,
                started_at=now,
            ),
        )
    else:
        await outbox.add(
            conn, finished(run, plan, "failed", rules.reported.Ending(), volume.stored_bytes, now)
        )
        logs.get().warning("run.refused", run_id=str(run.run_id), why=refusal.code)
    return run, refusal


async def _refuse_again(
    conn: Connection,
    agent: rules.agents.Agent,
    plan: store.plans.Plan,
    run: rules.runs.Run,
    estimated_new_bytes: int,
    now: datetime,
) -> Refusal | None:
    """What a repeated start is told: nothing where its run is open and may still grow so much."""
    volume = await volumes.read(conn, agent.tenant_id)
    try:
        rules.agents.check_admission(agent, volume.stored_bytes, estimated_new_bytes)
    except rules.refusals.RunRefused as refused:
        await fail_run(conn, run, plan, refused.reason, rules.reported.Ending(), now)
        return refused
    if run.state == "open":
        return None
    return rules.refusals.RunClosed(run.state, run.reason)


async def use_run(
    resources: Resources, conn: Connection, agent: rules.agents.Agent, run_id: UUID
) -> rules.runs.Run:
    """Returns an agent's open run after renewing its lease.

    Raises NotFound, RunClosed, or the refusal of a subscription that ended meanwhile.
    """
    rules.agents.check_subscription(agent.subscription, agent.subscription_reason)
    until = clock.now() + resources.lease
    spared = min(resources.lease / 10, 10 * _SECOND)
    run = await store.runs.use(conn, agent.tenant_id, agent.agent_id, run_id, until, until - spared)
    if run is None:
        raise NotFound("run")
    if run.state != "open":
        raise rules.refusals.RunClosed(run.state, run.reason)
    return run


async def abort_run(
    resources: Resources, agent: rules.agents.Agent, run_id: UUID, abort: rules.reported.Abort
) -> dict[str, Any]:
    """Ends a run as failed; again is fine, after a commit it is not."""
    ending = abort.shortened()
    now = clock.now()
    async with database.transaction(resources.pool) as conn:
        run = await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id)
        if run is None:
            raise NotFound("run")
        plan = await store.plans.lock(conn, agent.tenant_id, agent.agent_id, run.plan_id)
        assert plan is not None
        await fail_run(conn, run, plan, ending.reason or Reason("failed"), ending, now)
        run = await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id)
        assert run is not None
    if run.state != "failed":
        raise rules.refusals.RunClosed(run.state, run.reason)
    return {
        "outcome": "failed",
        "number": run.number,
        "reason": reasons.write(run.reason),
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
        await outbox.add(conn, finished(run, plan, "failed", ending, volume.stored_bytes, now))
        logs.get().warning("run.failed", run_id=str(run.run_id), why=reason.code)
    return closed


def finished(
    run: rules.runs.Run,
    plan: store.plans.Plan,
    outcome: Outcome,
    ending: rules.reported.Ending,
    stored_bytes: int,
    now: datetime,
) -> RunFinished:
    """The whole summary of a run that ended."""
    return RunFinished(
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
        not_copied=ending.not_copied,
        dumps=ending.dumps,
        warnings=ending.warnings,
        log_tail=ending.log_tail,
    )


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
