"""A client's machines: codes to join, who joined, what is withdrawn."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from libs.shared import clock, errors, outbox
from libs.shared.database import Pool, transaction
from libs.shared.events import AgentRevoked, EnrolmentOpened, SubscriptionState
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import telling
from services.portal.rules import people
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.clients import Tenant
from services.portal.store.machines import Agent, Code


class NotEnrollable(errors.Refusal):
    """A machine can join only while copies are accepted."""

    code = "subscription-state"
    status = 409
    title = "No machine can join"

    def __init__(self, state: SubscriptionState) -> None:
        super().__init__()
        self.state: SubscriptionState = state

    @property
    def detail(self) -> str:
        return f"The subscription is {self.state}: machines can join only while it is active."


class Misdirected(errors.Refusal):
    """An agent asks the portal for what ingest does."""

    code = "misdirected"
    status = 421
    title = "This is the portal"

    def __init__(self, ingest_url: str) -> None:
        super().__init__(ingest_url)
        self.ingest_url = ingest_url

    @property
    def detail(self) -> str:
        return f"This is the portal; the agent's address is {self.ingest_url}."


class CodeShown(errors.Refusal):
    """The form of a code that was shown came again: a page that was loaded once more."""

    code = "code-shown"
    status = 409
    title = "This code was shown"

    @property
    def detail(self) -> str:
        return "The code of this form was shown once; take it back and ask for another one."


@dataclass(frozen=True)
class Machines:
    """A client's machines, and the codes with which others may join."""

    tenant: Tenant
    machines: list[Agent]
    codes: list[Code]
    pulse: str


@dataclass(frozen=True)
class Enrolment:
    """A code with which one machine may join, shown once."""

    enrolment_id: UUID
    code: str
    expires_at: datetime


async def list_machines(pool: Pool, actor: Actor, tenant_id: UUID) -> Machines:
    """For an operator, or for somebody of the client; raises NotFound."""
    async with transaction(pool) as conn:
        tenant = await store.clients.find(conn, tenant_id)
        if tenant is None:
            raise errors.NotFound("tenant")
        found = Machines(
            tenant,
            await store.machines.list_agents(conn, tenant_id),
            await store.machines.list_open_codes(conn, tenant_id, clock.now()),
            await store.machines.find_pulse(conn, tenant_id),
        )
        await log.note(conn, actor, acts.MachinesListed(), tenant_id)
    return found


async def open_enrolment(
    pool: Pool, actor: Actor, tenant_id: UUID, label: str, enrolment_id: UUID | None = None
) -> Enrolment:
    """Hands out a one-time code, good at once; raises NotFound, NotEnrollable.

    enrolment_id: of the form that asks; once more it raises CodeShown.
    """
    if actor.user_id is None:
        raise RuntimeError("machines are let in by a person")
    now = clock.now()
    enrolment = Enrolment(enrolment_id or uuid4(), people.new_code(), now + people.ENROLMENT_LIFE)
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        if tenant.subscription not in {"active", "ending"}:
            raise NotEnrollable(tenant.subscription)
        if not await store.machines.add_enrolment(
            conn,
            tenant_id,
            enrolment.enrolment_id,
            label,
            actor.user_id,
            now,
            enrolment.expires_at,
        ):
            raise CodeShown
        opened = EnrolmentOpened(
            tenant_id=tenant_id,
            enrolment_id=enrolment.enrolment_id,
            code_sha256=hashlib.sha256(enrolment.code.encode()).hexdigest(),
            label=label,
            expires_at=enrolment.expires_at,
        )
        await store.machines.hand_to_ingest(
            conn,
            tenant_id,
            opened.enrolment_id,
            opened.code_sha256,
            opened.label,
            opened.expires_at,
        )
        await outbox.add(conn, opened)
        await log.note(conn, actor, acts.EnrolmentOpened(label), tenant_id)
    return enrolment


async def withdraw_code(pool: Pool, actor: Actor, tenant_id: UUID, enrolment_id: UUID) -> None:
    """Ends a code that nobody used, where ingest reads it; raises NotFound for any other."""
    now = clock.now()
    async with transaction(pool) as conn:
        label = await store.machines.end_code(conn, tenant_id, enrolment_id, now)
        if label is None:
            raise errors.NotFound("code")
        await log.note(conn, actor, acts.EnrolmentWithdrawn(label), tenant_id)


async def find_machine(pool: Pool, actor: Actor, agent_id: UUID) -> Agent:
    """One of the machines of whoever asks; raises NotFound."""
    found = await list_machines(pool, actor, actor.tenant_id)
    for machine in found.machines:
        if machine.agent_id == agent_id:
            return machine
    raise errors.NotFound("agent")


async def revoke_agent(
    pool: Pool, actor: Actor, agent_id: UUID, of_tenant: UUID | None = None
) -> datetime:
    """Withdraws a machine's token; once more changes nothing. Raises NotFound.

    of_tenant: where a client withdraws one of its own.

    Returns since when ingest knows it no more: what the machine has under way is cut then.
    """
    now = clock.now()
    async with transaction(pool) as conn:
        tenant_id = await store.machines.find_agent_tenant(conn, agent_id)
        if tenant_id is None or of_tenant not in {None, tenant_id}:
            raise errors.NotFound("agent")
        revoked_at = await store.machines.revoke_agent(conn, tenant_id, agent_id, now)
        if revoked_at == now:
            await store.machines.tell_ingest(conn, agent_id, now)
            await outbox.add(
                conn, AgentRevoked(tenant_id=tenant_id, agent_id=agent_id, revoked_at=now)
            )
            await log.note(conn, actor, acts.AgentRevoked(str(agent_id)), tenant_id)
    return revoked_at
