"""Events in."""

from __future__ import annotations

from functools import partial

from libs.shared import clock
from libs.shared.database import Connection
from libs.shared.events import (
    DestructionCompleted,
    DestructionProgressed,
    DestructionStarted,
    DocumentPublished,
    EventParked,
    ExpiryCleared,
    ExpiryHeld,
    HelpAsked,
    IncidentDecided,
    MaintenanceNearing,
    NoticePublished,
    NoticeWithdrawn,
    OffersChanged,
    OrderConfirmed,
    OverageAnswered,
    OverageBlocked,
    OverageClosed,
    OverageExtended,
    OverageOpened,
    OverageReminded,
    OverageReported,
    ParkedSettled,
    PasswordForgotten,
    PasswordIssued,
    PlanDeclared,
    PlanPaused,
    RecipientInvited,
    RecipientsChanged,
    RunFinished,
    StorageDamaged,
    StorageMended,
    SubscriptionMoved,
    TenantChanged,
    VolumeApproached,
)
from libs.shared.inbox import Handlers
from services.reporting import actions, store
from services.reporting.actions.resources import Resources


def handlers(resources: Resources) -> Handlers:
    """What reporting handles."""
    return {
        TenantChanged: partial(on_tenant_changed, resources),
        PlanDeclared: partial(on_plan_declared, resources),
        RunFinished: partial(on_run_finished, resources),
        PasswordIssued: partial(on_password_issued, resources),
        PasswordForgotten: partial(on_password_forgotten, resources),
        RecipientsChanged: partial(on_recipients_changed, resources),
        RecipientInvited: partial(on_recipient_invited, resources),
        ExpiryHeld: partial(on_expiry_held, resources),
        ExpiryCleared: partial(on_expiry_cleared, resources),
        StorageDamaged: partial(on_storage_damaged, resources),
        StorageMended: partial(on_storage_mended, resources),
        EventParked: partial(on_event_parked, resources),
        ParkedSettled: partial(on_parked_settled, resources),
        HelpAsked: partial(on_help_asked, resources),
        IncidentDecided: partial(on_incident_decided, resources),
        PlanPaused: partial(on_plan_paused, resources),
        OffersChanged: on_offers_changed,
        OrderConfirmed: partial(on_order_confirmed, resources),
        VolumeApproached: partial(on_volume_approached, resources),
        OverageOpened: partial(on_overage_reported, resources),
        OverageReminded: partial(on_overage_reported, resources),
        OverageExtended: partial(on_overage_reported, resources),
        OverageBlocked: partial(on_overage_reported, resources),
        OverageClosed: partial(on_overage_reported, resources),
        OverageAnswered: partial(on_overage_answered, resources),
        SubscriptionMoved: partial(on_subscription_moved, resources),
        MaintenanceNearing: partial(on_maintenance_nearing, resources),
        DocumentPublished: partial(on_document_published, resources),
        NoticePublished: partial(on_notice_published, resources),
        NoticeWithdrawn: partial(on_notice_withdrawn, resources),
        DestructionProgressed: partial(on_destruction_progressed, resources),
        DestructionStarted: on_destruction_started,
        DestructionCompleted: partial(on_destruction_completed, resources),
    }


async def on_tenant_changed(resources: Resources, conn: Connection, event: TenantChanged) -> None:
    """Keeps who the client is; what waited for that is reported, what its end ends is closed."""
    await store.clients.lock(conn, event.tenant_id)
    if await store.clients.put(conn, event.tenant_id, event):
        await actions.reviews.watch(conn, event.tenant_id)
        await actions.hotline.follow_client(conn, resources, event.tenant_id)
        await actions.runs.report_waiting(conn, resources, event.tenant_id)


async def on_plan_declared(resources: Resources, conn: Connection, event: PlanDeclared) -> None:
    """Keeps what the plan is called and when it is to run; what waited for that is reported."""
    await store.clients.lock(conn, event.tenant_id)
    if await store.plans.put(conn, event.tenant_id, event):
        await actions.missed.expect(conn, resources, event.tenant_id, event.plan_id)
        await actions.runs.report_waiting(conn, resources, event.tenant_id)


async def on_recipients_changed(
    resources: Resources, conn: Connection, event: RecipientsChanged
) -> None:
    """Keeps who gets the plan's reports, and tells the administrators who would like to."""
    await store.clients.lock(conn, event.tenant_id)
    if await store.plans.put_audience(conn, event.tenant_id, event):
        await actions.reviews.watch(conn, event.tenant_id)
        await actions.recipients.tell_administrators(conn, resources, event)


