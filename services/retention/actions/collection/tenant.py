"""One whole collection of a tenant, step by step."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from libs.shared import logs
from services.retention.actions.collection.packs import (
    Collected,
    condemn,
    delete,
    discount,
    forget,
    mark_tenant,
    remove_objects,
    resurrect,
)
from services.retention.actions.collection.repacking import repack
from services.retention.actions.resources import Resources


async def collect_tenant(resources: Resources, tenant_id: UUID, now: datetime) -> Collected:
    """Marks a tenant and acts on what that found; `now` was checked by `check_time`.

    Each step can be cut at any point: the next collection goes on from what is there.
    """
    await remove_objects(resources, tenant_id, now)
    marked = await mark_tenant(resources, tenant_id, now)
    steps = [
        await resurrect(resources, marked),
        await delete(resources, marked, now),
        await condemn(resources, marked, now),
        await discount(resources, marked),
        await repack(resources, marked, now),
    ]
    await forget(resources, marked.mark, now)
    done = Collected(
        condemned=sum(step.condemned for step in steps),
        discounted=sum(step.discounted for step in steps),
        resurrected=sum(step.resurrected for step in steps),
        deleted=sum(step.deleted for step in steps),
        repacked=sum(step.repacked for step in steps),
        freed_bytes=sum(step.freed_bytes for step in steps),
        failed=[why for step in steps for why in step.failed],
    )
    if done != Collected():
        logs.get().info("tenant.collected", tenant_id=str(tenant_id), **asdict(done))
    return done
