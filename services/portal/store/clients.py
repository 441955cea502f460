"""Tenants, their subscriptions and enrolments."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import Locale, SubscriptionState
from services.portal.rules.clients import DayKind

DAY_KINDS: tuple[DayKind, ...] = (
    "running",
    "succeeded",
    "succeeded_with_warnings",
    "missed",
    "failed",
)
_COLUMNS = """tenant_id, name, locale, timezone, contracted_bytes, seats, retention_days,
    subscription, subscription_reason, subscription_since, ends_at, ended_at, destruction_due_at,
    maintenance_until, version, created_at"""


@dataclass(frozen=True)
class Tenant:
    """A client company and where its subscription stands."""

    tenant_id: UUID
    name: str
    locale: Locale
    timezone: str
    contracted_bytes: int
    seats: int
    retention_days: int
    subscription: SubscriptionState
    subscription_reason: str
    subscription_since: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None
    destruction_due_at: datetime | None
    maintenance_until: date | None
    version: int
    created_at: datetime


@dataclass(frozen=True)
class Glance:
    """One line of the operators' list of clients.

    failing_plans, reserved_plans, silent_plans: whose last run failed, or had warnings, or that
    never ended one; unusual, damaged: open incidents of that kind.
    """

    tenant_id: UUID
    name: str
    subscription: SubscriptionState
    effective_since: datetime | None
    ends_at: datetime | None
    destruction_due_at: datetime | None
    maintenance_until: date | None
    contracted_bytes: int
    seats: int
    created_at: datetime
    stored_bytes: int
    protected_bytes: int
    blocked: bool
    agents: int
    plans: int
    failing_plans: int
    reserved_plans: int
    silent_plans: int
    late_plans: int
    unusual: int
    damaged: int
    last_finished_at: datetime | None


async def add(conn: Connection, tenant: Tenant) -> None:
    """Writes a new tenant."""
    await conn.execute(
        """
        INSERT INTO tenants (tenant_id, name, locale, timezone, contracted_bytes, seats,
            retention_days, subscription, subscription_since, maintenance_until, version,
            created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        tenant.tenant_id,
        tenant.name,
        tenant.locale,
        tenant.timezone,
        tenant.contracted_bytes,
        tenant.seats,
        tenant.retention_days,
        tenant.subscription,
        tenant.subscription_since,
        tenant.maintenance_until,
        tenant.version,
        tenant.created_at,
    )


