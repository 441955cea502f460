"""A client's administrators open, change and close the accounts of its people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
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
    """A client's people with an account, and for how many there are seats."""

    people: list[Person]
    seats: int


async def list_users(pool: Pool, administrator: Actor) -> ClientUsers:
    """Everybody of a client who has an account."""
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, administrator.tenant_id)
        found = await store.people.list_of_tenant(conn, tenant.tenant_id)
        await log.note(conn, administrator, acts.UsersListed())
    return ClientUsers(found, tenant.seats)


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
    pool: Pool, administrator: Actor, user_id: UUID, name: str | None, role: Role | None
) -> Person:
    """Sets somebody's name or role; raises NotFound, LastAdministrator."""
    async with transaction(pool) as conn:
        tenant, before = await _find(conn, administrator, user_id)
        person = replace(before, name=name or before.name, role=role or before.role)
        await store.people.change(conn, person)
        users.check_administered(await store.people.list_of_tenant(conn, tenant.tenant_id))
        await _tell(conn, tenant, before.role, person.role)
        act = acts.UserChanged(person.email, person.name, person.role)
        await log.note(conn, administrator, act)
    return person


async def close_user(pool: Pool, administrator: Actor, user_id: UUID) -> None:
    """Takes an account away, signed out everywhere at once; its seat is free.

    Raises NotFound, LastAdministrator."""
    async with transaction(pool) as conn:
        tenant, person = await _find(conn, administrator, user_id)
        await store.people.drop_credentials(conn, user_id)
        await store.guesses.forget(conn, user_id)
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
        raise users.SeatsUsed(seats, await _preview_seat(conn, administrator, tenant, seats + 1))


async def _preview_seat(
    conn: Connection, administrator: Actor, tenant: Tenant, seats: int
) -> dict[str, Any] | None:
    try:
        _, shown = await ordering.draw_up(conn, tenant, administrator, OrderWish("seats", seats))
    except errors.Refusal:
        return None
    return dict(to_jsonable_python(saying.preview_to_json(shown)))


async def _tell(conn: Connection, tenant: Tenant, *roles: Role) -> None:
    """Tells the others who the administrators are, and who gets reports by having an account."""
    if "administrator" in roles:
        version = await store.clients.renew(conn, tenant.tenant_id)
        await telling.publish_tenant(conn, replace(tenant, version=version))
    await recipients.tell(conn, tenant.tenant_id)
