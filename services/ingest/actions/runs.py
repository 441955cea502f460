"""Runs from their start to a bad end; the good end is in `commits`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import UUID, uuid4

from prometheus_client import Counter

from libs.shared import clock, database, logs, outbox, protocol, reasons, timekeeping
from libs.shared.catalogue import volumes
from libs.shared.database import Connection
from libs.shared.errors import Conflict, NotFound, Refusal, ShareUsed
from libs.shared.events import Counted, Outcome, RunFinished, RunStarted
from libs.shared.reasons import Reason
from services.ingest import rules, store
from services.ingest.actions.agents import check_again
from services.ingest.actions.resources import LINE_SECONDS, Resources
from services.ingest.actions.usage import tell, use
from services.ingest.rules.notices import Maintenance

_ENDED = Counter("coffre_runs_ended", "Runs that ended", ["outcome"])
for _outcome in get_args(Outcome):
    _ENDED.labels(_outcome)

_SECOND = timedelta(seconds=1)
_WANTED_CHUNKS = 4_096
_LOOK_SECONDS = 0.1
_BUSY_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Started:
    """What an agent is told of its new run.

    chunk_key: that of its client, in hexadecimal, where the agent named another one; else None.
    list_anew: some of the newest restore point was dropped, and is to be sent again.
    maintenance: what was announced to the client and isn't over.
    """

    run_id: UUID
    number: int
    parent: int | None
    parent_run_id: UUID | None
    lease_seconds: int
    chunk_key_id: str
    chunk_key: str | None
    growth_left_bytes: int | None
    wanted_chunks: list[str]
    list_anew: bool
    maintenance: list[Maintenance]


async def start_run(
    resources: Resources,
    agent: rules.agents.Agent,
    plan_id: UUID,
    run_key: UUID,
    estimated_new_bytes: int,
    chunk_key_id: str | None,
) -> Started:
    """Opens a run of a plan; the same key again gives the same run.

    chunk_key_id: of the key that the agent has, None where it doesn't say.

    A run that may not start is written down as failed and reported, then refused; so is an open
    one that is started again with an estimate that does not fit any more.
    """
    keys = await resources.keys.get(agent.tenant_id)
    await resources.starts.wait(agent.tenant_id)
    await resources.plan_starts.wait((agent.agent_id, plan_id))
    async with hold_plan(resources, agent, plan_id) as (conn, plan):
        now = clock.now()
        run = await store.runs.find_by_key(conn, agent.tenant_id, agent.agent_id, run_key)
        if run is not None and run.plan_id != plan_id:
            raise Conflict("This run_key is that of another plan's run; choose a new one.")
        if run is None:
            await use(conn, agent.tenant_id, "runs", 1, now)
            run, refusal = await _open(
                resources, conn, agent, plan, run_key, estimated_new_bytes, now
            )
        else:
            refusal = await _refuse_again(conn, agent, plan, run, estimated_new_bytes, now)
        volume = await volumes.read(conn, agent.tenant_id)
        maintenance = await store.notices.list_coming(conn, agent.tenant_id, now)
        unsettled = await store.reductions.list_unsettled(conn, agent.tenant_id, plan_id)
        last_run, last_run_id = await store.plans.find_last_run(conn, agent.tenant_id, plan_id)
        wanted = await store.intake.packs.list_damaged_chunks(
            conn, agent.tenant_id, run.run_id.bytes, _WANTED_CHUNKS
        )
    if refusal is not None:
        raise refusal
    key_id = protocol.chunk_key_id(keys.chunk_key)
    logs.get().info("run.started", tenant_id=str(agent.tenant_id), run_id=str(run.run_id))
    return Started(
        run.run_id,
        run.number,
        run.parent,
        last_run_id if last_run == run.parent else None,
        int(resources.lease.total_seconds()),
        key_id,
        keys.chunk_key.hex() if chunk_key_id not in (None, key_id) else None,
        rules.agents.growth_left(agent.ceiling_bytes, volume.stored_bytes),
        [chunk_id.hex() for chunk_id in wanted],
        any(not one.is_withdrawn for one in unsettled),
        maintenance,
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
        await say_finished(
            conn, run, plan, "failed", rules.reported.Ending(), volume.stored_bytes, now
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


@asynccontextmanager
async def hold_plan(
    resources: Resources, agent: rules.agents.Agent, plan_id: UUID
) -> AsyncIterator[tuple[Connection, store.plans.Plan]]:
    """A transaction in which nobody else changes an agent's plan; raises NotFound.

    Whoever has to wait for the plan waits without a connection, which others need: in a line
    where this process holds it, by asking again where another one does.
    """
    async with resources.lines.hold(plan_id, 1, LINE_SECONDS):
        until = time.monotonic() + LINE_SECONDS
        while True:
            async with resources.transaction(agent.tenant_id) as conn:
                try:
                    plan = await store.plans.lock(
                        conn, agent.tenant_id, agent.agent_id, plan_id, wait=False
                    )
                except store.plans.PlanHeld:
                    pass
                else:
                    if plan is None:
                        raise NotFound("plan")
                    yield conn, plan
                    return
            if time.monotonic() > until:
                raise ShareUsed("plan", _BUSY_SECONDS)
            await asyncio.sleep(_LOOK_SECONDS)


async def find_run(resources: Resources, agent: rules.agents.Agent, run_id: UUID) -> rules.runs.Run:
    """An agent's run, in whatever state; raises NotFound."""
    async with resources.acquire(agent.tenant_id) as conn:
        run = await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id)
    if run is None:
        raise NotFound("run")
    return run


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


async def check_open(conn: Connection, agent: rules.agents.Agent, run_id: UUID) -> None:
    """Sees once more that an agent may send and its run is open, before that is acknowledged.

    It changes nothing, so that it waits for no lock. Raises as `use_run` does.
    """
    await check_again(conn, agent)
    run = await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id)
    if run is None:
        raise NotFound("run")
    if run.state != "open":
        raise rules.refusals.RunClosed(run.state, run.reason)


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
