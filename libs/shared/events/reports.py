"""Events of mails sent and refused (reporting)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libs.shared.events.base import Event, event


@event("report.sent.v1")
class ReportSent(Event):
    """A run's report was accepted by the mail server for one person."""

    run_id: UUID
    plan_id: UUID
    recipient: str
    sent_at: datetime


@event("report.undeliverable.v1")
class ReportUndeliverable(Event):
    """A run's report was refused for good for one person."""

    run_id: UUID
    plan_id: UUID
    recipient: str
    reason: str
