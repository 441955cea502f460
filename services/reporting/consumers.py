"""Events in."""

from __future__ import annotations

from functools import partial

from libs.shared import clock
from libs.shared.database import Connection
from libs.shared.events import (
    PasswordIssued,
    PlanDeclared,
    RunFinished,
    StorageDamaged,
    TenantChanged,
)
from libs.shared.inbox import Handlers
from services.reporting import actions, store
from services.reporting.actions import Office


def handlers(office: Office) -> Handlers:
    """What reporting handles."""
    return {
        TenantChanged: partial(on_tenant_changed, office),
        PlanDeclared: partial(on_plan_declared, office),
        RunFinished: partial(on_run_finished, office),
        PasswordIssued: partial(on_password_issued, office),
        StorageDamaged: partial(on_storage_damaged, office),
    }


async def on_tenant_changed(office: Office, conn: Connection, event: TenantChanged) -> None:
    await store.lock_tenant(conn, event.tenant_id)
    if await store.put_tenant(conn, event.tenant_id, event):
        await actions.report_waiting_runs(conn, office, event.tenant_id)


async def on_plan_declared(office: Office, conn: Connection, event: PlanDeclared) -> None:
    await store.lock_tenant(conn, event.tenant_id)
    if await store.put_plan(conn, event.tenant_id, event):
        await actions.report_waiting_runs(conn, office, event.tenant_id)


async def on_run_finished(office: Office, conn: Connection, event: RunFinished) -> None:
    await store.lock_tenant(conn, event.tenant_id)
    if await store.add_run(conn, event.tenant_id, event, clock.now()):
        await actions.report_waiting_runs(conn, office, event.tenant_id)


async def on_password_issued(office: Office, conn: Connection, event: PasswordIssued) -> None:
    await store.lock_tenant(conn, event.tenant_id)
    await actions.send_password(conn, office, event)


async def on_storage_damaged(office: Office, conn: Connection, event: StorageDamaged) -> None:
    await store.lock_tenant(conn, event.tenant_id)
    await actions.tell_damage(conn, office, event)
