"""SQL of second factors: apps that show codes, codes on paper, passkeys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.portal.rules.factors import Factors, Passkey, Totp


async def find(conn: Connection, user_id: UUID) -> Factors:
    """All that somebody has."""
    row = await conn.fetchrow(
        """
        SELECT
            EXISTS (SELECT FROM totps WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS totp,
            (SELECT count(*) FROM recovery_codes WHERE user_id = $1) AS codes
        """,
        user_id,
    )
    assert row is not None  # a select without FROM has one row
    return Factors(row["totp"], row["codes"], tuple(await list_passkeys(conn, user_id)))


async def put_totp(conn: Connection, user_id: UUID, sealed_secret: str) -> bool:
    """Keeps the secret of an app until a code of it comes; False where a confirmed one stays."""
    status = await conn.execute(
        """
        INSERT INTO totps AS t (user_id, sealed_secret) VALUES ($1, $2)
        ON CONFLICT (user_id) DO UPDATE SET sealed_secret = $2, last_step = 0
        WHERE t.confirmed_at IS NULL
        """,
        user_id,
        sealed_secret,
    )
    return database.changed(status) == 1


async def lock_totp(conn: Connection, user_id: UUID) -> Totp | None:
    """Somebody's app, locked until the transaction ends: no code is taken twice at once."""
    row = await conn.fetchrow(
        """
        SELECT sealed_secret, confirmed_at IS NOT NULL, last_step FROM totps
        WHERE user_id = $1 FOR UPDATE
        """,
        user_id,
    )
    return Totp(*row) if row else None


async def put_step(conn: Connection, user_id: UUID, step: int, now: datetime) -> None:
    """Notes the code that was taken; the first one confirms the app."""
    await conn.execute(
        """
        UPDATE totps SET last_step = $2, confirmed_at = coalesce(confirmed_at, $3)
        WHERE user_id = $1
        """,
        user_id,
        step,
        now,
    )


async def drop_totp(conn: Connection, user_id: UUID) -> bool:
    """Forgets an app; False where there is none."""
    status = await conn.execute(
        """
        DELETE FROM totps WHERE user_id = $1
        """,
        user_id,
    )
    return database.changed(status) == 1


async def put_codes(conn: Connection, user_id: UUID, codes_sha256: Iterable[bytes]) -> None:
    """Puts new codes in the place of all that were there."""
    await drop_codes(conn, user_id)
    await conn.execute(
        """
        INSERT INTO recovery_codes (user_id, code_sha256) SELECT $1, unnest($2::bytea[])
        """,
        user_id,
        list(codes_sha256),
    )


async def drop_codes(conn: Connection, user_id: UUID) -> None:
    """Forgets all codes on paper."""
    await conn.execute(
        """
        DELETE FROM recovery_codes WHERE user_id = $1
        """,
        user_id,
    )


async def use_code(conn: Connection, user_id: UUID, code_sha256: bytes) -> bool:
    """Takes a code on paper; False where there is none such any more."""
    status = await conn.execute(
        """
        DELETE FROM recovery_codes WHERE user_id = $1 AND code_sha256 = $2
        """,
        user_id,
        code_sha256,
    )
    return database.changed(status) == 1


async def list_passkeys(conn: Connection, user_id: UUID) -> list[Passkey]:
    """Somebody's passkeys, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT key_id, passkey_id, public_key, sign_count, label, added_at, last_at FROM passkeys
        WHERE user_id = $1 ORDER BY added_at, passkey_id
        """,
        user_id,
    )
    return [Passkey(**row) for row in rows]


async def add_passkey(conn: Connection, user_id: UUID, passkey: Passkey) -> bool:
    """Keeps a new passkey; False where it is known."""
    status = await conn.execute(
        """
        INSERT INTO passkeys (key_id, passkey_id, user_id, public_key, sign_count, label, added_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key_id) DO NOTHING
        """,
        passkey.key_id,
        passkey.passkey_id,
        user_id,
        passkey.public_key,
        passkey.sign_count,
        passkey.label,
        passkey.added_at,
    )
    return database.changed(status) == 1


async def note_use(conn: Connection, key_id: bytes, sign_count: int, now: datetime) -> None:
    """Notes that a passkey signed, and how often by its own count."""
    await conn.execute(
        """
        UPDATE passkeys SET sign_count = $2, last_at = $3 WHERE key_id = $1
        """,
        key_id,
        sign_count,
        now,
    )


async def drop_passkey(conn: Connection, user_id: UUID, passkey_id: UUID) -> str | None:
    """Forgets a passkey; returns its label, None where there is none."""
    label: str | None = await conn.fetchval(
        """
        DELETE FROM passkeys WHERE user_id = $1 AND passkey_id = $2 RETURNING label
        """,
        user_id,
        passkey_id,
    )
    return label


async def forget(conn: Connection, user_id: UUID) -> bool:
    """Forgets all that somebody has beside their password; False where that was nothing."""
    await drop_codes(conn, user_id)
    had_totp = await drop_totp(conn, user_id)
    status = await conn.execute(
        """
        DELETE FROM passkeys WHERE user_id = $1
        """,
        user_id,
    )
    return had_totp or database.changed(status) > 0
