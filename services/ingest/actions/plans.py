"""What machines declare that they copy, and where a plan stands."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from libs.shared import clock, logs, outbox
from libs.shared.database import Connection
from libs.shared.errors import NotFound
from libs.shared.events import PlanDeclared
from services.ingest import rules, store
from services.ingest.actions.resources import Resources
from services.ingest.actions.usage import use


async def declare_plan(
    resources: Resources,
    agent: rules.agents.Agent,
    name: str,
    declaration: rules.reported.Declaration,
) -> tuple[UUID, int | None, UUID | None]:
    """Keeps what an agent copies under this name; says so where it is new or another.

    Returns (plan, number and run id of its newest restore point).
    """
    now = clock.now()
    rules.agents.check_subscription(agent.subscription, agent.subscription_reason)
    async with resources.transaction(agent.tenant_id) as conn:
        plan_id, version = await store.plans.put(
            conn,
            agent.tenant_id,
            agent.agent_id,
            uuid4(),
            name,
            declaration.model_dump(mode="json"),
        )
        if version is not None:
            await _check_allowance(conn, agent.tenant_id, declaration, version, now)
            await store.plans.add_to_catalogue(
                conn, agent.tenant_id, agent.agent_id, plan_id, name, now
            )
            machine = agent.tenant_id, agent.agent_id, agent.hostname
            await outbox.add(conn, declared(*machine, plan_id, name, version, declaration))
        number, run_id = await store.plans.find_last_run(conn, agent.tenant_id, plan_id)
    if version is not None:
        logs.get().info("plan.declared", tenant_id=str(agent.tenant_id), plan_id=str(plan_id))
    return plan_id, number, run_id


async def _check_allowance(
    conn: Connection,
    tenant_id: UUID,
    declaration: rules.reported.Declaration,
    version: int,
    now: datetime,
) -> None:
    if version == 1:
        rules.usage.check_plans(await store.usage.count_plans(conn, tenant_id))
    await use(conn, tenant_id, "declarations", 1, now)
    await use(conn, tenant_id, "told-bytes", len(declaration.model_dump_json()), now)


def declared(
    tenant_id: UUID,
    agent_id: UUID,
    hostname: str,
    plan_id: UUID,
    name: str,
    version: int,
    declaration: rules.reported.Declaration,
) -> PlanDeclared:
    """What other services learn of a plan."""
    return PlanDeclared(
        tenant_id=tenant_id,
        plan_id=plan_id,
        version=version,
        agent_id=agent_id,
        hostname=hostname,
        name=name,
        folders=declaration.folders,
        schedule=declaration.schedule,
        timezone=declaration.timezone,
        dumps=declaration.dumps,
        recipients=declaration.recipients,
        reports=declaration.reports,
    )


async def find_plan(
    resources: Resources, agent: rules.agents.Agent, name: str
) -> tuple[UUID, int | None, UUID | None]:
    """Returns (plan, number and run id of its newest restore point) of a plan by its name.

    Raises NotFound, and the refusal of a subscription that lets nothing in.
    """
    rules.agents.check_subscription(agent.subscription, agent.subscription_reason)
    async with resources.transaction(agent.tenant_id) as conn:
        plan_id = await store.plans.find_named(conn, agent.tenant_id, agent.agent_id, name)
        if plan_id is None:
            raise NotFound("plan")
        return plan_id, *await store.plans.find_last_run(conn, agent.tenant_id, plan_id)
