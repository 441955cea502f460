"""Signing in and out, choosing a password, and what every refusal has in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

from libs.shared import clock, errors
from libs.shared.database import Connection, Pool, transaction
from services.portal import store
from services.portal.actions.passwords import Passwords
from services.portal.rules import people
from services.portal.rules.people import Person

_KIND_LIFE: dict[str, timedelta] = {
    "session": people.SESSION_LIFE,
    "token": people.TOKEN_LIFE,
}


@dataclass(frozen=True)
class SignedIn:
    """A credential just handed out; the token itself is kept nowhere."""

    person: Person
    token: str
    expires_at: datetime


async def sign_in(
    pool: Pool,
    passwords: Passwords,
    *,
    email: str,
    password: str,
    address: str,
    kind: Literal["session", "token"],
) -> SignedIn:
    """Exchanges a password for a credential.

    Raises WrongPassword, PasswordChangeRequired for a one-time password, TooManyRequests."""
    account = await _check_password(pool, passwords, email, password, address)
    if account.one_time:
        raise people.PasswordChangeRequired
    token, now = people.new_token(), clock.now()
    expires_at = now + _KIND_LIFE[kind]
    async with transaction(pool) as conn:
        await store.people.add_credential(
            conn, account.person.user_id, people.token_sha256(token), kind, now, expires_at
        )
        await log(conn, account.person, address, "signed-in", {"by": kind})
    return SignedIn(account.person, token, expires_at)


async def change_password(
    pool: Pool, passwords: Passwords, *, email: str, password: str, new_password: str, address: str
) -> Person:
    """Replaces a password, one-time or not, and signs the user out everywhere.

    Raises WrongPassword, PasswordTooWeak, TooManyRequests."""
    account = await _check_password(pool, passwords, email, password, address)
    people.check_new_password(new_password, present=password, email=email)
    hashed = await passwords.hash(new_password)
    user_id = account.person.user_id
    async with transaction(pool) as conn:
        if not await store.people.replace_password(
            conn, user_id, hashed, replaces_hash=account.password_hash
        ):
            raise people.WrongPassword
        await store.people.drop_credentials(conn, user_id)
        await log(conn, account.person, address, "password-changed", {})
    return account.person


async def sign_out(pool: Pool, person: Person, token: str, address: str) -> None:
    """Ends one session or token at once."""
    async with transaction(pool) as conn:
        await store.people.drop_credential(conn, people.token_sha256(token))
        await log(conn, person, address, "signed-out", {})


async def find_person(
    pool: Pool, token: str, *, kinds: tuple[str, ...] = ("token", "bootstrap")
) -> Person | None:
    """Who holds a token; looked up each time, so that a sign-out counts at once."""
    async with transaction(pool) as conn:
        return await store.people.find_holder(
            conn, people.token_sha256(token), list(kinds), clock.now()
        )


async def log(
    conn: Connection, person: Person, address: str, act: str, subject: dict[str, object]
) -> None:
    """Writes down what a person did to their own tenant."""
    await store.tenants.add_log(
        conn,
        person.tenant_id,
        at=clock.now(),
        user_id=person.user_id,
        actor=person.name,
        act=act,
        address=address,
        subject=subject,
    )


async def bootstrap_operator(
    pool: Pool, passwords: Passwords, *, email: str, password_file: Path, token_file: Path
) -> None:
    """Creates the first operator where there is none, and lets the installation's token in."""
    async with transaction(pool) as conn:
        has_operator = await store.people.has_operator(conn)
    hashed = "" if has_operator else await passwords.hash(_read_secret(password_file))
    digest = people.token_sha256(_read_secret(token_file))
    now = clock.now()
    async with transaction(pool) as conn:
        # Several portals start at once: one of them creates the operator.
        await conn.execute("SELECT pg_advisory_xact_lock(hashtext('coffre.portal.bootstrap'))")
        if not await store.people.has_operator(conn):
            operator = Person(uuid4(), None, "operator", "Operator", email, "fr")
            await store.people.add(conn, operator, hashed, password_expires_at=None, now=now)
        owner = await store.people.find_first_operator(conn)
        if owner is None:
            raise RuntimeError("the operator that was just created is gone")
        await store.people.drop_other_bootstraps(conn, digest)
        await store.people.add_credential(conn, owner, digest, "bootstrap", now, None)


def _read_secret(path: Path) -> str:
    secret = path.read_text(encoding="utf-8").strip()
    if len(secret) < people.PASSWORD_MIN_LENGTH:
        raise SystemExit(
            f"{path}: a secret of at least {people.PASSWORD_MIN_LENGTH} characters is needed"
        )
    return secret


async def _check_password(
    pool: Pool, passwords: Passwords, email: str, password: str, address: str
) -> store.people.Account:
    """Returns the account; equally slow, and in equal words, whatever is wrong."""
    email = email.strip().replace("\0", "\ufffd")  # PostgreSQL knows no NUL
    subjects = [
        (people.ACCOUNT_THROTTLE, people.ACCOUNT_THROTTLE.subject(email.lower())),
        (people.ADDRESS_THROTTLE, people.ADDRESS_THROTTLE.subject(address)),
    ]
    now = clock.now()
    async with transaction(pool) as conn:
        waits = []
        for throttle, subject in subjects:
            attempts, opened_at = await store.people.count_attempt(
                conn, subject, throttle.attempts, throttle.window, now
            )
            if attempts > throttle.attempts:
                waits.append(throttle.retry_after_seconds(opened_at, now))
        account = await store.people.find_account(conn, email)
    if waits:
        raise errors.TooManyRequests(max(waits))
    # An over-long password can't be right; it is cut so that it costs no more than another.
    right = await passwords.is_right(
        account.password_hash if account else None, password[: people.PASSWORD_MAX_LENGTH + 1]
    )
    expired = (
        account is not None
        and account.password_expires_at is not None
        and account.password_expires_at <= clock.now()
    )
    async with transaction(pool) as conn:
        if account is None or not right or expired:
            await store.tenants.add_log(
                conn,
                account.person.tenant_id if account else None,
                at=clock.now(),
                user_id=account.person.user_id if account else None,
                actor=account.person.name if account else "",
                act="sign-in-refused",
                address=address,
                subject={},
            )
        else:
            for _, subject in subjects:
                await store.people.forgive_attempt(conn, subject)
    if account is None or not right or expired:
        raise people.WrongPassword
    return account
