"""The provider's operators: let in, given a duty, given another password, let go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

from libs.shared import clock, errors
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import Locale
from services.portal import store
from services.portal.actions import log
from services.portal.actions.people.passwords import Passwords
from services.portal.rules import operators, people
from services.portal.rules.log import acts
from services.portal.rules.log.chain import COFFRE, Actor, Duty
from services.portal.rules.people import Person


@dataclass(frozen=True)
class Issued:
    """An operator with a one-time password, which is shown this once."""

    person: Person
    password: str


async def list_operators(pool: Pool, actor: Actor) -> list[Person]:
    """Every operator, administrators first."""
    async with transaction(pool) as conn:
        found = await store.people.list_operators(conn)
        await log.note(conn, actor, acts.OperatorsListed())
    return found


async def add_operator(
    conn: Connection,
    passwords: Passwords,
    actor: Actor,
    *,
    name: str,
    email: str,
    locale: Locale,
    duty: Duty,
) -> Issued:
    """Writes a new operator, who has a one-time password; raises Conflict for a known address."""
    password = people.new_code()
    hashed = await passwords.hash(password)
    now = clock.now()
    person = Person(uuid4(), None, "operator", name, email, locale, duty)
    expires_at = now + people.ONE_TIME_LIFE
    try:
        await store.people.add(conn, person, hashed, password_expires_at=expires_at, now=now)
    except asyncpg.UniqueViolationError:
        raise errors.Conflict(f"{email} already has an account; give another address.") from None
    await log.note(conn, actor, acts.OperatorAdded(email, duty))
    return Issued(person, password)


async def change_operator(
    conn: Connection, actor: Actor, user_id: UUID, name: str | None, duty: Duty | None
) -> Person:
    """Sets an operator's name or duty; raises NotFound, LastOperator.

    The installation's own token leaves with the duty of an administrator."""
    before = await _find(conn, user_id)
    person = replace(before, name=name or before.name, duty=duty or before.duty)
    await store.people.change(conn, person)
    await _check_administered(conn)
    if person.duty != "administrator":
        await _hand_bootstrap(conn, user_id)
    act = acts.OperatorChanged(person.email, person.name, str(person.duty))
    await log.note(conn, actor, act)
    return person


async def reset_operator(
    conn: Connection, passwords: Passwords, actor: Actor, user_id: UUID
) -> Issued:
    """Gives an operator a new one-time password, and signs them out everywhere; raises NotFound."""
    password = people.new_code()
    hashed = await passwords.hash(password)
    now = clock.now()
    person = await _find(conn, user_id)
    account = await store.people.find_account(conn, person.email)
    if account is None or not await store.people.replace_password(
        conn,
        user_id,
        hashed,
        replaces_hash=account.password_hash,
        expires_at=now + people.ONE_TIME_LIFE,
        now=now,
    ):
        raise errors.Conflict("The password was changed at this moment; try again.")
    await store.credentials.drop_all(conn, user_id)
    await log.note(conn, actor, acts.OperatorReset(person.email))
    return Issued(person, password)


async def close_operator(conn: Connection, actor: Actor, user_id: UUID) -> None:
    """Takes an operator's account away, signed out everywhere; raises NotFound, LastOperator.

    What they did stays in the log, by name. The installation's own token goes to who is the first
    administrator then."""
    person = await _find(conn, user_id)
    await store.credentials.drop_all(conn, user_id)
    await store.guesses.forget(conn, user_id)
    await store.factors.forget(conn, user_id)
    await store.people.change(conn, replace(person, duty="hotline"))
    await _check_administered(conn)
    await _hand_bootstrap(conn, user_id)
    await store.people.remove(conn, user_id)
    await log.note(conn, actor, acts.OperatorClosed(person.email))


async def forget_factors(conn: Connection, email: str) -> None:
    """Takes all second factors of an operator away; raises NotFound for anybody else."""
    account = await store.people.find_account(conn, email)
    if account is None or not account.person.is_operator:
        raise errors.NotFound("operator")
    await store.factors.forget(conn, account.person.user_id)
    await store.credentials.drop_all(conn, account.person.user_id)
    await log.note(conn, COFFRE, acts.SecondFactorsForgotten(account.person.email))


async def let_in(
    pool: Pool,
    passwords: Passwords,
    actor: Actor,
    *,
    name: str,
    email: str,
    locale: Locale,
    duty: Duty,
) -> Issued:
    """As `add_operator`, in a transaction of its own."""
    async with transaction(pool) as conn:
        return await add_operator(
            conn, passwords, actor, name=name, email=email, locale=locale, duty=duty
        )


async def change(
    pool: Pool, actor: Actor, user_id: UUID, name: str | None, duty: Duty | None
) -> Person:
    """As `change_operator`, in a transaction of its own."""
    async with transaction(pool) as conn:
        return await change_operator(conn, actor, user_id, name, duty)


async def reset(pool: Pool, passwords: Passwords, actor: Actor, user_id: UUID) -> Issued:
    """As `reset_operator`, in a transaction of its own."""
    async with transaction(pool) as conn:
        return await reset_operator(conn, passwords, actor, user_id)


async def let_go(pool: Pool, actor: Actor, user_id: UUID) -> None:
    """As `close_operator`, in a transaction of its own."""
    async with transaction(pool) as conn:
        await close_operator(conn, actor, user_id)


async def _find(conn: Connection, user_id: UUID) -> Person:
    """An operator; two who change operators take turns, so that one administrator is left."""
    found = [one for one in await store.people.lock_operators(conn) if one.user_id == user_id]
    if not found:
        raise errors.NotFound("operator")
    return found[0]


async def check_settled(conn: Connection, actor: Actor, now: datetime) -> None:
    """Raises UnsettledOperator where another operator has known their password lately."""
    if actor.user_id is not None:
        operators.check_settled(await store.people.find_issued(conn, actor.user_id), now)


async def _hand_bootstrap(conn: Connection, before: UUID) -> None:
    heir = await store.people.find_first_operator(conn)
    if heir is not None:
        await store.people.hand_bootstrap(conn, before, heir)


async def _check_administered(conn: Connection) -> None:
    if not any(one.duty == "administrator" for one in await store.people.list_operators(conn)):
        raise operators.LastOperator