async def find(conn: Connection, tenant_id: UUID) -> Tenant | None:
    """Returns the tenant, None if there is none."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM tenants WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return Tenant(**row) if row else None


async def lock(conn: Connection, tenant_id: UUID) -> Tenant | None:
    """As `find`; the tenant's row stays locked until the transaction ends."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM tenants WHERE tenant_id = $1 FOR UPDATE
        """,
        tenant_id,
    )
    return Tenant(**row) if row else None


async def list_all(conn: Connection) -> list[Glance]:
    """Every client with its state at a glance, by name."""
    rows = await conn.fetch(
        """
        WITH by_tenant AS (
            SELECT tenant_id, count(*) AS plans, max(last_finished_at) AS last_finished_at,
                   count(*) FILTER (WHERE last_outcome = 'failed') AS failing_plans,
                   count(*) FILTER (WHERE last_outcome = 'succeeded_with_warnings')
                       AS reserved_plans,
                   count(*) FILTER (WHERE last_outcome IS NULL) AS silent_plans
            FROM plans GROUP BY tenant_id
        ), machines AS (
            SELECT tenant_id, count(*) AS agents FROM agents
            WHERE revoked_at IS NULL GROUP BY tenant_id
        ), open AS (
            SELECT tenant_id, count(*) FILTER (WHERE cause = 'missed') AS late_plans,
                   count(*) FILTER (WHERE cause = 'unusual') AS unusual,
                   count(*) FILTER (WHERE cause = 'damage') AS damaged
            FROM incidents WHERE closed_at IS NULL GROUP BY tenant_id
        )
        SELECT t.tenant_id, t.name, t.subscription, t.subscription_since AS effective_since,
               t.ends_at, t.destruction_due_at, t.maintenance_until, t.contracted_bytes, t.seats,
               t.created_at,
               coalesce(v.stored_bytes, 0) AS stored_bytes,
               coalesce(v.protected_bytes, 0) AS protected_bytes,
               coalesce(w.blocked, false) AS blocked,
               coalesce(m.agents, 0) AS agents, coalesce(b.plans, 0) AS plans,
               coalesce(b.failing_plans, 0) AS failing_plans,
               coalesce(b.reserved_plans, 0) AS reserved_plans,
               coalesce(b.silent_plans, 0) AS silent_plans,
               coalesce(o.late_plans, 0) AS late_plans, coalesce(o.unusual, 0) AS unusual,
               coalesce(o.damaged, 0) AS damaged, b.last_finished_at
        FROM tenants t
        LEFT JOIN volumes v USING (tenant_id)
        LEFT JOIN by_tenant b USING (tenant_id)
        LEFT JOIN machines m USING (tenant_id)
        LEFT JOIN open o USING (tenant_id)
        LEFT JOIN allowances w USING (tenant_id)
        ORDER BY t.name COLLATE "und-x-icu", t.tenant_id
        """
    )
    return [Glance(*row) for row in rows]


async def list_days(
    conn: Connection, tenant_ids: Collection[UUID], first: date
) -> dict[UUID, dict[date, DayKind]]:
    """How the days of clients went since the first of these, by each client's calendar.

    The worst of a day counts; a day on which nothing ended and nothing was missed isn't there."""
    rows = await conn.fetch(
        """
        SELECT t.tenant_id, (e.at AT TIME ZONE t.timezone)::date AS day, max(e.severity)
        FROM tenants t JOIN LATERAL (
            SELECT coalesce(finished_at, started_at) AS at,
                   CASE outcome WHEN 'failed' THEN 4 WHEN 'succeeded_with_warnings' THEN 2
                       WHEN 'succeeded' THEN 1 ELSE 0 END AS severity
            FROM runs r WHERE r.tenant_id = t.tenant_id AND r.started_at >= $2::date - 2
            UNION ALL
            SELECT missed_at, 3 FROM misses m
            WHERE m.tenant_id = t.tenant_id AND m.missed_at >= $2::date - 2
        ) e ON true
        WHERE t.tenant_id = ANY ($1::uuid[])
        GROUP BY 1, 2
        """,
        list(tenant_ids),
        first,
    )
    found: dict[UUID, dict[date, DayKind]] = {tenant_id: {} for tenant_id in tenant_ids}
    for tenant_id, day, severity in rows:
        found[tenant_id][day] = DAY_KINDS[severity]
    return found


async def change_terms(
    conn: Connection,
    tenant_id: UUID,
    name: str,
    locale: Locale,
    timezone: str,
    retention_days: int,
) -> int:
    """Sets what a contract says beside volume and seats; returns the tenant's new version."""
    version: int = await conn.fetchval(
        """
        UPDATE tenants SET name = $2, locale = $3, timezone = $4, retention_days = $5,
            version = version + 1
        WHERE tenant_id = $1 RETURNING version
        """,
        tenant_id,
        name,
        locale,
        timezone,
        retention_days,
    )
    return version


async def list_names(conn: Connection) -> list[tuple[UUID, str]]:
    """Every client's id and name."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, name FROM tenants
        """
    )
    return [(row["tenant_id"], row["name"]) for row in rows]


async def list_in(conn: Connection, states: Collection[SubscriptionState]) -> list[UUID]:
    """The clients whose subscription is in one of these states."""
    rows = await conn.fetch(
        """
        SELECT tenant_id FROM tenants WHERE subscription = ANY ($1) ORDER BY tenant_id
        """,
        list(states),
    )
    return [row["tenant_id"] for row in rows]