async def on_recipient_invited(
    resources: Resources, conn: Connection, event: RecipientInvited
) -> None:
    """Asks somebody whether they want reports."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.recipients.invite(conn, resources, event)


async def on_run_finished(resources: Resources, conn: Connection, event: RunFinished) -> None:
    """Keeps the run, and reports it once client and plan are known."""
    await store.clients.lock(conn, event.tenant_id)
    if await store.runs.add(conn, event.tenant_id, event, clock.now()):
        await actions.runs.report_waiting(conn, resources, event.tenant_id)


async def on_password_issued(resources: Resources, conn: Connection, event: PasswordIssued) -> None:
    """Mails a one-time password."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.passwords.send_password(conn, resources, event)


async def on_password_forgotten(
    resources: Resources, conn: Connection, event: PasswordForgotten
) -> None:
    """Tells who can have a new password sent."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.passwords.tell_forgotten(conn, resources, event)


async def on_expiry_held(resources: Resources, conn: Connection, event: ExpiryHeld) -> None:
    """Tells the hotline of a plan of which much is gone."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.hotline.report_hold(conn, resources, event)


async def on_storage_damaged(resources: Resources, conn: Connection, event: StorageDamaged) -> None:
    """Tells the hotline of damaged storage."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.hotline.report_damage(conn, resources, event)


async def on_expiry_cleared(resources: Resources, conn: Connection, event: ExpiryCleared) -> None:
    """Somebody says that what is unusual of a plan was meant."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.hotline.report_cleared(conn, resources, event)


async def on_storage_mended(resources: Resources, conn: Connection, event: StorageMended) -> None:
    """A damaged pack is no more."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.hotline.report_mended(conn, resources, event)


async def on_event_parked(resources: Resources, conn: Connection, event: EventParked) -> None:
    """Tells the hotline of an event that waits for a person."""
    await actions.hotline.report_parked(conn, resources, event)


async def on_parked_settled(resources: Resources, conn: Connection, event: ParkedSettled) -> None:
    """An event waits no longer."""
    await actions.hotline.report_settled(conn, resources, event)


async def on_help_asked(resources: Resources, conn: Connection, event: HelpAsked) -> None:
    """Tells the hotline of somebody who wants help with a run."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.hotline.report_help(conn, resources, event)


async def on_incident_decided(
    resources: Resources, conn: Connection, event: IncidentDecided
) -> None:
    """Does what an operator decided about an incident."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.hotline.decide(conn, resources, event)


async def on_plan_paused(resources: Resources, conn: Connection, event: PlanPaused) -> None:
    """Expects no run of a plan for a while."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.missed.pause(conn, resources, event)


async def on_offers_changed(conn: Connection, event: OffersChanged) -> None:
    """Keeps what the client could order next."""
    await store.offers.put(conn, event.tenant_id, event)


async def on_order_confirmed(resources: Resources, conn: Connection, event: OrderConfirmed) -> None:
    """Mails what was ordered."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.orders.confirm(conn, resources, event)


async def on_volume_approached(
    resources: Resources, conn: Connection, event: VolumeApproached
) -> None:
    """Tells the administrators how near to their contract they are."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.overages.tell_approach(conn, resources, event)


async def on_overage_reported(
    resources: Resources, conn: Connection, event: OverageReported
) -> None:
    """Tells the administrators how their overage case is."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.overages.tell_case(conn, resources, event)


async def on_overage_answered(
    resources: Resources, conn: Connection, event: OverageAnswered
) -> None:
    """Tells the hotline of a client who wants to be called."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.overages.tell_answer(conn, resources, event)


async def on_subscription_moved(
    resources: Resources, conn: Connection, event: SubscriptionMoved
) -> None:
    """Tells the administrators what became of their subscription."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.subscriptions.tell_step(conn, resources, event)


async def on_maintenance_nearing(
    resources: Resources, conn: Connection, event: MaintenanceNearing
) -> None:
    """Tells the administrators that the maintenance of their software ends."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.subscriptions.warn_of_maintenance(conn, resources, event)


async def on_document_published(
    resources: Resources, conn: Connection, event: DocumentPublished
) -> None:
    """Tells the administrators that there is something to accept."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.subscriptions.tell_document(conn, resources, event)


async def on_notice_published(
    resources: Resources, conn: Connection, event: NoticePublished
) -> None:
    """Tells the administrators what was announced."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.notices.tell(conn, resources, event)


async def on_notice_withdrawn(
    resources: Resources, conn: Connection, event: NoticeWithdrawn
) -> None:
    """Tells the administrators that something doesn't happen."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.notices.withdraw(conn, resources, event)


async def on_destruction_progressed(
    resources: Resources, conn: Connection, event: DestructionProgressed
) -> None:
    """Tells the hotline of a destruction that waits."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.destructions.report_progress(conn, resources, event)


async def on_destruction_started(conn: Connection, event: DestructionStarted) -> None:
    """Forgets the client."""
    await actions.destructions.erase_tenant(conn, event)


async def on_destruction_completed(
    resources: Resources, conn: Connection, event: DestructionCompleted
) -> None:
    """Mails the certificate of the client's destruction."""
    await store.clients.lock(conn, event.tenant_id)
    await actions.destructions.send_certificate(conn, resources, event)
