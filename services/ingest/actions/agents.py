"""Enrolling machines, knowing them again, and what they declare."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from uuid import UUID, uuid4

from libs.shared import clock, database, logs, outbox
from libs.shared.database import Connection
from libs.shared.errors import Unauthenticated, Unavailable
from libs.shared.events import AgentEnrolled
from libs.shared.keys import KeysDestroyed, TenantKeys
from services.ingest import rules, store
from services.ingest.actions.resources import WAIT_SECONDS, Resources
from services.ingest.actions.underway import Cut, Incoming


async def authenticate(resources: Resources, token: str) -> rules.agents.Agent:
    """Returns the agent of a token, looked up each time so that a revocation holds at once."""
    digest = hashlib.sha256(token.encode()).digest()
    async with database.acquire(resources.pool) as conn:
        agent = await store.agents.find(conn, digest)
    if agent is None:
        raise Unauthenticated(rules.agents.NOT_KNOWN)
    return agent


@asynccontextmanager
async def taking_in(resources: Resources, agent: rules.agents.Agent) -> AsyncIterator[Incoming]:
    """A request of an agent: cut once it is revoked, or its tenant lets nothing in.

    Raises the refusal that says which.
    """
    try:
        with resources.under_way.hold(agent.agent_id) as incoming:
            yield incoming
    except Cut:
        async with database.acquire(resources.pool) as conn:
            await check_again(conn, agent)
        raise Unavailable("connection, which was cut,", 1) from None


async def check_again(conn: Connection, agent: rules.agents.Agent) -> None:
    """Raises the refusal of an agent that was revoked, or whose tenant lets nothing in any more.

    The last act of a transaction whose commit acknowledges something: a request may have begun
    long before.
    """
    for standing in await store.agents.list_standings(conn, [agent.agent_id]):
        rules.agents.check_standing(standing)


async def cut_withdrawn(resources: Resources) -> None:
    """Cuts what is under way here for agents that may not go on."""
    agent_ids = resources.under_way.agents
    if not agent_ids:
        return
    async with database.acquire(resources.pool) as conn:
        standings = await store.agents.list_standings(conn, agent_ids)
    for standing in standings:
        if rules.agents.is_withdrawn(standing):
            cut = resources.under_way.cut(standing.agent_id)
            logs.get().warning("agent.cut", agent_id=str(standing.agent_id), requests=cut)


async def enrol(
    resources: Resources, code: str, machine: rules.reported.Machine
) -> tuple[rules.agents.Agent, str, TenantKeys]:
    """Makes a machine an agent of the tenant whose one-time code it has.

    After a rebuild, the machine goes on as the agent of its name whose token was lost.
    Returns the agent, its token (of which only a hash is kept) and the tenant's keys.
    """
    now = clock.now()
    code_sha256 = hashlib.sha256(rules.agents.spelled(code).encode()).hexdigest()
    async with database.acquire(resources.pool) as conn:
        found = await store.agents.find_enrolment(conn, code_sha256, now)
    if found is None:
        raise rules.refusals.EnrolmentCodeInvalid
    tenant_id, subscription, reason = found
    rules.agents.check_subscription(subscription, reason)
    keys = await _ensure_keys(resources, tenant_id)
    token = "cfa_" + secrets.token_urlsafe(32)
    async with resources.transaction(tenant_id) as conn:
        if not await store.agents.use_enrolment(conn, code_sha256, now):
            raise rules.refusals.EnrolmentCodeInvalid
        digest = hashlib.sha256(token.encode()).digest()
        agent_id = await store.agents.take_vacancy(conn, tenant_id, digest, machine, now)
        if agent_id is None:
            agent_id = uuid4()
            await store.agents.add(conn, tenant_id, agent_id, digest, machine, now)
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
    agent = rules.agents.Agent(
        agent_id, tenant_id, machine.hostname, subscription, reason, None, ""
    )
    return agent, token, keys


async def _ensure_keys(resources: Resources, tenant_id: UUID) -> TenantKeys:
    """The tenant's keys; a lock sees to it that two first agents at once don't make two.

    Whoever waits for it in this process does so without a connection.
    """
    with suppress(KeysDestroyed):
        return await resources.keys.get(tenant_id)
    async with (
        resources.key_makers.hold(tenant_id, 1, WAIT_SECONDS),
        database.session(resources.pool) as conn,
    ):
        await store.agents.lock_keys(conn, tenant_id)
        return await resources.keys.create(tenant_id)


async def renew_keys(resources: Resources, tenant_id: UUID) -> datetime:
    """Gives a tenant new chunk and data keys; returns from when on they are used.

    What is stored stays as it is, and can be read; machines get the new chunk key with the first
    run that they begin then. Raises KeysDestroyed, KeysUnreadable.
    """
    async with database.session(resources.pool) as conn:
        await store.agents.lock_keys(conn, tenant_id)
        begins_at = await resources.keys.renew(tenant_id)
    logs.get().warning(
        "tenant_keys.renewed", tenant_id=str(tenant_id), begins_at=begins_at.isoformat()
    )
    return begins_at
