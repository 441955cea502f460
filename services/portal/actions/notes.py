"""What operators note of clients for each other; no client sees it."""

from __future__ import annotations

from uuid import UUID, uuid4

from libs.shared import clock, errors
from libs.shared.database import Pool, transaction
from services.portal import store
from services.portal.actions import log
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.notes import Note


async def write(pool: Pool, operator: Actor, tenant_id: UUID, text: str) -> Note:
    """Keeps a note of a client; raises NotFound."""
    note = Note(uuid4(), text, operator.name, clock.now())
    async with transaction(pool) as conn:
        if await store.clients.find(conn, tenant_id) is None:
            raise errors.NotFound("client")
        await store.notes.add(conn, tenant_id, note)
        await log.note(conn, operator, acts.NoteWritten(), tenant_id)
    return note


async def remove(pool: Pool, operator: Actor, tenant_id: UUID, note_id: UUID) -> None:
    """Takes a note away; raises NotFound."""
    async with transaction(pool) as conn:
        if not await store.notes.remove(conn, tenant_id, note_id):
            raise errors.NotFound("note")
        await log.note(conn, operator, acts.NoteRemoved(), tenant_id)
