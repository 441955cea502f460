"""Which reports each reader gets, and whether a client wants any: reporting is told, and obeys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from libs.shared import clock, errors, signed_links
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import Locale, ReportChoice
from services.portal import store
from services.portal.actions import log, recipients
from services.portal.actions.clients import telling
from services.portal.rules import choices
from services.portal.rules.choices import ReportReader
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.choices import Declined
from services.portal.store.clients import Tenant


@dataclass(frozen=True)
class ClientReaders:
    """Everybody of a client who may read reports, and who declined them all, if somebody did."""

    tenant: Tenant
    readers: list[ReportReader]
    declined: Declined | None


@dataclass(frozen=True)
class LinkReader:
    """Whom a link of a mail asks what they want; stop_token: of the link by which they stop it."""

    tenant: Tenant
    reader: ReportReader
    stop_token: str


async def list_readers(pool: Pool, administrator: Actor) -> ClientReaders:
    """Who of a client reads reports, and what each of them gets."""
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, administrator.tenant_id)
        readers = await _list_readers(conn, tenant)
        declined = await store.choices.find_declined(conn, tenant.tenant_id)
        await log.note(conn, administrator, acts.ReadersListed())
    return ClientReaders(tenant, readers, declined)


async def choose(
    pool: Pool, administrator: Actor, email: str, choice: ReportChoice, locale: Locale | None
) -> None:
    """Lets somebody get other reports from now on; raises NotFound.

    locale: in which language, where they have no account, which has one.
    """
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, administrator.tenant_id)
        wanted = email.strip().lower()
        found = [one for one in await _list_readers(conn, tenant) if one.email == wanted]
        if not found:
            raise errors.NotFound("reader")
        await _choose(conn, tenant, found[0], choice, locale, administrator)


async def decline(pool: Pool, administrator: Actor) -> None:
    """Nobody of the client gets reports any more; the hotline's mails go on."""
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, administrator.tenant_id)
        if await store.choices.decline(conn, tenant.tenant_id, administrator.name, clock.now()):
            await _tell_tenant(conn, tenant)
            await log.note(conn, administrator, acts.ReportsDeclined())


async def take_back(pool: Pool, administrator: Actor) -> None:
    """The client wants its reports again."""
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, administrator.tenant_id)
        if await store.choices.take_back(conn, tenant.tenant_id):
            await _tell_tenant(conn, tenant)
            await log.note(conn, administrator, acts.ReportsWanted())


async def find_asked(pool: Pool, mail_key: bytes, token: str, address: str) -> LinkReader:
    """Whom a link asks, and what they get today; raises NotFound. Nothing is changed by it."""
    async with transaction(pool) as conn:
        asked = await _find_asked(conn, mail_key, token)
        await log.note(conn, _by_link(asked, address), acts.ChoiceOpened())
    return asked


async def choose_by_link(
    pool: Pool,
    mail_key: bytes,
    token: str,
    address: str,
    choice: ReportChoice,
    locale: Locale | None,
) -> None:
    """Lets the reader of a mail get other reports from now on; raises NotFound."""
    async with transaction(pool) as conn:
        asked = await _find_asked(conn, mail_key, token)
        await _choose(conn, asked.tenant, asked.reader, choice, locale, _by_link(asked, address))


async def _choose(
    conn: Connection,
    tenant: Tenant,
    reader: ReportReader,
    choice: ReportChoice,
    locale: Locale | None,
    actor: Actor,
) -> None:
    kept = None if reader.has_account else locale
    if (choice, kept or reader.locale) == (reader.choice, reader.locale):
        return
    await store.choices.put(
        conn, tenant.tenant_id, reader.email, choice, kept, actor.name, clock.now()
    )
    if reader.is_administrator:
        await _tell_tenant(conn, tenant)
    await recipients.tell(conn, tenant.tenant_id)
    await log.note(conn, actor, acts.ReaderChanged(reader.email, choice, kept or reader.locale))


async def _tell_tenant(conn: Connection, tenant: Tenant) -> None:
    version = await store.clients.renew(conn, tenant.tenant_id)
    await telling.publish_tenant(conn, replace(tenant, version=version))


async def _list_readers(conn: Connection, tenant: Tenant) -> list[ReportReader]:
    return choices.list_readers(
        await store.people.list_of_tenant(conn, tenant.tenant_id),
        await store.recipients.list_decisions(conn, tenant.tenant_id),
        await store.choices.list_preferences(conn, tenant.tenant_id),
        tenant.locale,
    )


async def _find_asked(conn: Connection, mail_key: bytes, token: str) -> LinkReader:
    """The link names the client; whose it is, is told by the one address that it was signed for."""
    tenant_id = signed_links.read_token(token)
    if tenant_id is None or await store.clients.find(conn, tenant_id) is None:
        raise errors.NotFound("link")
    tenant = await telling.lock_tenant(conn, tenant_id)
    for reader in await _list_readers(conn, tenant):
        if signed_links.is_genuine(mail_key, "reports", token, tenant_id, tenant_id, reader.email):
            return LinkReader(tenant, reader, _make_stop_token(mail_key, tenant_id, reader))
    raise errors.NotFound("link")


def _make_stop_token(mail_key: bytes, tenant_id: UUID, reader: ReportReader) -> str:
    if reader.invitation_id is None:
        return ""
    return signed_links.make_token(
        mail_key, "invitation", tenant_id, reader.invitation_id, reader.email
    )


def _by_link(asked: LinkReader, address: str) -> Actor:
    return Actor(asked.tenant.tenant_id, None, asked.reader.email, address)
