"""Events in: what the portal keeps of the other services, to show it."""

from __future__ import annotations

from libs.shared import clock
from libs.shared.database import Connection
from libs.shared.events import (
    AgentEnrolled,
    AllowanceChanged,
    DestructionAsked,
    DestructionCompleted,
    DestructionProgressed,
    DestructionScheduled,
    DestructionStarted,
    EventParked,
    ExpiryCleared,
    ExpiryHeld,
    IncidentChanged,
    IncidentClosed,
    IncidentOpened,
    IncidentReported,
    NoticeDelivered,
    OverageBlocked,
    OverageClosed,
    OverageExtended,
    OverageOpened,
    OverageReminded,
    OverageReported,
    ParkedSettled,
    PlanDeclared,
    ReductionApplied,
    ReportSent,
    ReportUndeliverable,
    RunFinished,
    RunJudged,
    RunMissed,
    RunStarted,
    VersionsExpired,
    VolumeChanged,
    VolumeCounted,
)
from libs.shared.inbox import Handlers
from services.portal import actions, store


async def on_agent_enrolled(conn: Connection, event: AgentEnrolled) -> None:
    """Shows a machine that joined."""
    await store.machines.add_agent(conn, event)


async def on_plan_declared(conn: Connection, event: PlanDeclared) -> None:
    """Keeps what a machine declares, and tells reporting who reads of it."""
    await store.runs.received.put_plan(conn, event)
    await actions.recipients.tell(conn, event.tenant_id, event.plan_id)


async def on_run_started(conn: Connection, event: RunStarted) -> None:
    """Shows a run as under way."""
    await store.runs.received.add_started_run(conn, event)


async def on_run_finished(conn: Connection, event: RunFinished) -> None:
    """Shows how a run ended."""
    await store.runs.received.add_plan_of_run(conn, event)
    await store.runs.received.put_finished_run(conn, event)
    await store.runs.received.note_last_ended(conn, event)


async def on_run_judged(conn: Connection, event: RunJudged) -> None:
    """Shows why a run is unusual."""
    await store.runs.received.put_judgement(conn, event)


async def on_expiry_held(conn: Connection, event: ExpiryHeld) -> None:
    await store.runs.received.put_hold(conn, event)


async def on_expiry_cleared(conn: Connection, event: ExpiryCleared) -> None:
    """Shows that what was unusual was meant."""
    await store.runs.received.put_clear(conn, event)


async def on_volume_changed(conn: Connection, event: VolumeChanged) -> None:
    """Keeps what is stored for a client."""
    await store.runs.received.put_volume(conn, event)


async def on_volume_counted(conn: Connection, event: VolumeCounted) -> None:
    """Keeps what was held on a day, for charts."""
    await store.volume_days.put(conn, event)


async def on_allowance_changed(conn: Connection, event: AllowanceChanged) -> None:
    """Keeps how far a client may grow."""
    await store.runs.received.put_allowance(conn, event)


async def on_overage_reported(conn: Connection, event: OverageReported) -> None:
    """Keeps how an overage case is."""
    await store.overages.put(conn, event, is_open=not isinstance(event, OverageClosed))


async def on_report_sent(conn: Connection, event: ReportSent) -> None:
    """Shows that a report was accepted for its reader."""
    await store.runs.received.put_report(
        conn,
        event.tenant_id,
        event.run_id,
        event.plan_id,
        event.recipient,
        now=clock.now(),
        sent_at=event.sent_at,
        subject=event.subject,
        text=event.text,
    )


async def on_report_undeliverable(conn: Connection, event: ReportUndeliverable) -> None:
    """Shows that nobody will get a report."""
    await store.runs.received.put_report(
        conn,
        event.tenant_id,
        event.run_id,
        event.plan_id,
        event.recipient,
        now=clock.now(),
        sent_at=None,
        reason=event.reason,
    )


async def on_notice_delivered(conn: Connection, event: NoticeDelivered) -> None:
    """Shows what became of the mail of a notice."""
    await store.notices.put_mail(conn, event)


async def on_destruction_scheduled(conn: Connection, event: DestructionScheduled) -> None:
    """Keeps when a client is destroyed."""
    await store.clients.set_destruction_due(conn, event.tenant_id, event.due_at, event.version)


async def on_versions_expired(conn: Connection, event: VersionsExpired) -> None:
    """Shows runs without their files, which have expired."""
    await store.runs.received.close_restore_points(
        conn, event.tenant_id, event.plan_id, event.restore_points
    )


async def on_event_parked(conn: Connection, event: EventParked) -> None:
    """Shows operators an event that waits for them."""
    await store.parked.put(conn, event)


async def on_parked_settled(conn: Connection, event: ParkedSettled) -> None:
    """Shows that such an event waits no more."""
    await store.parked.settle(conn, event.service, event.event_id, event.settled_at)


async def on_incident_reported(conn: Connection, event: IncidentReported) -> None:
    """Keeps how an incident is."""
    await store.incidents.put(conn, event)


async def on_run_missed(conn: Connection, event: RunMissed) -> None:
    """Shows that a run never came."""
    await store.incidents.put_miss(conn, event)


async def on_reduction_applied(conn: Connection, event: ReductionApplied) -> None:
    """Shows what came of dropping copies."""
    await store.reductions.put_applied(conn, event)


async def on_destruction_progressed(conn: Connection, event: DestructionProgressed) -> None:
    """Shows how far a destruction is."""
    await store.destruction.put_progress(conn, event)


async def on_destruction_asked(conn: Connection, event: DestructionAsked) -> None:
    """Permits a destruction that operators still want."""
    await actions.destruction.permit(conn, event)


async def on_destruction_started(conn: Connection, event: DestructionStarted) -> None:
    """Erases the client here."""
    await actions.destruction.erase_tenant(conn, event)


async def on_destruction_completed(conn: Connection, event: DestructionCompleted) -> None:
    """Keeps the certificate."""
    await actions.destruction.keep_certificate(conn, event)


HANDLERS: Handlers = {
    AgentEnrolled: on_agent_enrolled,
    PlanDeclared: on_plan_declared,
    RunStarted: on_run_started,
    RunFinished: on_run_finished,
    RunJudged: on_run_judged,
    ExpiryHeld: on_expiry_held,
    ExpiryCleared: on_expiry_cleared,
    VolumeChanged: on_volume_changed,
    VolumeCounted: on_volume_counted,
    AllowanceChanged: on_allowance_changed,
    OverageOpened: on_overage_reported,
    OverageReminded: on_overage_reported,
    OverageExtended: on_overage_reported,
    OverageBlocked: on_overage_reported,
    OverageClosed: on_overage_reported,
    ReportSent: on_report_sent,
    ReportUndeliverable: on_report_undeliverable,
    NoticeDelivered: on_notice_delivered,
    DestructionScheduled: on_destruction_scheduled,
    DestructionProgressed: on_destruction_progressed,
    DestructionAsked: on_destruction_asked,
    DestructionStarted: on_destruction_started,
    DestructionCompleted: on_destruction_completed,
    VersionsExpired: on_versions_expired,
    EventParked: on_event_parked,
    ParkedSettled: on_parked_settled,
    ReductionApplied: on_reduction_applied,
    RunMissed: on_run_missed,
    IncidentOpened: on_incident_reported,
    IncidentChanged: on_incident_reported,
    IncidentClosed: on_incident_reported,
}
