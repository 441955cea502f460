"""What operators do to client companies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar
from uuid import UUID, uuid4

import asyncpg

from libs.shared import clock, errors, keys, outbox
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import (
    AgentRevoked,
    EnrolmentOpened,
    Event,
    Locale,
    PasswordIssued,
    SubscriptionEnded,
    SubscriptionReinstated,
    SubscriptionState,
    TenantChanged,
)
from services.portal import store
from services.portal.actions.passwords import Passwords
from services.portal.rules import people, subscriptions
from services.portal.rules.people import Person
from services.portal.rules.subscriptions import Step
from services.portal.store.tenants import Tenant


class EmailTaken(errors.Refusal):
    """A mail address names one account in the whole installation."""

    code: ClassVar[str] = "email-taken"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "This address already has an account"

    def __init__(self, email: str) -> None:
        super().__init__()
        self.email = email

    @property
    def detail(self) -> str:
        return f"{self.email} already has an account; give another address."


class TenantKnown(errors.Refusal):
    """A client that is there can't be opened again."""

    code: ClassVar[str] = "tenant-known"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "This client exists"

    @property
    def detail(self) -> str:
        return "A client with this id exists; leave the id out to open another one."


class NotEnrollable(errors.Refusal):
    """A machine can join only while copies are accepted."""

    code: ClassVar[str] = "subscription-state"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "No machine can join"

    def __init__(self, state: SubscriptionState) -> None:
        super().__init__()
        self.state: SubscriptionState = state

    @property
    def detail(self) -> str:
        return f"The subscription is {self.state}: machines can join only while it is active."


@dataclass(frozen=True)
class Contract:
    """The terms of a new subscription and its first administrator.

    tenant_id: that of a client whose copies were rebuilt from the bucket; None for a new one.
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


@dataclass(frozen=True)
class Enrolment:
    """A code with which one machine may join, shown once."""

    enrolment_id: UUID
    code: str
    expires_at: datetime


async def open_tenant(
    pool: Pool,
    passwords: Passwords,
    mail_key: bytes,
    operator: Person,
    address: str,
    terms: Contract,
) -> UUID:
    """Creates a client company; its administrator is mailed a one-time password.

    Raises EmailTaken, TenantKnown.
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
        ends_at=None,
        ended_at=None,
        destruction_due_at=None,
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
            await store.tenants.add(conn, tenant)
            await store.people.add(
                conn, administrator, hashed, password_expires_at=expires_at, now=now
            )
            await _publish_tenant(conn, tenant)
            await _issue_password(conn, mail_key, administrator, password, expires_at, first=True)
            await log(conn, operator, address, tenant.tenant_id, "tenant-opened", {})
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "users_email":
            raise EmailTaken(terms.administrator_email) from error
        if error.constraint_name == "tenants_pkey":
            raise TenantKnown from error
        raise
    return tenant.tenant_id


async def reset_password(
    pool: Pool, passwords: Passwords, mail_key: bytes, operator: Person, address: str, email: str
) -> None:
    """Mails a client's administrator a new one-time password; the old one ends at once."""
    password = people.new_code()
    hashed = await passwords.hash(password)
    expires_at = clock.now() + people.ONE_TIME_LIFE
    async with transaction(pool) as conn:
        account = await store.people.find_account(conn, email)
        if account is None or account.person.role != "administrator":
            raise errors.NotFound("administrator")
        person = account.person
        if not await store.people.replace_password(
            conn,
            person.user_id,
            hashed,
            replaces_hash=account.password_hash,
            expires_at=expires_at,
        ):
            raise errors.Conflict("The password was changed at this moment; try again.")
        await store.people.drop_credentials(conn, person.user_id)
        await _issue_password(conn, mail_key, person, password, expires_at, first=False)
        await log(conn, operator, address, person.tenant_id, "password-reset", {"email": email})


async def open_enrolment(
    pool: Pool, operator: Person, address: str, tenant_id: UUID, label: str
) -> Enrolment:
    """Hands out a one-time code; raises NotFound, NotEnrollable."""
    now = clock.now()
    enrolment = Enrolment(uuid4(), people.new_code(), now + people.ENROLMENT_LIFE)
    async with transaction(pool) as conn:
        tenant = _known(await store.tenants.lock(conn, tenant_id))
        if tenant.subscription not in {"active", "ending"}:
            raise NotEnrollable(tenant.subscription)
        await store.tenants.add_enrolment(
            conn,
            tenant_id,
            enrolment.enrolment_id,
            label,
            operator.user_id,
            now,
            enrolment.expires_at,
        )
        await outbox.add(
            conn,
            EnrolmentOpened(
                tenant_id=tenant_id,
                enrolment_id=enrolment.enrolment_id,
                code_sha256=hashlib.sha256(enrolment.code.encode()).hexdigest(),
                label=label,
                expires_at=enrolment.expires_at,
            ),
        )
        await log(conn, operator, address, tenant_id, "enrolment-opened", {"label": label})
    return enrolment


