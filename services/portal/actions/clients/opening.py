"""How operators let client companies and their administrators in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid4

import asyncpg

from libs.shared import clock, errors
from libs.shared.database import Connection, Pool, tenant_transaction, transaction
from libs.shared.events import Locale
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import contracts, telling
from services.portal.actions.people import issuing
from services.portal.actions.people.passwords import Passwords
from services.portal.rules import people
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Person
from services.portal.store.clients import Glance, Tenant
from services.portal.store.machines import Agent
from services.portal.store.runs.shown import ClientVolume, Plan, Run

_LOOKED_AT = 2
"""Of how many runs of a plan the last that ended is sought: one more may be under way."""


class EmailTaken(errors.Refusal):
    """A mail address names one account in the whole installation."""

    code = "email-taken"
    status = 409
    title = "This address already has an account"

    def __init__(self, email: str) -> None:
        super().__init__()
        self.email = email

    @property
    def detail(self) -> str:
        return f"{self.email} already has an account; give another address."


class TenantKnown(errors.Refusal):
    """A client that is there can't be opened again."""

    code = "tenant-known"
    status = 409
    title = "This client exists"

    @property
    def detail(self) -> str:
        return "A client with this id exists; leave the id out to open another one."


@dataclass(frozen=True)
class Contract:
    """The terms of a new subscription and its first administrator.

    tenant_id: that of a client whose copies were rebuilt from the bucket; None for a new one.
    maintenance_until: the last day that the backup software is maintained, where that ends it.
    """

    name: str
    locale: Locale
    timezone: str
    contracted_bytes: int
    seats: int
    retention_days: int
    administrator_name: str
    administrator_email: str
    tenant_id: UUID | None = None
    maintenance_until: date | None = None


async def open_tenant(
    pool: Pool,
    passwords: Passwords,
    mail_key: bytes,
    operator: Actor,
    terms: Contract,
) -> UUID:
    """Creates a client company; its administrator is mailed a one-time password.

    Raises EmailTaken, TenantKnown, NoPrice, SizeNotOffered.
    """
    now = clock.now()
    tenant = Tenant(
        tenant_id=terms.tenant_id or uuid4(),
        name=terms.name,
        locale=terms.locale,
        timezone=terms.timezone,
        contracted_bytes=terms.contracted_bytes,
        seats=terms.seats,
        retention_days=terms.retention_days,
        subscription="active",
        subscription_reason="",
        subscription_since=now,
        ends_at=None,
        ended_at=None,
        destruction_due_at=None,
        maintenance_until=terms.maintenance_until,
        version=1,
        created_at=now,
    )
    administrator = Person(
        uuid4(),
        tenant.tenant_id,
        "administrator",
        terms.administrator_name,
        terms.administrator_email,
        terms.locale,
    )
    password = people.new_code()
    hashed = await passwords.hash(password)
    expires_at = now + people.ONE_TIME_LIFE
    try:
        async with transaction(pool) as conn:
            await store.clients.add(conn, tenant)
            await store.people.add(
                conn, administrator, hashed, password_expires_at=expires_at, now=now
            )
            is_back = terms.tenant_id is not None
            await contracts.open_contract(conn, operator, tenant, now, is_back=is_back)
            await store.clients.tell_ingest(conn, tenant)
            await telling.publish_tenant(conn, tenant)
            await issuing.issue_password(
                conn, mail_key, administrator, password, expires_at, first=True
            )
            await log.note(conn, operator, acts.TenantOpened(tenant.name), tenant.tenant_id)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "users_email":
            raise EmailTaken(terms.administrator_email) from error
        if error.constraint_name == "tenants_pkey":
            raise TenantKnown from error
        raise
    return tenant.tenant_id


@dataclass(frozen=True)
class View:
    """One client as operators see it.

    last: each plan's last run that ended, if any did. late: since when a plan's run is missed.
    """

    tenant: Tenant
    people: list[Person]
    agents: list[Agent]
    volume: ClientVolume
    plans: list[Plan]
    last: dict[UUID, Run | None]
    late: dict[UUID, datetime]


async def list_tenants(pool: Pool, operator: Actor) -> list[Glance]:
    """Every client with its state at a glance, by name."""
    async with transaction(pool) as conn:
        found = await store.clients.list_all(conn)
        await log.note(conn, operator, acts.TenantsListed(len(found)))
    return found


async def view_tenant(pool: Pool, operator: Actor, tenant_id: UUID) -> View:
    """One client with its people, machines, volume and plans; raises NotFound."""
    async with tenant_transaction(pool, tenant_id) as conn:
        tenant = await store.clients.find(conn, tenant_id)
        if tenant is None:
            raise errors.NotFound("client")
        plans = await store.runs.shown.list_plans(conn, tenant_id)
        runs = await store.runs.shown.list_latest_runs(
            conn, tenant_id, [plan.plan_id for plan in plans], _LOOKED_AT
        )
        view = View(
            tenant,
            await store.people.list_of_tenant(conn, tenant_id),
            await store.machines.list_agents(conn, tenant_id),
            await store.runs.shown.find_volume(conn, tenant_id),
            plans,
            {
                plan_id: next((run for run in of_plan if run.outcome), None)
                for plan_id, of_plan in runs.items()
            },
            await store.incidents.list_late(conn, tenant_id),
        )
        await log.note(conn, operator, acts.TenantViewed(), tenant_id)
    return view


async def reset_password(
    pool: Pool,
    passwords: Passwords,
    mail_key: bytes,
    operator: Actor,
    email: str,
    *,
    forget_factors: bool = False,
) -> None:
    """Mails somebody of a client a new one-time password; the old one ends at once.

    forget_factors: takes second factors away as well, which were lost."""
    password = people.new_code()
    hashed = await passwords.hash(password)
    async with transaction(pool) as conn:
        await issue_reset(
            conn, mail_key, operator, email, password, hashed, forget_factors=forget_factors
        )


async def issue_reset(
    conn: Connection,
    mail_key: bytes,
    operator: Actor,
    email: str,
    password: str,
    hashed: str,
    *,
    tenant_id: UUID | None = None,
    forget_factors: bool = False,
) -> None:
    """Replaces a password of a client's account within a transaction; raises NotFound, Conflict.

    tenant_id: the client that they still have to belong to, where one is meant."""
    account = await store.people.find_account(conn, email)
    if account is None or account.person.tenant_id is None:
        raise errors.NotFound("account")
    person, expires_at = account.person, clock.now() + people.ONE_TIME_LIFE
    if tenant_id not in (None, person.tenant_id):
        raise errors.NotFound("account")
    await issuing.renew_password(conn, mail_key, account, password, hashed, expires_at)
    await log.note(conn, operator, acts.PasswordReset(person.email), person.tenant_id)
    if forget_factors and await store.factors.forget(conn, person.user_id):
        act = acts.SecondFactorsForgotten(person.email)
        await log.note(conn, operator, act, person.tenant_id)
