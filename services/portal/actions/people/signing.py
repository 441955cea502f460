"""Signing in and out, choosing a password, and what every refusal has in common."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

from libs.shared import clock, errors, secret_files
from libs.shared.database import Connection, Pool, acquire, transaction
from libs.shared.secret_files import SecretFileInvalid
from services.portal import store
from services.portal.actions import factors, guesses, log
from services.portal.actions.guesses import Try
from services.portal.actions.people.passwords import Passwords
from services.portal.rules import people
from services.portal.rules.factors import EnrolFirst, SecondFactorRequired, WrongCode
from services.portal.rules.guesses import Lanes, Visitor
from services.portal.rules.log import acts, chain
from services.portal.rules.log.acts import Why
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Held, Kind, Person

_KIND_LIFE: dict[str, timedelta] = {
    "session": people.SESSION_LIFE,
    "enrolling": people.SESSION_LIFE,
    "token": people.TOKEN_LIFE,
    "pending": people.PENDING_LIFE,
}


@dataclass(frozen=True)
class HandedOut:
    """A credential just handed out; the token itself is kept nowhere, nor is the device's.

    kind: `pending` is good for the second step alone, `enrolling` for setting up a factor."""

    person: Person
    token: str
    expires_at: datetime
    device: str
    kind: Kind


@dataclass(frozen=True)
class Door:
    """What a sign-in is checked with; needs_factor: operators come in with a second one alone."""

    pool: Pool
    passwords: Passwords
    mail_key: bytes = field(repr=False)
    needs_factor: bool


async def sign_in(
    door: Door,
    *,
    email: str,
    password: str,
    visitor: Visitor,
    kind: Literal["session", "token"],
    code: str = "",
    browser: str = "",
) -> HandedOut:
    """Exchanges a password for a credential; where it came from is known from then on.

    Where a second factor is needed, a session waits for it; a token takes its code with the
    password. Raises WrongPassword, PasswordChangeRequired for a one-time password, TooManyTries,
    and for tokens SecondFactorRequired, WrongCode, EnrolFirst."""
    pool = door.pool
    account = await _check_password(pool, door.passwords, email, password, visitor)
    if account.one_time:
        await _note_refusal(pool, account, visitor.address, "password-change-required")
        raise people.PasswordChangeRequired
    person, has_factor = account.person, (await factors.find(pool, account.person)).is_any
    must_enrol = door.needs_factor and person.is_operator and not has_factor
    given: Kind = kind
    if kind == "token":
        await _check_second(door, person, visitor, code, has_factor=has_factor)
        if must_enrol:
            await _note_refusal(pool, account, visitor.address, "second-factor-missing")
            raise EnrolFirst
    elif has_factor:
        given = "pending"
    elif must_enrol:
        given = "enrolling"
    async with transaction(pool) as conn:
        # A change of the password ends all sign-ins, also one that was being compared.
        if not await store.people.keep_password(conn, person.user_id, account.password_hash):
            raise people.WrongPassword
        return await _let_in(conn, person, visitor, given, browser)


async def complete(door: Door, person: Person, token: str, visitor: Visitor) -> HandedOut:
    """Exchanges a sign-in whose second step was made for a session; raises Unauthenticated.

    What waited is gone with it: nobody gets two sessions for one code."""
    async with transaction(door.pool) as conn:
        digest = people.token_sha256(token)
        held = await store.credentials.take(conn, digest, "pending", clock.now())
        if held is None or not await store.people.lock_self(conn, person.user_id):
            raise errors.Unauthenticated
        return await _let_in(conn, person, visitor, "session", held)


async def _let_in(
    conn: Connection, person: Person, visitor: Visitor, kind: Kind, browser: str
) -> HandedOut:
    token, now, device = people.new_token(), clock.now(), ""
    expires_at = now + _KIND_LIFE[kind]
    await store.credentials.add(
        conn,
        person.user_id,
        people.token_sha256(token),
        kind,
        now,
        expires_at,
        address=visitor.address,
        browser=browser[:400],
    )
    if kind == "pending":
        return HandedOut(person, token, expires_at, "", kind)
    await guesses.remember_place(conn, person.user_id, visitor)
    if kind != "token":
        device = await guesses.remember_device(conn, person.user_id, person.email, visitor)
    by: Literal["session", "token"] = "token" if kind == "token" else "session"
    await log.note(conn, person.at(visitor.address), acts.SignedIn(by))
    return HandedOut(person, token, expires_at, device, kind)


async def _check_second(
    door: Door, person: Person, visitor: Visitor, code: str, *, has_factor: bool
) -> None:
    """Raises SecondFactorRequired, WrongCode, TooManyTries; a code nobody asked for is refused."""
    if has_factor and not code:
        raise SecondFactorRequired
    if has_factor:
        await factors.check_code(door.pool, door.mail_key, person, visitor.address, code)
    elif code:
        raise WrongCode


async def confirm_person(door: Door, person: Person, password: str, visitor: Visitor) -> None:
    """Checks that whoever uses a session knows its owner's password: for what outlasts the session.

    Raises WrongPassword, TooManyTries."""
    account = await _check_password(door.pool, door.passwords, person.email, password, visitor)
    if account.person.user_id != person.user_id:
        raise people.WrongPassword


async def change_password(
    door: Door,
    *,
    email: str,
    password: str,
    new_password: str,
    visitor: Visitor,
    code: str = "",
    is_signed_in: bool = False,
) -> Person:
    """Replaces a password, one-time or not, and signs the user out everywhere.

    is_signed_in: by a session, which a second factor has opened. A one-time password needs none:
    the sign-in after it does. Raises WrongPassword, PasswordTooWeak, TooManyTries,
    SecondFactorRequired, WrongCode."""
    pool, passwords = door.pool, door.passwords
    account = await _check_password(pool, passwords, email, password, visitor)
    if not is_signed_in and not account.one_time:
        has_factor = (await factors.find(pool, account.person)).is_any
        await _check_second(door, account.person, visitor, code, has_factor=has_factor)
    # What it takes to judge a password is nothing for the loop.
    await asyncio.to_thread(
        people.check_new_password, new_password, password, account.person, account.company
    )
    hashed = await passwords.hash(new_password)
    user_id = account.person.user_id
    async with transaction(pool) as conn:
        if not await store.people.replace_password(
            conn, user_id, hashed, replaces_hash=account.password_hash, now=clock.now()
        ):
            raise people.WrongPassword
        await store.credentials.drop_all(conn, user_id)
        await guesses.remember_place(conn, user_id, visitor)
        await log.note(conn, account.person.at(visitor.address), acts.PasswordChanged())
    return account.person


async def sign_out(pool: Pool, actor: Actor, token: str) -> None:
    """Ends one session or token at once."""
    async with transaction(pool) as conn:
        await store.credentials.drop(conn, people.token_sha256(token))
        await log.note(conn, actor, acts.SignedOut())


async def find_held(pool: Pool, token: str, kinds: tuple[Kind, ...]) -> Held | None:
    """Who holds a token of some kinds; looked up each time, so that a sign-out counts at once."""
    now = clock.now()
    async with acquire(pool) as conn:
        return await store.credentials.find_holder(
            conn, people.token_sha256(token), list(kinds), now, now - people.SEEN_EVERY
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
        await store.people.lock_bootstrap(conn)
        if not await store.people.has_operator(conn):
            # Clients read who did something: the address says it until there are more operators.
            operator = Person(uuid4(), None, "operator", email, email, "fr", "administrator")
            await store.people.add(conn, operator, hashed, password_expires_at=None, now=now)
        owner = await store.people.find_first_operator(conn)
        if owner is None:
            raise RuntimeError("the operator that was just created is gone")
        await store.credentials.drop_other_bootstraps(conn, digest)
        if await store.credentials.add(conn, owner, digest, "bootstrap", now, None):
            await log.note(conn, chain.COFFRE, acts.OperatorTokenInstalled())


def _read_secret(path: Path) -> str:
    secret = secret_files.read(path)
    if len(secret) < people.PASSWORD_MIN_LENGTH or people.find_weakness(secret):
        raise SecretFileInvalid(
            f"{path}: a secret of at least {people.PASSWORD_MIN_LENGTH} characters is needed that"
            " nobody would guess, such as the output of `openssl rand -hex 24`."
        )
    return secret


async def _check_password(
    pool: Pool, passwords: Passwords, email: str, password: str, visitor: Visitor
) -> store.people.Account:
    """Returns the account; equally slow, and in equal words, whatever is wrong."""
    email = email.strip().replace("\0", "\ufffd")  # PostgreSQL knows no NUL
    async with transaction(pool) as conn:
        lanes = await guesses.find_lanes(conn, email, visitor)
    # Before anything is counted, or a flood would write as fast as it comes.
    async with passwords.room(visitor.network, is_known=lanes.device is not None):
        tried, account = await _count_try(pool, lanes, email, visitor)
        # An over-long password can't be right; it is cut so that it costs no more than another.
        right = await passwords.is_right(
            account.password_hash if account else None,
            password[: people.PASSWORD_MAX_LENGTH + 1],
            source=visitor.network,
            is_known=tried.is_known,
        )
    why = _find_flaw(account, is_right=right)
    # Nobody guesses a one-time password: it opens whatever way others have shut.
    may_pass = tried.may_pass or (account is not None and account.one_time)
    if account is None or why is not None or not may_pass:
        if tried.may_pass:
            await _note_refusal(pool, account, visitor.address, why or "account-unknown")
        raise _too_many(tried.wait) if tried.wait else people.WrongPassword
    async with transaction(pool) as conn:
        await guesses.take_back(conn, tried)
    return account


def _find_flaw(account: store.people.Account | None, *, is_right: bool) -> Why | None:
    """What a sign-in lacks, for the log alone."""
    if account is None:
        return "account-unknown"
    if not is_right:
        return "password-wrong"
    expires_at = account.password_expires_at
    return "password-expired" if expires_at and expires_at <= clock.now() else None


async def _count_try(
    pool: Pool, lanes: Lanes, email: str, visitor: Visitor
) -> tuple[Try, store.people.Account | None]:
    """Finds the account; raises TooManyTries where no password is compared any more."""
    async with transaction(pool) as conn:
        tried = await guesses.count(conn, lanes, visitor)
        account = await store.people.find_account(conn, email)
        if tried.turned_away:
            await _note_refused(
                conn, account, visitor.address, "too-many-attempts", tried.turned_away
            )
    if not tried.is_compared:
        raise _too_many(tried.wait)
    return tried, account


def _too_many(wait: timedelta) -> people.TooManyTries:
    return people.TooManyTries(math.ceil(wait.total_seconds()))


async def _note_refusal(
    pool: Pool, account: store.people.Account | None, address: str, why: Why
) -> None:
    async with transaction(pool) as conn:
        await _note_refused(conn, account, address, why)


async def _note_refused(
    conn: Connection, account: store.people.Account | None, address: str, why: Why, tries: int = 1
) -> None:
    """Nothing of what was typed: it may be a password in the wrong place."""
    stranger = Actor(chain.NOBODY, None, "", address)
    actor = account.person.at(address) if account else stranger
    await log.note(conn, actor, acts.SignInRefused(why, tries))
