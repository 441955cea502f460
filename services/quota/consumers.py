"""Events in."""

from __future__ import annotations

from libs.shared.database import Connection
from libs.shared.events import TenantChanged, VolumeChanged
from libs.shared.inbox import Handlers
from services.quota import actions, store


async def on_tenant_changed(conn: Connection, event: TenantChanged) -> None:
    """Keeps what is contracted, and decides anew."""
    if await store.put_contract(conn, event.tenant_id, event.version, event.contracted_bytes):
        await actions.settle(conn, event.tenant_id)


async def on_volume_changed(conn: Connection, event: VolumeChanged) -> None:
    """Keeps what is stored, and decides anew."""
    if await store.put_volume(
        conn, event.tenant_id, event.sequence, event.stored_bytes, event.protected_bytes
    ):
        await actions.settle(conn, event.tenant_id)


HANDLERS: Handlers = {
    TenantChanged: on_tenant_changed,
    VolumeChanged: on_volume_changed,
}