async def step_subscription(
    pool: Pool,
    operator: Person | None,
    address: str,
    tenant_id: UUID,
    step: Step,
    reason: str,
    ends_at: datetime | None = None,
) -> Tenant:
    """Moves a subscription to its next state and tells every service.

    Raises NotFound, StepRefused."""
    async with transaction(pool) as conn:
        return await move_subscription(conn, operator, address, tenant_id, step, reason, ends_at)


async def move_subscription(
    conn: Connection,
    operator: Person | None,
    address: str,
    tenant_id: UUID,
    step: Step,
    reason: str,
    ends_at: datetime | None = None,
) -> Tenant:
    """As `step_subscription`, within a transaction; without an operator the day had come."""
    now = clock.now()
    before = _known(await store.tenants.lock(conn, tenant_id))
    state = subscriptions.next_state(step, before.subscription)
    ended_at = now if step == "end" else None
    version = await store.tenants.set_subscription(
        conn, tenant_id, state, reason, ends_at=ends_at, ended_at=ended_at
    )
    after = replace(
        before,
        subscription=state,
        subscription_reason=reason,
        ends_at=ends_at,
        ended_at=ended_at,
        destruction_due_at=None,
        version=version,
    )
    await _publish_tenant(conn, after)
    event: Event | None = None
    if step == "end":
        event = SubscriptionEnded(tenant_id=tenant_id, version=version, ended_at=now, reason=reason)
    elif step == "reinstate":
        event = SubscriptionReinstated(
            tenant_id=tenant_id, version=version, reinstated_at=now, reason=reason
        )
    if event is not None:
        await outbox.add(conn, event)
    await log(conn, operator, address, tenant_id, f"subscription-{step}", {"reason": reason})
    return after


async def revoke_agent(pool: Pool, operator: Person, address: str, agent_id: UUID) -> None:
    """Withdraws a machine's token; once more changes nothing. Raises NotFound."""
    now = clock.now()
    async with transaction(pool) as conn:
        tenant_id = await store.tenants.find_agent_tenant(conn, agent_id)
        if tenant_id is None:
            raise errors.NotFound("agent")
        if await store.tenants.revoke_agent(conn, tenant_id, agent_id, now):
            await outbox.add(
                conn, AgentRevoked(tenant_id=tenant_id, agent_id=agent_id, revoked_at=now)
            )
            await log(
                conn, operator, address, tenant_id, "agent-revoked", {"agent_id": str(agent_id)}
            )


async def log(
    conn: Connection,
    operator: Person | None,
    address: str,
    tenant_id: UUID | None,
    act: str,
    subject: dict[str, object],
) -> None:
    """Writes down what an operator did to a tenant."""
    await store.tenants.add_log(
        conn,
        tenant_id,
        at=clock.now(),
        user_id=operator.user_id if operator else None,
        actor=operator.name if operator else "Coffre",
        act=act,
        address=address,
        subject=subject,
    )


def _known(tenant: Tenant | None) -> Tenant:
    if tenant is None:
        raise errors.NotFound("tenant")
    return tenant


async def _publish_tenant(conn: Connection, tenant: Tenant) -> None:
    await outbox.add(
        conn,
        TenantChanged(
            tenant_id=tenant.tenant_id,
            version=tenant.version,
            name=tenant.name,
            locale=tenant.locale,
            timezone=tenant.timezone,
            administrators=tuple(await store.people.list_administrators(conn, tenant.tenant_id)),
            contracted_bytes=tenant.contracted_bytes,
            seats=tenant.seats,
            subscription=tenant.subscription,
            subscription_reason=tenant.subscription_reason,
            retention_days=tenant.retention_days,
        ),
    )


async def _issue_password(
    conn: Connection,
    mail_key: bytes,
    person: Person,
    password: str,
    expires_at: datetime,
    *,
    first: bool,
) -> None:
    """Sends a one-time password to reporting, sealed; the outbox forgets it once delivered."""
    if person.tenant_id is None:
        raise RuntimeError("operators get no password by mail")
    password_id = uuid4()
    await outbox.add(
        conn,
        PasswordIssued(
            tenant_id=person.tenant_id,
            password_id=password_id,
            user_id=person.user_id,
            name=person.name,
            email=person.email,
            locale=person.locale,
            sealed_password=keys.seal_text(mail_key, password, str(password_id)),
            expires_at=expires_at,
            first=first,
        ),
        blank=("sealed_password",),
    )
