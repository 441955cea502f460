"""A client's administrators open, change and close the accounts of its people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import asyncpg
from pydantic_core import to_jsonable_python

from libs.shared import clock, errors
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import Locale
from services.portal import store
from services.portal.actions import log, recipients
from services.portal.actions.clients import telling
from services.portal.actions.clients.opening import EmailTaken
from services.portal.actions.orders import ordering, saying
from services.portal.actions.orders.ordering import OrderInFull
from services.portal.actions.people import issuing
from services.portal.actions.people.passwords import Passwords
from services.portal.rules import people, users
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.orders import ordering as orders
from services.portal.rules.orders.ordering import OrderWish
from services.portal.rules.orders.refusals import OrderRefused
from services.portal.rules.people import Person, Role
from services.portal.store.clients import Tenant


@dataclass(frozen=True)
class ClientUsers:
    """A client's people with an account, and for how many there are seats.

    next_seat: what one more would cost, where it can be ordered.
    """

    people: list[Person]
    tenant: Tenant
    next_seat: OrderInFull | None

    @property
    def seats(self) -> int:
        """How many may have an account."""
        return self.tenant.seats


async def list_users(pool: Pool, administrator: Actor) -> ClientUsers:
    """Everybody of a client who has an account."""
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, administrator.tenant_id)
        found = await store.people.list_of_tenant(conn, tenant.tenant_id)
        next_seat = await _preview_seat(conn, administrator, tenant, tenant.seats + 1)
        await log.note(conn, administrator, acts.UsersListed())
    return ClientUsers(found, tenant, next_seat)


async def find_contract(pool: Pool, person: Person) -> Tenant | None:
    """The contract of somebody's company; None for operators."""
    if person.tenant_id is None:
        return None
    async with transaction(pool) as conn:
        return await store.clients.find(conn, person.tenant_id)


async def view_user(pool: Pool, administrator: Actor, user_id: UUID) -> Person:
    """Somebody of a client who has an account; raises NotFound."""
    async with transaction(pool) as conn:
        _, person = await _find(conn, administrator, user_id)
        await log.note(conn, administrator, acts.UsersListed())
    return person


async def open_user(
    pool: Pool,
    passwords: Passwords,
    mail_key: bytes,
    administrator: Actor,
    *,
    name: str,
    email: str,
    locale: Locale,
    role: Role,
) -> Person:
    """Gives somebody an account; they are mailed a one-time password.

    Raises SeatsUsed, EmailTaken, OrderRefused.
    """
    password = people.new_code()
    hashed = await passwords.hash(password)
    now = clock.now()
    expires_at = now + people.ONE_TIME_LIFE
    person = Person(uuid4(), administrator.tenant_id, role, name, email, locale)
    try:
        async with transaction(pool) as conn:
            tenant = await telling.lock_tenant(conn, administrator.tenant_id)
            await _check_seat(conn, administrator, tenant)
            await store.people.add(conn, person, hashed, password_expires_at=expires_at, now=now)
            await issuing.issue_password(conn, mail_key, person, password, expires_at, first=True)
            await _tell(conn, tenant, role)
            await log.note(conn, administrator, acts.UserOpened(email, role))
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "users_email":
            raise EmailTaken(email) from error
        raise
    return person


async def change_user(
    pool: Pool,
    administrator: Actor,
    user_id: UUID,
    name: str | None,
    role: Role | None,
    locale: Locale | None = None,
) -> Person:
    """Sets somebody's name, role or language; raises NotFound, LastAdministrator."""
    async with transaction(pool) as conn:
        return await change(conn, administrator, user_id, name, role, locale)


async def change(
    conn: Connection,
    administrator: Actor,
    user_id: UUID,
    name: str | None,
    role: Role | None,
    locale: Locale | None = None,
) -> Person:
    """The same within a transaction."""
    tenant, before = await _find(conn, administrator, user_id)
    person = replace(
        before,
        name=name or before.name,
        role=role or before.role,
        locale=locale or before.locale,
    )
    await store.people.change(conn, person)
    users.check_administered(await store.people.list_of_tenant(conn, tenant.tenant_id))
    await _tell(conn, tenant, before.role, person.role)
    act = acts.UserChanged(person.email, person.name, person.role, person.locale)
    await log.note(conn, administrator, act)
    return person


