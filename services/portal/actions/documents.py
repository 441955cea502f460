"""Documents: operators publish them, clients' administrators accept them by their name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from libs.shared import clock, errors, outbox
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import DocumentPublished
from services.portal import store
from services.portal.actions import log
from services.portal.rules import documents
from services.portal.rules.documents import DocumentKnown
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Person
from services.portal.store.documents import Acceptance, DocumentVersion, Published


@dataclass(frozen=True)
class ClientDocuments:
    """What a client's administrator sees: what waits for an answer, and what was accepted."""

    pending: list[DocumentVersion]
    accepted: list[DocumentVersion]


async def publish(
    pool: Pool,
    operator: Actor,
    document: str,
    version: str,
    title: str,
    text: str,
    in_force_on: date,
) -> None:
    """Publishes a version; the administrators of every client that goes on are mailed.

    Raises DocumentKnown."""
    now = clock.now()
    async with transaction(pool) as conn:
        is_new = await store.documents.add(
            conn,
            document,
            version,
            title,
            text,
            documents.hash_text(text),
            in_force_on,
            now,
            operator.name,
        )
        if not is_new:
            raise DocumentKnown(document, version)
        asked = await store.clients.list_in(conn, documents.ASKED_IN)
        told = [
            DocumentPublished(
                tenant_id=tenant_id,
                document=document,
                version=version,
                title=title,
                in_force_on=in_force_on,
            )
            for tenant_id in asked
        ]
        await outbox.add_all(conn, told)
        await log.note(conn, operator, acts.DocumentPublished(document, version))


async def list_published(pool: Pool, operator: Actor) -> list[Published]:
    """Every version, the newest first."""
    async with transaction(pool) as conn:
        found = await store.documents.list_published(conn)
        await log.note(conn, operator, acts.DocumentsListed())
    return found


async def list_acceptances(
    pool: Pool, operator: Actor, document: str, version: str
) -> list[Acceptance]:
    """Who accepted a version."""
    async with transaction(pool) as conn:
        found = await store.documents.list_acceptances(conn, document, version)
        await log.note(conn, operator, acts.AcceptancesListed(document, version))
    return found


async def has_pending(pool: Pool, person: Person) -> bool:
    """Whether somebody who signs in is to be asked for an answer."""
    async with transaction(pool) as conn:
        return bool(await count_pending(conn, person))


async def count_pending(conn: Connection, person: Person) -> int:
    """How many documents wait for somebody's answer."""
    if person.role != "administrator":
        return 0
    return len((await _list_shown(conn, person.at(""))).pending)


async def show_documents(pool: Pool, administrator: Actor) -> ClientDocuments:
    """What waits for a client's answer, and what they accepted."""
    async with transaction(pool) as conn:
        shown = await _list_shown(conn, administrator)
        await log.note(conn, administrator, acts.DocumentsViewed())
    return shown


async def _list_shown(conn: Connection, administrator: Actor) -> ClientDocuments:
    tenant = await store.clients.find(conn, administrator.tenant_id)
    if tenant is None:
        raise errors.NotFound("client")
    every = {
        (one.document, one.version): one
        for one in await store.documents.list_asked(conn, administrator.tenant_id)
    }
    newest = documents.find_newest(every.values())
    waiting = [every[one.document, one.version] for one in newest]
    is_asked = tenant.subscription in documents.ASKED_IN
    return ClientDocuments(
        pending=[one for one in waiting if is_asked and one.accepted_at is None],
        accepted=[one for one in every.values() if one.accepted_at is not None],
    )


async def accept(pool: Pool, administrator: Actor, document: str, version: str) -> None:
    """Keeps that an administrator accepts a version for their company; once more, nothing.

    Raises NotFound."""
    if administrator.user_id is None:
        raise RuntimeError("documents are accepted by a person")
    async with transaction(pool) as conn:
        every = await store.documents.list_asked(conn, administrator.tenant_id)
        if not any((one.document, one.version) == (document, version) for one in every):
            raise errors.NotFound("document")
        is_first = await store.documents.accept(
            conn,
            administrator.tenant_id,
            administrator.user_id,
            administrator.name,
            document,
            version,
            clock.now(),
            administrator.address,
        )
        if is_first:
            await log.note(conn, administrator, acts.DocumentAccepted(document, version))
