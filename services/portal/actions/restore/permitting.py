"""What a restorer may read, and what the log keeps of it."""

from __future__ import annotations

from libs.shared import clock
from libs.shared.database import Pool, tenant_transaction
from services.portal import store
from services.portal.actions import log, runs
from services.portal.actions.clients import subscription
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor


async def check_plan(pool: Pool, actor: Actor, reference: str) -> None:
    """Lets somebody read a plan's chunks; raises NotFound, PlanAmbiguous, RecoveryBlocked.

    A restore asks thousands of times: it is noted at the first one, once a sign-in and plan."""
    tenant_id = actor.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await runs.find_plan(conn, tenant_id, reference)
        await subscription.check_recovery(conn, tenant_id)
        now = clock.now()
        if await store.log.note_restore(conn, actor.credential, plan.plan_id, now):
            await log.note(conn, actor, acts.RestoreRead(plan.name))
