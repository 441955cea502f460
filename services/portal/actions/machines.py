"""What operators do about a client's machines."""

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


@dataclass(frozen=True)
class Enrolment:
    """A code with which one machine may join, shown once."""

    enrolment_id: UUID
    code: str
    expires_at: datetime


async def open_enrolment(pool: Pool, operator: Actor, tenant_id: UUID, label: str) -> Enrolment:
    """Hands out a one-time code, good at once; raises NotFound, NotEnrollable."""
    if operator.user_id is None:
        raise RuntimeError("machines are let in by a person")
    now = clock.now()
    enrolment = Enrolment(uuid4(), people.new_code(), now + people.ENROLMENT_LIFE)
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        if tenant.subscription not in {"active", "ending"}:
            raise NotEnrollable(tenant.subscription)
        await store.machines.add_enrolment(
            conn,
            tenant_id,
            enrolment.enrolment_id,
            label,
            operator.user_id,
            now,
            enrolment.expires_at,
        )
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
        await log.note(conn, operator, acts.EnrolmentOpened(label), tenant_id)
    return enrolment


async def revoke_agent(pool: Pool, operator: Actor, agent_id: UUID) -> datetime:
    """Withdraws a machine's token; once more changes nothing. Raises NotFound.

    Returns since when ingest knows it no more: what the machine has under way is cut then.
    """
    now = clock.now()
    async with transaction(pool) as conn:
        tenant_id = await store.machines.find_agent_tenant(conn, agent_id)
        if tenant_id is None:
            raise errors.NotFound("agent")
        revoked_at = await store.machines.revoke_agent(conn, tenant_id, agent_id, now)
        if revoked_at == now:
            await store.machines.tell_ingest(conn, agent_id, now)
            await outbox.add(
                conn, AgentRevoked(tenant_id=tenant_id, agent_id=agent_id, revoked_at=now)
            )
            await log.note(conn, operator, acts.AgentRevoked(str(agent_id)), tenant_id)
    return revoked_at
