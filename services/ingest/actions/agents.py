"""Enrolling machines, knowing them again, and what they declare."""

from __future__ import annotations

import hashlib
import secrets
from uuid import UUID, uuid4

from libs.shared import clock, database, logs, outbox
from libs.shared.errors import Unauthenticated
from libs.shared.events import AgentEnrolled, PlanDeclared
from libs.shared.keys import TenantKeys
from services.ingest import rules, store
from services.ingest.actions.ingest import Ingest


async def authenticate(ingest: Ingest, token: str) -> rules.Agent:
    """Returns the agent of a token, looked up each time so that a revocation holds at once."""
    digest = hashlib.sha256(token.encode()).digest()
    async with database.acquire(ingest.pool) as conn:
        agent = await store.find_agent(conn, digest)
    if agent is None:
        raise Unauthenticated("The agent's token is wrong or was revoked; enrol the machine again.")
    return agent


async def enrol(
    ingest: Ingest, code: str, machine: rules.Machine
) -> tuple[rules.Agent, str, TenantKeys]:
    """Makes a machine an agent of the tenant whose one-time code it has.

    After a rebuild, the machine goes on as the agent of its name whose token was lost.
    Returns the agent, its token (of which only a hash is kept) and the tenant's keys.
    """
    now = clock.now()
    code_sha256 = hashlib.sha256(code.strip().encode()).hexdigest()
    async with database.acquire(ingest.pool) as conn:
        found = await store.find_enrolment(conn, code_sha256, now)
    if found is None:
        raise rules.EnrolmentCodeInvalid
    tenant_id, subscription, reason = found
    rules.check_subscription(subscription, reason)
    keys = await _ensure_keys(ingest, tenant_id)
    token = "cfa_" + secrets.token_urlsafe(32)
    async with database.transaction(ingest.pool) as conn:
        if not await store.use_enrolment(conn, code_sha256, now):
            raise rules.EnrolmentCodeInvalid
        digest = hashlib.sha256(token.encode()).digest()
        agent_id = await store.take_vacancy(conn, tenant_id, digest, machine, now)
        if agent_id is None:
            agent_id = uuid4()
            await store.add_agent(conn, tenant_id, agent_id, digest, machine, now)
        await outbox.add(
            conn,
            AgentEnrolled(
                tenant_id=tenant_id,
                agent_id=agent_id,
                hostname=machine.hostname,
                platform=machine.platform,
                agent_version=machine.agent_version,
                enrolled_at=now,
            ),
        )
    logs.get().info("agent.enrolled", tenant_id=str(tenant_id), agent_id=str(agent_id))
    agent = rules.Agent(agent_id, tenant_id, machine.hostname, subscription, reason, None, "")
    return agent, token, keys


async def _ensure_keys(ingest: Ingest, tenant_id: UUID) -> TenantKeys:
    """The tenant's keys; a lock sees to it that two first agents at once don't make two."""
    async with database.session(ingest.pool) as conn:
        await store.lock_keys(conn, tenant_id)
        return await ingest.keys.create(tenant_id)


async def declare_plan(
    ingest: Ingest, agent: rules.Agent, name: str, declaration: rules.Declaration
) -> tuple[UUID, int | None, UUID | None]:
    """Keeps what an agent copies under this name; says so where it is new or another.

    Returns (plan, number and run id of its newest restore point).
    """
    now = clock.now()
    rules.check_subscription(agent.subscription, agent.subscription_reason)
    async with database.transaction(ingest.pool) as conn:
        plan_id, version = await store.put_plan(
            conn,
            agent.tenant_id,
            agent.agent_id,
            uuid4(),
            name,
            declaration.model_dump(mode="json"),
        )
        if version is not None:
            await store.add_catalogue_plan(
                conn, agent.tenant_id, agent.agent_id, plan_id, name, now
            )
            await outbox.add(conn, _declared(agent, plan_id, name, version, declaration))
        number, run_id = await store.find_last_run(conn, agent.tenant_id, plan_id)
    if version is not None:
        logs.get().info("plan.declared", tenant_id=str(agent.tenant_id), plan_id=str(plan_id))
    return plan_id, number, run_id


def _declared(
    agent: rules.Agent, plan_id: UUID, name: str, version: int, declaration: rules.Declaration
) -> PlanDeclared:
    return PlanDeclared(
        tenant_id=agent.tenant_id,
        plan_id=plan_id,
        version=version,
        agent_id=agent.agent_id,
        hostname=agent.hostname,
        name=name,
        folders=declaration.folders,
        schedule=declaration.schedule,
        timezone=declaration.timezone,
        dumps=declaration.dumps,
        recipients=declaration.recipients,
        reports=declaration.reports,
    )
