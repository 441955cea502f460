"""What ingest learns of tenants, enrolments and allowances."""

from __future__ import annotations

from libs.shared import clock, erasure
from libs.shared.catalogue import volumes
from libs.shared.database import Connection
from libs.shared.events import (
    AgentRevoked,
    AllowanceChanged,
    DestructionStarted,
    EnrolmentOpened,
    NoticePublished,
    NoticeWithdrawn,
    SubscriptionEnded,
    SubscriptionReinstated,
    TenantChanged,
)
from libs.shared.inbox import Handlers
from services.ingest import actions, rules, store


async def on_tenant_changed(conn: Connection, event: TenantChanged) -> None:
    """Keeps how the subscription stands."""
    await store.agents.put_subscription(
        conn, event.tenant_id, event.version, event.subscription, event.subscription_reason
    )


async def on_subscription_ended(conn: Connection, event: SubscriptionEnded) -> None:
    """Lets nothing in any more."""
    await store.agents.put_subscription(conn, event.tenant_id, event.version, "ended", event.reason)


async def on_subscription_reinstated(conn: Connection, event: SubscriptionReinstated) -> None:
    """Lets copies in again."""
    await store.agents.put_subscription(conn, event.tenant_id, event.version, "active", "")


async def on_enrolment_opened(conn: Connection, event: EnrolmentOpened) -> None:
    """Keeps the hash of a one-time code."""
    await store.agents.add_enrolment(
        conn,
        event.tenant_id,
        event.enrolment_id,
        event.code_sha256,
        event.label,
        event.expires_at,
    )


async def on_agent_revoked(conn: Connection, event: AgentRevoked) -> None:
    """Makes the token worthless and ends what the agent was doing."""
    await store.agents.revoke(conn, event.tenant_id, event.agent_id, event.revoked_at)
    await actions.runs.ending.fail_runs_of(conn, event.tenant_id, event.agent_id)


async def on_allowance_changed(conn: Connection, event: AllowanceChanged) -> None:
    """Keeps the ceiling: where growth is blocked, what is held at this moment."""
    held = await store.agents.lock_allowance(conn, event.tenant_id)
    if held.version >= event.version:
        return
    volume = await volumes.read(conn, event.tenant_id)
    ceiling_bytes = rules.agents.decide_ceiling(
        event.blocked, event.ceiling_bytes, volume.stored_bytes, held.ceiling_bytes
    )
    await store.agents.put_allowance(
        conn, event.tenant_id, event.version, ceiling_bytes, event.reason
    )


async def on_notice_published(conn: Connection, event: NoticePublished) -> None:
    """Keeps a maintenance, to tell agents of it."""
    told = None
    if event.kind == "maintenance" and event.begins_at and event.ends_at:
        told = rules.notices.Maintenance(
            event.begins_at, event.ends_at, event.title.fr, event.title.en
        )
    await store.notices.put(conn, event.tenant_id, event.notice_id, event.version, told)


async def on_notice_withdrawn(conn: Connection, event: NoticeWithdrawn) -> None:
    """Tells agents of it no more."""
    await store.notices.put(conn, event.tenant_id, event.notice_id, event.version, None)


async def on_destruction_started(conn: Connection, event: DestructionStarted) -> None:
    """Forgets the tenant: nothing of it is left in the bucket."""
    await erasure.forget(conn, "ingest", store.erasure.PLAN, event, clock.now())


HANDLERS: Handlers = {
    TenantChanged: on_tenant_changed,
    SubscriptionEnded: on_subscription_ended,
    SubscriptionReinstated: on_subscription_reinstated,
    EnrolmentOpened: on_enrolment_opened,
    AgentRevoked: on_agent_revoked,
    AllowanceChanged: on_allowance_changed,
    NoticePublished: on_notice_published,
    NoticeWithdrawn: on_notice_withdrawn,
    DestructionStarted: on_destruction_started,
}
