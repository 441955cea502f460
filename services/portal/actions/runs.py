"""A client's plans and runs, as somebody of the client sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared import catalogue, errors
from libs.shared.database import Connection, Pool, tenant_transaction
from services.portal import store
from services.portal.actions import browsing, log
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.shown import Plan, Run, Verified, Volume
from services.portal.store.tenants import Tenant


@dataclass(frozen=True)
class Overview:
    """All plans with the newest runs of each, what they take, and when it was verified."""

    tenant: Tenant
    plans: list[Plan]
    runs: dict[UUID, list[Run]]
    volume: Volume
    verified: Verified


@dataclass(frozen=True)
class Runs:
    """Some of a plan's runs, newest first."""

    tenant: Tenant
    plan: Plan
    runs: list[Run]


@dataclass(frozen=True)
class Report:
    """One run, and to whom its report went: (recipient, when it was sent, why not)."""

    tenant: Tenant
    plan: catalogue.Plan
    run: Run
    reports: list[tuple[str, datetime | None, str]]


async def look_over(pool: Pool, actor: Actor, each: int) -> Overview:
    """A client's plans with `each` runs, at most, of every one."""
    tenant_id = actor.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        plans = await store.shown.list_plans(conn, tenant_id)
        overview = Overview(
            await _find_tenant(conn, tenant_id),
            plans,
            await store.shown.list_latest_runs(
                conn, tenant_id, [plan.plan_id for plan in plans], each
            ),
            await store.shown.find_volume(conn, tenant_id),
            await store.shown.find_verified(conn, tenant_id),
        )
        await log.note(conn, actor, acts.PlansListed())
    return overview


async def list_runs(pool: Pool, actor: Actor, reference: str, *, before: int, limit: int) -> Runs:
    """A plan's runs with a number under `before`; raises NotFound, PlanAmbiguous."""
    tenant_id = actor.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        found = await browsing.find_plan(conn, tenant_id, reference)
        plans = await store.shown.list_plans(conn, tenant_id)
        runs = Runs(
            await _find_tenant(conn, tenant_id),
            next(plan for plan in plans if plan.plan_id == found.plan_id),
            await store.shown.list_runs(conn, tenant_id, found.plan_id, before=before, limit=limit),
        )
        await log.note(conn, actor, acts.RunsListed(runs.plan.name))
    return runs


async def find_report(pool: Pool, actor: Actor, reference: str, number: int) -> Report:
    """One run of a plan; raises NotFound, PlanAmbiguous."""
    tenant_id = actor.tenant_id
    if not 0 <= number < 2**31:
        raise errors.NotFound("run")
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await browsing.find_plan(conn, tenant_id, reference)
        run = await store.shown.find_run(conn, tenant_id, plan.plan_id, number)
        if run is None:
            raise errors.NotFound("run")
        tenant = await _find_tenant(conn, tenant_id)
        reports = await store.shown.list_reports(conn, tenant_id, run.run_id)
        await log.note(conn, actor, acts.RunViewed(plan.name, number))
    return Report(tenant, plan, run, reports)


async def _find_tenant(conn: Connection, tenant_id: UUID) -> Tenant:
    tenant = await store.tenants.find(conn, tenant_id)
    if tenant is None:
        raise errors.NotFound("client")
    return tenant
