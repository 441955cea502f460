"""Who works on a plan or an open run, and that it may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import clock
from libs.shared.database import Connection
from libs.shared.errors import NotFound, ShareUsed
from services.ingest import rules, store
from services.ingest.actions.agents import check_again
from services.ingest.actions.resources import LINE_SECONDS, Resources

_SECOND = timedelta(seconds=1)
_LOOK_SECONDS = 0.1
_BUSY_SECONDS = 10


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
    lease = _lease(resources)
    return _opened(await store.runs.use(conn, agent.tenant_id, agent.agent_id, run_id, *lease))


async def use_run_and_look(
    resources: Resources,
    conn: Connection,
    agent: rules.agents.Agent,
    run_id: UUID,
    chunk_ids: Sequence[bytes],
) -> list[int]:
    """Renews an open run's lease; returns which of these chunks are missing, by their places.

    Raises as `use_run` does.
    """
    rules.agents.check_subscription(agent.subscription, agent.subscription_reason)
    lease = _lease(resources)
    run, missing = await store.runs.use_and_look(
        conn, agent.tenant_id, agent.agent_id, run_id, *lease, chunk_ids
    ) or (None, [])
    _opened(run)
    return missing


def _lease(resources: Resources) -> tuple[datetime, datetime]:
    """Until when a run is kept, and the end that an earlier renewal must have left it at least."""
    until = clock.now() + resources.lease
    return until, until - min(resources.lease / 10, 10 * _SECOND)


def _opened(run: rules.runs.Run | None) -> rules.runs.Run:
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
    _opened(await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id))
