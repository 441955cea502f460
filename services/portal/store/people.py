"""Users, and what they are signed in with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import Locale, Recipient
from services.portal.rules.people import Person

_DUTY = "CASE WHEN u.role = 'operator' THEN coalesce(u.duty, 'administrator') END AS duty"
_PERSON = f"u.user_id, u.tenant_id, u.role, u.name, u.email, u.locale, {_DUTY}"


@dataclass(frozen=True)
class Account:
    """A user with what is needed to check a password; `company` is "" for operators."""

    person: Person
    company: str
    password_hash: str
    one_time: bool
    password_expires_at: datetime | None


async def add(
    conn: Connection,
    person: Person,
    password_hash: str,
    *,
    password_expires_at: datetime | None,
    now: datetime,
) -> None:
    """Writes a new user; with an expiry the password is a one-time password."""
    await conn.execute(
        """
        INSERT INTO users (user_id, tenant_id, role, name, email, locale, password_hash,
            one_time, password_expires_at, created_at, duty, password_issued_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
            CASE WHEN $8 THEN $10::timestamptz END)
        """,
        person.user_id,
        person.tenant_id,
        person.role,
        person.name,
        person.email,
        person.locale,
        password_hash,
        password_expires_at is not None,
        password_expires_at,
        now,
        person.duty,
    )


async def find_account(conn: Connection, email: str) -> Account | None:
    """The account of a mail address, whatever its case."""
    row = await conn.fetchrow(
        f"""
        SELECT {_PERSON},
            coalesce(t.name, '') AS company, u.password_hash, u.one_time, u.password_expires_at
        FROM users u LEFT JOIN tenants t USING (tenant_id) WHERE lower(u.email) = lower($1)
        """,
        email,
    )
    if row is None:
        return None
    return Account(Person(*row[:7]), *row[7:])


async def has_operator(conn: Connection) -> bool:
    """Whether any operator exists yet."""
    return bool(
        await conn.fetchval("""
        SELECT EXISTS (SELECT FROM users WHERE role = 'operator')
        """)
    )


async def find_first_operator(conn: Connection) -> UUID | None:
    """The administrator who was there first: the owner of the installation's own token."""
    user_id: UUID | None = await conn.fetchval(
        """
        SELECT user_id FROM users WHERE role = 'operator'
          AND coalesce(duty, 'administrator') = 'administrator'
        ORDER BY created_at, user_id LIMIT 1
        """
    )
    return user_id


async def list_operators(conn: Connection) -> list[Person]:
    """The provider's operators, administrators first."""
    rows = await conn.fetch(
        f"""
        SELECT {_PERSON} FROM users u WHERE role = 'operator'
        ORDER BY duty, lower(name), user_id
        """
    )
    return [Person(*row) for row in rows]


async def lock_operators(conn: Connection) -> list[Person]:
    """As `list_operators`; nobody else changes one of them until the transaction ends."""
    await conn.execute(
        """
        SELECT user_id FROM users WHERE role = 'operator' ORDER BY user_id FOR UPDATE
        """
    )
    return await list_operators(conn)


async def hand_bootstrap(conn: Connection, before: UUID, after: UUID) -> None:
    """Lets the installation's own token stand for another operator."""
    await conn.execute(
        """
        UPDATE credentials SET user_id = $2 WHERE user_id = $1 AND kind = 'bootstrap'
        """,
        before,
        after,
    )


async def list_of_tenant(conn: Connection, tenant_id: UUID) -> list[Person]:
    """A tenant's users, administrators first."""
    rows = await conn.fetch(
        """
        SELECT user_id, tenant_id, role, name, email, locale FROM users
        WHERE tenant_id = $1 ORDER BY role, lower(name), user_id
        """,
        tenant_id,
    )
    return [Person(*row) for row in rows]


async def list_administrators(conn: Connection, tenant_id: UUID) -> list[Recipient]:
    """Who receives what concerns the subscription."""
    rows = await conn.fetch(
        """
        SELECT u.name, u.email, u.locale, coalesce(r.choice, 'every') AS choice
        FROM users u LEFT JOIN readers r
          ON r.tenant_id = $1 AND r.email = lower(u.email)
        WHERE u.tenant_id = $1 AND u.role = 'administrator' ORDER BY lower(u.email)
        """,
        tenant_id,
    )
    return [Recipient(**row) for row in rows]


async def replace_password(
    conn: Connection,
    user_id: UUID,
    password_hash: str,
    *,
    replaces_hash: str,
    expires_at: datetime | None = None,
    now: datetime,
) -> bool:
    """Sets a password unless another replaced `replaces_hash` meanwhile; False then.

    expires_at: of a one-time password, which somebody else has issued."""
    row = await conn.fetchrow(
        """
        UPDATE users SET password_hash = $2, one_time = $4, password_expires_at = $5,
            password_issued_at = CASE WHEN $4 THEN $6 ELSE password_issued_at END
        WHERE user_id = $1 AND password_hash = $3 RETURNING user_id
        """,
        user_id,
        password_hash,
        replaces_hash,
        expires_at is not None,
        expires_at,
        now,
    )
    return row is not None


async def find_issued(conn: Connection, user_id: UUID) -> datetime | None:
    """When somebody else last issued a user's password; None where nobody ever did."""
    issued_at: datetime | None = await conn.fetchval(
        """
        SELECT password_issued_at FROM users WHERE user_id = $1
        """,
        user_id,
    )
    return issued_at


async def keep_password(conn: Connection, user_id: UUID, password_hash: str) -> bool:
    """Keeps others from replacing a password until the transaction ends; False if one just did."""
    row = await conn.fetchrow(
        """
        SELECT user_id FROM users WHERE user_id = $1 AND password_hash = $2 FOR SHARE
        """,
        user_id,
        password_hash,
    )
    return row is not None


async def set_locale(conn: Connection, user_id: UUID, locale: Locale) -> None:
    """Sets the language and formats in which a user sees pages and mails."""
    await conn.execute(
        """
        UPDATE users SET locale = $2 WHERE user_id = $1
        """,
        user_id,
        locale,
    )


async def lock(conn: Connection, tenant_id: UUID, user_id: UUID) -> Person | None:
    """A user of a tenant, who can't sign in until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT user_id, tenant_id, role, name, email, locale FROM users
        WHERE tenant_id = $1 AND user_id = $2 FOR UPDATE
        """,
        tenant_id,
        user_id,
    )
    return Person(*row) if row else None


async def lock_self(conn: Connection, user_id: UUID) -> bool:
    """Locks somebody's account until the transaction ends; False where it was closed meanwhile."""
    row = await conn.fetchrow(
        """
        SELECT user_id FROM users WHERE user_id = $1 FOR UPDATE
        """,
        user_id,
    )
    return row is not None


async def change(conn: Connection, person: Person) -> None:
    """Sets a user's name, role, language and duty."""
    await conn.execute(
        """
        UPDATE users SET name = $2, role = $3, locale = $4, duty = $5 WHERE user_id = $1
        """,
        person.user_id,
        person.name,
        person.role,
        person.locale,
        person.duty,
    )


async def remove(conn: Connection, user_id: UUID) -> None:
    """Removes a user who is signed in nowhere, and is known from nowhere."""
    await conn.execute(
        """
        DELETE FROM users WHERE user_id = $1
        """,
        user_id,
    )


async def lock_bootstrap(conn: Connection) -> None:
    """Keeps other processes from creating the first operator meanwhile."""
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(hashtext('coffre.portal.bootstrap'))
        """
    )
