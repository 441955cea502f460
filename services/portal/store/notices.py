"""SQL of notices, of whom they are for, and of what became of their mails."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import NoticeDelivered, NoticeKind, SubscriptionState, Texts
from services.portal.rules.notices import Addressed, Mailed, Notice

PUBLISHED_CHANNEL = "portal_notices"
_COLUMNS = """notice_id, kind, title_fr, title_en, text_fr, text_en, begins_at, ends_at, ahead,
    everybody, drafted_at, drafted_by, published_at, published_by, withdrawn_at, withdrawn_by,
    done_at, done_by"""


@dataclass(frozen=True)
class Current:
    """A maintenance that a client was told of and that isn't over."""

    kind: NoticeKind
    title: Texts
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Mailing:
    """What a client was told how often, by which mails."""

    tenant_id: UUID
    version: int
    mailing_id: UUID


def _read(row: Any) -> Notice:
    return Notice(
        row["notice_id"],
        row["kind"],
        Texts(fr=row["title_fr"], en=row["title_en"]),
        Texts(fr=row["text_fr"], en=row["text_en"]),
        *list(row.values())[6:],
    )


async def add(conn: Connection, notice: Notice) -> None:
    """Writes a draft."""
    await conn.execute(
        """
        INSERT INTO notices (notice_id, kind, title_fr, title_en, text_fr, text_en, begins_at,
            ends_at, ahead, everybody, drafted_at, drafted_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        notice.notice_id,
        notice.kind,
        notice.title.fr,
        notice.title.en,
        notice.text.fr,
        notice.text.en,
        notice.begins_at,
        notice.ends_at,
        notice.ahead,
        notice.everybody,
        notice.drafted_at,
        notice.drafted_by,
    )


async def add_chosen(conn: Connection, notice_id: UUID, tenant_ids: Sequence[UUID]) -> int:
    """Notes which clients a notice is for; returns how many of them there are."""
    status = await conn.execute(
        """
        INSERT INTO notice_clients (notice_id, tenant_id)
        SELECT $1, tenant_id FROM tenants WHERE tenant_id = ANY ($2)
        """,
        notice_id,
        list(tenant_ids),
    )
    return database.changed(status)


async def list_all(conn: Connection) -> list[Notice]:
    """Every notice, the newest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM notices ORDER BY drafted_at DESC, notice_id
        """
    )
    return [_read(row) for row in rows]


async def lock(conn: Connection, notice_id: UUID) -> Notice | None:
    """A notice, locked until the transaction ends."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM notices WHERE notice_id = $1 FOR UPDATE
        """,
        notice_id,
    )
    return _read(row) if row else None


async def list_addressed(
    conn: Connection, notice_id: UUID, states: Collection[SubscriptionState]
) -> list[Addressed]:
    """Whom a notice is for, of clients in one of these states, with their newest mails."""
    rows = await conn.fetch(
        """
        SELECT c.tenant_id, t.name, c.told_at, coalesce(
            (SELECT json_agg(json_build_array(m.recipient, m.outcome, m.answer, m.at)
                             ORDER BY m.recipient)
             FROM notice_mails m WHERE m.mailing_id = c.mailing_id), '[]') AS mails
        FROM notice_clients c JOIN tenants t USING (tenant_id)
        WHERE c.notice_id = $1 AND t.subscription = ANY ($2) ORDER BY t.name, c.tenant_id
        """,
        notice_id,
        list(states),
    )
    return [
        Addressed(row["tenant_id"], row["name"], row["told_at"], _read_mails(row["mails"]))
        for row in rows
    ]


def _read_mails(told: Any) -> tuple[Mailed, ...]:
    found = json.loads(told) if isinstance(told, str) else told
    return tuple(
        Mailed(recipient, outcome, answer, datetime.fromisoformat(at) if at else None)
        for recipient, outcome, answer, at in found
    )


async def publish(conn: Connection, notice_id: UUID, name: str, now: datetime) -> None:
    """Notes who let clients be told; whoever tells them is woken by the commit."""
    await conn.execute(
        """
        UPDATE notices SET published_at = $3, published_by = $2 WHERE notice_id = $1
        """,
        notice_id,
        name,
        now,
    )
    await conn.execute(
        """
        SELECT pg_notify($1, '')
        """,
        PUBLISHED_CHANNEL,
    )


async def withdraw(conn: Connection, notice_id: UUID, name: str, now: datetime) -> None:
    await conn.execute(
        """
        UPDATE notices SET withdrawn_at = $3, withdrawn_by = $2 WHERE notice_id = $1
        """,
        notice_id,
        name,
        now,
    )


async def carry_out(conn: Connection, notice_id: UUID, name: str, now: datetime) -> None:
    """Notes that the change was made."""
    await conn.execute(
        """
        UPDATE notices SET done_at = $3, done_by = $2 WHERE notice_id = $1
        """,
        notice_id,
        name,
        now,
    )


async def list_due(conn: Connection, now: datetime) -> list[Notice]:
    """The published notices that clients are told of by now, and that aren't over."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM notices
        WHERE published_at IS NOT NULL AND withdrawn_at IS NULL AND done_at IS NULL
          AND coalesce(begins_at - ahead, published_at) <= $1
          AND (ends_at IS NULL OR ends_at > $1)
        ORDER BY published_at
        """,
        now,
    )
    return [_read(row) for row in rows]


async def take_pending(
    conn: Connection,
    notice: Notice,
    states: Collection[SubscriptionState],
    now: datetime,
    limit: int,
) -> list[Mailing]:
    """Marks clients as told that weren't yet; returns them.

    Of free text only those who were clients when it was published: it is news of that day.
    """
    rows = await conn.fetch(
        """
        INSERT INTO notice_clients AS c (notice_id, tenant_id, version, mailing_id, told_at)
        SELECT $1, t.tenant_id, 1, gen_random_uuid(), $4
        FROM tenants t LEFT JOIN notice_clients n
          ON n.notice_id = $1 AND n.tenant_id = t.tenant_id
        WHERE t.subscription = ANY ($3) AND n.told_at IS NULL
          AND CASE WHEN $2 THEN t.created_at <= $5 ELSE n.tenant_id IS NOT NULL END
        ORDER BY t.tenant_id LIMIT $6
        ON CONFLICT (notice_id, tenant_id) DO UPDATE
            SET version = 1, mailing_id = excluded.mailing_id, told_at = $4
        RETURNING tenant_id, version, mailing_id
        """,
        notice.notice_id,
        notice.everybody,
        list(states),
        now,
        notice.published_at if notice.kind == "text" else now,
        limit,
    )
    return [Mailing(**row) for row in rows]


async def tell_again(
    conn: Connection, notice_id: UUID, tenant_id: UUID | None, now: datetime
) -> list[Mailing]:
    """Gives the mails of clients who were told a new name; returns them. None: of all of them."""
    rows = await conn.fetch(
        """
        UPDATE notice_clients
        SET version = version + 1, mailing_id = gen_random_uuid(), told_at = $3
        WHERE notice_id = $1 AND told_at IS NOT NULL AND tenant_id = coalesce($2, tenant_id)
        RETURNING tenant_id, version, mailing_id
        """,
        notice_id,
        tenant_id,
        now,
    )
    return [Mailing(**row) for row in rows]


async def put_mail(conn: Connection, event: NoticeDelivered) -> None:
    """Keeps what became of a mail: one that came back was accepted before."""
    await conn.execute(
        """
        INSERT INTO notice_mails AS m (mailing_id, tenant_id, recipient, outcome, answer, at)
        SELECT $1, tenant_id, $3, $4, $5, $6 FROM notice_clients
        WHERE mailing_id = $1 AND tenant_id = $2
        ON CONFLICT (mailing_id, recipient) DO UPDATE SET outcome = $4, answer = $5, at = $6
        WHERE m.outcome = 'accepted' AND $4 = 'refused'
        """,
        event.mailing_id,
        event.tenant_id,
        event.recipient,
        event.outcome,
        event.answer,
        event.at,
    )


async def list_current(conn: Connection, tenant_id: UUID, now: datetime) -> list[Current]:
    """The maintenances that a client was told of and that aren't over, the next first."""
    rows = await conn.fetch(
        """
        SELECT kind, title_fr, title_en, begins_at, ends_at
        FROM notices n JOIN notice_clients c USING (notice_id)
        WHERE c.tenant_id = $1 AND c.told_at IS NOT NULL AND n.withdrawn_at IS NULL
          AND n.kind = 'maintenance' AND n.ends_at > $2
        ORDER BY n.begins_at
        """,
        tenant_id,
        now,
    )
    return [
        Current(
            row["kind"],
            Texts(fr=row["title_fr"], en=row["title_en"]),
            row["begins_at"],
            row["ends_at"],
        )
        for row in rows
    ]
