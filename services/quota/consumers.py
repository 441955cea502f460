"""Events in."""

from __future__ import annotations

from libs.shared import clock, erasure
from libs.shared.database import Connection
from libs.shared.events import (
    DestructionStarted,
    OverageAnswered,
    OverageDecided,
    RunFinished,
    TenantChanged,
    VolumeChanged,
)
from libs.shared.inbox import Handlers
from services.quota import actions, store


async def on_tenant_changed(conn: Connection, event: TenantChanged) -> None:
    """Keeps what is contracted, and decides anew."""
    if account := await store.accounts.put_contract(conn, event.tenant_id, event):
        await actions.cases.settle(conn, account, clock.now())


async def on_volume_changed(conn: Connection, event: VolumeChanged) -> None:
    """Keeps what is stored, and decides anew."""
    if account := await store.accounts.put_volume(conn, event.tenant_id, event):
        await actions.cases.settle(conn, account, clock.now())


async def on_run_finished(conn: Connection, event: RunFinished) -> None:
    """Keeps what fills the volume."""
    await actions.plans.keep_run(conn, event)


async def on_overage_answered(conn: Connection, event: OverageAnswered) -> None:
    """Keeps what a client answered to a case."""
    await actions.cases.take_answer(conn, event)


async def on_overage_decided(conn: Connection, event: OverageDecided) -> None:
    """Carries out what an operator decided."""
    await actions.decisions.take(conn, event)


async def on_destruction_started(conn: Connection, event: DestructionStarted) -> None:
    """Forgets the tenant."""
    await erasure.forget(conn, "quota", store.erasure.PLAN, event, clock.now())


HANDLERS: Handlers = {
    TenantChanged: on_tenant_changed,
    VolumeChanged: on_volume_changed,
    RunFinished: on_run_finished,
    OverageAnswered: on_overage_answered,
    OverageDecided: on_overage_decided,
    DestructionStarted: on_destruction_started,
}
