"""How runs start, or are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from libs.shared import clock, logs, outbox, protocol
from libs.shared.catalogue import volumes
from libs.shared.database import Connection
from libs.shared.errors import Conflict, Refusal
from libs.shared.events import RunStarted
from libs.shared.reasons import Reason
from services.ingest import rules, store
from services.ingest.actions.resources import Resources
from services.ingest.actions.runs.ending import fail_run, say_finished
from services.ingest.actions.runs.holding import hold_plan
from services.ingest.actions.usage import use
from services.ingest.rules.notices import Maintenance

_WANTED_CHUNKS = 4_096


@dataclass(frozen=True, slots=True)
class Started:
    """What an agent is told of its new run.

    parent: the newest restore point; the delta must start from it. parent_run_id: its run, as a
    number may come twice where an old database was put back.
    chunk_key: that of its client, in hexadecimal, where the agent named another one; else None.
    growth_left_bytes: how much more the tenant may store, None where nothing limits it.
    wanted_chunks: damaged in the store; an agent that still has some sends them again.
    list_anew: some of the newest restore point was dropped, and is to be sent again.
    has_chunks: whether its client has any chunk; where it has none, none need be asked for.
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
    has_chunks: bool
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
        has_chunks = await store.intake.packs.has_chunks(conn, agent.tenant_id)
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
        has_chunks,
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