async def reset_password(
    pool: Pool, passwords: Passwords, mail_key: bytes, administrator: Actor, user_id: UUID
) -> Person:
    """Mails somebody a new one-time password; they are signed out everywhere at once.

    Raises NotFound, ResetByProvider for an administrator."""
    password = people.new_code()
    hashed = await passwords.hash(password)
    async with transaction(pool) as conn:
        _, person = await _find(conn, administrator, user_id)
        users.check_reset(person)
        account = await store.people.find_account(conn, person.email)
        if account is None:
            raise errors.NotFound("user")
        expires_at = clock.now() + people.ONE_TIME_LIFE
        await issuing.renew_password(conn, mail_key, account, password, hashed, expires_at)
        await log.note(conn, administrator, acts.PasswordReset(person.email))
    return person


async def sign_out(pool: Pool, administrator: Actor, user_id: UUID) -> Person:
    """Signs somebody out everywhere, their programs too; raises NotFound."""
    async with transaction(pool) as conn:
        _, person = await _find(conn, administrator, user_id)
        await store.credentials.drop_all(conn, user_id)
        await log.note(conn, administrator, acts.UserSignedOut(person.email))
    return person


async def forget_factors(pool: Pool, administrator: Actor, user_id: UUID) -> Person:
    """Takes all second factors of somebody away who lost them; they are signed out everywhere.

    Raises NotFound, ResetByProvider for an administrator."""
    async with transaction(pool) as conn:
        _, person = await _find(conn, administrator, user_id)
        users.check_reset(person)
        await store.factors.forget(conn, user_id)
        await store.credentials.drop_all(conn, user_id)
        await log.note(conn, administrator, acts.SecondFactorsForgotten(person.email))
    return person


async def choose_language(pool: Pool, person: Person, address: str, locale: Locale) -> None:
    """Sets the language and formats in which somebody sees pages and mails."""
    async with transaction(pool) as conn:
        if person.tenant_id is None:
            await store.people.set_locale(conn, person.user_id, locale)
        else:
            tenant = await telling.lock_tenant(conn, person.tenant_id)
            await store.people.set_locale(conn, person.user_id, locale)
            await _tell(conn, tenant, person.role)
        await log.note(conn, person.at(address), acts.LanguageChosen(locale))


async def close_user(pool: Pool, administrator: Actor, user_id: UUID) -> None:
    """Takes an account away, signed out everywhere at once; its seat is free.

    Raises NotFound, LastAdministrator."""
    async with transaction(pool) as conn:
        await close(conn, administrator, user_id)


async def close(conn: Connection, administrator: Actor, user_id: UUID) -> None:
    """The same within a transaction."""
    tenant, person = await _find(conn, administrator, user_id)
    await store.credentials.drop_all(conn, user_id)
    await store.guesses.forget(conn, user_id)
    await store.factors.forget(conn, user_id)
    await store.people.remove(conn, user_id)
    users.check_administered(await store.people.list_of_tenant(conn, tenant.tenant_id))
    await _tell(conn, tenant, person.role)
    await log.note(conn, administrator, acts.UserClosed(person.email))


async def _find(conn: Connection, administrator: Actor, user_id: UUID) -> tuple[Tenant, Person]:
    tenant = await telling.lock_tenant(conn, administrator.tenant_id)
    person = await store.people.lock(conn, tenant.tenant_id, user_id)
    if person is None:
        raise errors.NotFound("user")
    return tenant, person


async def _check_seat(conn: Connection, administrator: Actor, tenant: Tenant) -> None:
    """Raises SeatsUsed unless one more may have an account, also once fewer seats take effect."""
    if tenant.subscription not in {"active", "ending"}:
        raise OrderRefused(tenant.subscription, tenant.subscription_reason)
    placed = await store.orders.placed.list_of_tenant(conn, tenant.tenant_id)
    ordered = orders.find_target(placed, "seats")
    seats = min(tenant.seats, ordered.after) if ordered else tenant.seats
    if len(await store.people.list_of_tenant(conn, tenant.tenant_id)) >= seats:
        shown = await _preview_seat(conn, administrator, tenant, seats + 1)
        order = dict(to_jsonable_python(saying.preview_to_json(shown))) if shown else None
        raise users.SeatsUsed(seats, order)


async def _preview_seat(
    conn: Connection, administrator: Actor, tenant: Tenant, seats: int
) -> OrderInFull | None:
    try:
        _, shown = await ordering.draw_up(conn, tenant, administrator, OrderWish("seats", seats))
    except errors.Refusal:
        return None
    return shown


async def _tell(conn: Connection, tenant: Tenant, *roles: Role) -> None:
    """Tells the others who the administrators are, and who gets reports by having an account."""
    if "administrator" in roles:
        version = await store.clients.renew(conn, tenant.tenant_id)
        await telling.publish_tenant(conn, replace(tenant, version=version))
    await recipients.tell(conn, tenant.tenant_id)
