"""SQL of what people are signed in with: sessions, tokens, and a sign-in's second step."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.portal.rules.people import Credential, Held, Kind, Person, Scope


async def add(
    conn: Connection,
    user_id: UUID,
    token_sha256: bytes,
    kind: Kind,
    now: datetime,
    expires_at: datetime | None,
    *,
    address: str = "",
    browser: str = "",
    label: str = "",
    scope: Scope = "all",
) -> bool:
    """Writes a credential; one that is there already stays as it is, and False is returned."""
    row = await conn.fetchrow(
        """
        INSERT INTO credentials (token_sha256, user_id, kind, created_at, expires_at, address,
            browser, label, scope, last_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
            CASE WHEN $3 IN ('session', 'enrolling', 'token') THEN $4::timestamptz END)
        ON CONFLICT (token_sha256) DO NOTHING RETURNING user_id
        """,
        token_sha256,
        user_id,
        kind,
        now,
        expires_at,
        address,
        browser,
        label,
        scope,
    )
    return row is not None


async def find_holder(
    conn: Connection, token_sha256: bytes, kinds: list[str], now: datetime, seen_before: datetime
) -> Held | None:
    """Who holds a credential that is still good; that they were seen is kept now and then.

    seen_before: it is kept where it was kept last before this moment."""
    row = await conn.fetchrow(
        """
        SELECT u.user_id, u.tenant_id, u.role, u.name, u.email, u.locale,
            CASE WHEN u.role = 'operator' THEN coalesce(u.duty, 'administrator') END AS duty,
            c.kind, c.scope, t.subscription,
            c.kind <> 'bootstrap' AND coalesce(c.last_at < $4, true) AS is_due
        FROM credentials c JOIN users u USING (user_id) LEFT JOIN tenants t USING (tenant_id)
        WHERE c.token_sha256 = $1 AND c.kind = ANY ($2)
          AND (c.expires_at IS NULL OR c.expires_at > $3)
        """,
        token_sha256,
        kinds,
        now,
        seen_before,
    )
    if row is None:
        return None
    if row["is_due"]:
        await _put_seen(conn, token_sha256, now)
    return Held(Person(*row[:7]), row["kind"], row["scope"], row["subscription"])


async def _put_seen(conn: Connection, token_sha256: bytes, now: datetime) -> None:
    await conn.execute(
        """
        UPDATE credentials SET last_at = $2 WHERE token_sha256 = $1
        """,
        token_sha256,
        now,
    )


async def take(conn: Connection, token_sha256: bytes, kind: Kind, now: datetime) -> str | None:
    """Ends a credential of one kind, and returns the browser that it was for; None where none."""
    browser: str | None = await conn.fetchval(
        """
        DELETE FROM credentials WHERE token_sha256 = $1 AND kind = $2 AND expires_at > $3
        RETURNING browser
        """,
        token_sha256,
        kind,
        now,
    )
    return browser


async def list_of_user(
    conn: Connection, user_id: UUID, kinds: list[str], this: bytes, now: datetime
) -> list[Credential]:
    """What somebody holds of some kinds, the newest first; this: the hash of what they use now."""
    rows = await conn.fetch(
        """
        SELECT credential_id, kind, scope, label, browser, address, created_at, last_at,
            expires_at, token_sha256 = $3 AS is_this
        FROM credentials
        WHERE user_id = $1 AND kind = ANY ($2) AND (expires_at IS NULL OR expires_at > $4)
        ORDER BY token_sha256 = $3 DESC, coalesce(last_at, created_at) DESC, credential_id
        """,
        user_id,
        kinds,
        this,
        now,
    )
    return [Credential(**row) for row in rows]


async def drop_one(
    conn: Connection, user_id: UUID, credential_id: UUID, kinds: list[str]
) -> str | None:
    """Ends one of somebody's; returns its label, None where there is none."""
    label: str | None = await conn.fetchval(
        """
        DELETE FROM credentials WHERE user_id = $1 AND credential_id = $2 AND kind = ANY ($3)
        RETURNING label
        """,
        user_id,
        credential_id,
        kinds,
    )
    return label


async def promote(conn: Connection, user_id: UUID, token_sha256: bytes) -> None:
    """Makes a whole session of the one that set a second factor up; others that waited end."""
    await conn.execute(
        """
        UPDATE credentials SET kind = 'session'
        WHERE token_sha256 = $1 AND user_id = $2 AND kind = 'enrolling'
        """,
        token_sha256,
        user_id,
    )
    await drop_kinds(conn, user_id, ["enrolling"])


async def put_challenge(conn: Connection, token_sha256: bytes, challenge: bytes) -> None:
    """Keeps what a passkey is asked to sign."""
    await conn.execute(
        """
        UPDATE credentials SET challenge = $2 WHERE token_sha256 = $1
        """,
        token_sha256,
        challenge,
    )


async def take_challenge(conn: Connection, token_sha256: bytes) -> bytes | None:
    """What a passkey was asked to sign; once, so that no answer counts twice."""
    row = await conn.fetchrow(
        """
        UPDATE credentials c SET challenge = NULL
        FROM (SELECT challenge FROM credentials WHERE token_sha256 = $1 FOR UPDATE) AS before
        WHERE c.token_sha256 = $1 RETURNING before.challenge
        """,
        token_sha256,
    )
    return row["challenge"] if row else None


async def drop(conn: Connection, token_sha256: bytes) -> bool:
    """Signs one session or token out; False where it was gone."""
    status = await conn.execute(
        """
        DELETE FROM credentials WHERE token_sha256 = $1
        """,
        token_sha256,
    )
    return database.changed(status) == 1


async def drop_kinds(conn: Connection, user_id: UUID, kinds: list[str]) -> int:
    """Ends all of some kinds that somebody holds; returns how many."""
    status = await conn.execute(
        """
        DELETE FROM credentials WHERE user_id = $1 AND kind = ANY ($2)
        """,
        user_id,
        kinds,
    )
    return database.changed(status)


async def drop_all(conn: Connection, user_id: UUID) -> None:
    """Signs a user out everywhere; the installation's own operator token stays."""
    await conn.execute(
        """
        DELETE FROM credentials WHERE user_id = $1 AND kind <> 'bootstrap'
        """,
        user_id,
    )


async def drop_other_bootstraps(conn: Connection, token_sha256: bytes) -> None:
    """Forgets operator tokens that the installation no longer names."""
    await conn.execute(
        """
        DELETE FROM credentials WHERE kind = 'bootstrap' AND token_sha256 <> $1
        """,
        token_sha256,
    )


async def prune(conn: Connection, now: datetime) -> None:
    """Removes credentials that expired."""
    await conn.execute(
        """
        DELETE FROM credentials WHERE expires_at <= $1
        """,
        now,
    )