async def set_subscription(
    conn: Connection,
    tenant_id: UUID,
    state: SubscriptionState,
    reason: str,
    *,
    since: datetime,
    ends_at: datetime | None,
    ended_at: datetime | None,
) -> int:
    """Moves the subscription; a date of destruction told for an earlier end is forgotten.

    Returns the tenant's new version."""
    version: int = await conn.fetchval(
        """
        UPDATE tenants SET subscription = $2, subscription_reason = $3, ends_at = $4,
            ended_at = $5, subscription_since = $6, destruction_due_at = NULL,
            version = version + 1
        WHERE tenant_id = $1 RETURNING version
        """,
        tenant_id,
        state,
        reason,
        ends_at,
        ended_at,
        since,
    )
    return version


async def renew(conn: Connection, tenant_id: UUID) -> int:
    """Counts that something else about a client changed; returns its new version."""
    version: int = await conn.fetchval(
        """
        UPDATE tenants SET version = version + 1 WHERE tenant_id = $1 RETURNING version
        """,
        tenant_id,
    )
    return version


async def tell_ingest(conn: Connection, tenant: Tenant) -> None:
    """Writes where ingest reads it how a subscription stands (docs/decisions/0036)."""
    await conn.execute(
        """
        INSERT INTO ingest.portal_subscriptions AS s
            (tenant_id, version, subscription, subscription_reason)
        VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id) DO UPDATE
        SET version = $2, subscription = $3, subscription_reason = $4 WHERE s.version < $2
        """,
        tenant.tenant_id,
        tenant.version,
        tenant.subscription,
        tenant.subscription_reason,
    )


async def find_due_ends(conn: Connection, now: datetime) -> list[UUID]:
    """Tenants whose agreed last day has come."""
    rows = await conn.fetch(
        """
        SELECT tenant_id FROM tenants WHERE subscription = 'ending' AND ends_at <= $1
        """,
        now,
    )
    return [row["tenant_id"] for row in rows]


@dataclass(frozen=True)
class Maintained:
    """A subscription that depends on the maintenance of its backup software.

    told: at how many days before its end the administrators were warned last.
    """

    tenant_id: UUID
    timezone: str
    until: date
    told: int | None


async def find_maintained(conn: Connection, before: date) -> list[Maintained]:
    """Subscriptions that run and whose maintenance ends before a day."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, timezone, maintenance_until AS until, maintenance_told AS told
        FROM tenants
        WHERE maintenance_until < $1 AND subscription IN ('active', 'ending', 'suspended')
        """,
        before,
    )
    return [Maintained(**row) for row in rows]


async def set_maintenance(conn: Connection, tenant_id: UUID, until: date | None) -> int:
    """Sets the last day of the maintenance, of which nobody was warned yet.

    Returns the tenant's new version."""
    version: int = await conn.fetchval(
        """
        UPDATE tenants SET maintenance_until = $2, maintenance_told = NULL, version = version + 1
        WHERE tenant_id = $1 RETURNING version
        """,
        tenant_id,
        until,
    )
    return version


async def note_warning(conn: Connection, tenant_id: UUID, until: date, told: int) -> bool:
    """Notes that the administrators are warned; False where they were, or the day was moved."""
    row = await conn.fetchrow(
        """
        UPDATE tenants SET maintenance_told = $3
        WHERE tenant_id = $1 AND maintenance_until = $2
          AND (maintenance_told IS NULL OR maintenance_told > $3)
        RETURNING tenant_id
        """,
        tenant_id,
        until,
        told,
    )
    return row is not None


async def set_destruction_due(
    conn: Connection, tenant_id: UUID, due_at: datetime, version: int
) -> None:
    """Notes when retention will destroy the data; the newer version wins, and only while ended."""
    await conn.execute(
        """
        UPDATE tenants SET destruction_due_at = $2, destruction_version = $3
        WHERE tenant_id = $1 AND destruction_version <= $3 AND subscription = 'ended'
        """,
        tenant_id,
        due_at,
        version,
    )
