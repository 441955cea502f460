"""Notices: operators draft, read and publish them; clients are told, and by whom is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from libs.shared import clock, errors, outbox
from libs.shared.database import Connection, Pool, acquire, transaction
from libs.shared.events import NoticeKind, NoticePublished, NoticeWithdrawn, Texts
from services.portal import store
from services.portal.actions import log
from services.portal.rules import notices
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.notices import Addressed, Notice
from services.portal.store.notices import Current, Mailing

_AT_ONCE = 500


@dataclass(frozen=True)
class AddressedNotice:
    """A notice, whom it is for, and what became of their mails."""

    notice: Notice
    addressed: list[Addressed]


async def draft(
    pool: Pool,
    operator: Actor,
    kind: NoticeKind,
    title: Texts,
    text: Texts,
    begins_at: datetime | None,
    ends_at: datetime | None,
    ahead: timedelta,
    clients: Sequence[UUID] | None,
) -> Notice:
    """Writes a notice that nobody is told of yet; clients: None for all of them.

    Raises NoticeIncomplete, NotFound for a client that there isn't.
    """
    notices.check_draft(kind, begins_at, ends_at, ahead)
    notice = Notice(
        uuid4(),
        kind,
        title,
        text,
        begins_at,
        ends_at,
        ahead,
        clients is None,
        clock.now(),
        operator.name,
    )
    async with transaction(pool) as conn:
        await store.notices.add(conn, notice)
        if clients is not None:
            chosen = set(clients)
            known = await store.notices.add_chosen(conn, notice.notice_id, list(chosen))
            if known != len(chosen):
                raise errors.NotFound("tenant")
        await log.note(conn, operator, acts.NoticeDrafted(title.en))
    return notice


async def list_notices(pool: Pool, operator: Actor) -> list[Notice]:
    """Every notice, the newest first."""
    async with transaction(pool) as conn:
        found = await store.notices.list_all(conn)
        await log.note(conn, operator, acts.NoticesListed())
    return found


async def show(pool: Pool, operator: Actor, notice_id: UUID) -> AddressedNotice:
    """A notice with all that is known of its mails; raises NotFound."""
    async with transaction(pool) as conn:
        notice = await _find(conn, notice_id)
        addressed = await store.notices.list_addressed(conn, notice_id, notices.TOLD_IN)
        await log.note(conn, operator, acts.NoticeViewed(notice.title.en))
    return AddressedNotice(notice, addressed)


async def publish(pool: Pool, operator: Actor, notice_id: UUID) -> None:
    """Lets clients be told once it is time; raises NotFound, NoticeNotDraft, NoticeTooLate."""
    now = clock.now()
    async with transaction(pool) as conn:
        notice = await _find(conn, notice_id)
        notices.check_can_publish(notice, now)
        await store.notices.publish(conn, notice_id, operator.name, now)
        await log.note(conn, operator, acts.NoticePublished(notice.title.en))


async def withdraw(pool: Pool, operator: Actor, notice_id: UUID, reason: Texts) -> None:
    """Tells whoever was told that it does not happen; raises NotFound, NoticeNotPublished.

    A draft is just given up.
    """
    now = clock.now()
    async with transaction(pool) as conn:
        notice = await _find(conn, notice_id)
        if notice.state != "draft":
            notices.check_is_published(notice)
        await store.notices.withdraw(conn, notice_id, operator.name, now)
        told = await store.notices.tell_again(conn, notice_id, None, now)
        withdrawn = [
            NoticeWithdrawn(
                tenant_id=one.tenant_id,
                notice_id=notice_id,
                mailing_id=one.mailing_id,
                version=one.version,
                title=notice.title,
                reason=reason,
            )
            for one in told
        ]
        await outbox.add_all(conn, withdrawn)
        await log.note(conn, operator, acts.NoticeWithdrawn(notice.title.en))


async def send_again(pool: Pool, operator: Actor, notice_id: UUID, tenant_id: UUID) -> None:
    """Writes once more to a client whose mail was refused; raises NotFound, NoticeNotPublished."""
    async with transaction(pool) as conn:
        notice = await _find(conn, notice_id)
        notices.check_is_published(notice)
        told = await store.notices.tell_again(conn, notice_id, tenant_id, clock.now())
        if not told:
            raise errors.NotFound("tenant")
        await outbox.add_all(conn, [_say(notice, one) for one in told])
        await log.note(conn, operator, acts.NoticeSentAgain(notice.title.en), tenant_id)


async def carry_out(pool: Pool, operator: Actor, notice_id: UUID) -> None:
    """Notes that a change of location was made; raises NotFound, NoticeNotRun."""
    now = clock.now()
    async with transaction(pool) as conn:
        notice = await _find(conn, notice_id)
        addressed = await store.notices.list_addressed(conn, notice_id, notices.TOLD_IN)
        notices.check_can_be_done(notice, addressed, now)
        await store.notices.carry_out(conn, notice_id, operator.name, now)
        await log.note(conn, operator, acts.NoticeCarriedOut(notice.title.en))


async def send_due(pool: Pool) -> int:
    """Tells clients of what they are to know by now; returns how many were told.

    Also those who become clients before it is over.
    """
    now = clock.now()
    async with transaction(pool) as conn:
        due = await store.notices.list_due(conn, now)
    told = 0
    for one in due:
        while new := await _send(pool, one.notice_id, now):
            told += new
    return told


async def _send(pool: Pool, notice_id: UUID, now: datetime) -> int:
    """Tells some of those who weren't told yet; returns how many."""
    async with transaction(pool) as conn:
        notice = await _find(conn, notice_id)
        if notice.state != "published":  # withdrawn meanwhile
            return 0
        new = await store.notices.take_pending(conn, notice, notices.TOLD_IN, now, _AT_ONCE)
        await outbox.add_all(conn, [_say(notice, each) for each in new])
        return len(new)


async def list_current(pool: Pool, tenant_id: UUID) -> list[Current]:
    """What stands on a client's pages."""
    async with acquire(pool) as conn:
        return await store.notices.list_current(conn, tenant_id, clock.now())


async def _find(conn: Connection, notice_id: UUID) -> Notice:
    notice = await store.notices.lock(conn, notice_id)
    if notice is None:
        raise errors.NotFound("notice")
    return notice


def _say(notice: Notice, mailing: Mailing) -> NoticePublished:
    return NoticePublished(
        tenant_id=mailing.tenant_id,
        notice_id=notice.notice_id,
        mailing_id=mailing.mailing_id,
        version=mailing.version,
        kind=notice.kind,
        title=notice.title,
        text=notice.text,
        begins_at=notice.begins_at,
        ends_at=notice.ends_at,
    )
