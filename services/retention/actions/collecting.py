"""One whole collection of a tenant, step by step."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from libs.shared import logs
from services.retention.actions.collection import (
    Collected,
    condemn,
    delete,
    forget,
    mark_tenant,
    remove_objects,
    resurrect,
)
from services.retention.actions.keeper import Keeper
from services.retention.actions.repacking import repack


async def collect_tenant(keeper: Keeper, tenant_id: UUID, now: datetime) -> Collected:
    """Marks a tenant and acts on what that found; `now` was checked by `check_time`.

    Each step can be cut at any point: the next collection goes on from what is there.
    """
    await remove_objects(keeper, tenant_id, now)
    marked = await mark_tenant(keeper, tenant_id, now)
    steps = [
        await resurrect(keeper, marked),
        await delete(keeper, marked, now),
        await condemn(keeper, marked, now),
        await repack(keeper, marked, now),
    ]
    await forget(keeper, marked.mark, now)
    done = Collected(
        condemned=sum(step.condemned for step in steps),
        resurrected=sum(step.resurrected for step in steps),
        deleted=sum(step.deleted for step in steps),
        repacked=sum(step.repacked for step in steps),
        freed_bytes=sum(step.freed_bytes for step in steps),
        failed=[why for step in steps for why in step.failed],
    )
    if done != Collected():
        logs.get().info("tenant.collected", tenant_id=str(tenant_id), **asdict(done))
    return done
