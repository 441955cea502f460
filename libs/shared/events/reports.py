"""Events of mails sent and refused, and of runs judged (reporting)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from libs.shared.events.base import Event, Part, event
from libs.shared.reasons import Reason

FigureName = Literal["files", "size_bytes", "new_bytes", "changed", "removed", "seconds", "packed"]
"""changed, removed: of a thousand files; packed: what a thousand new bytes take compressed."""


@event("report.sent.v1")
class ReportSent(Event):
    """A run's report was accepted by the mail server for one person.

    subject, text: of the mail as it was sent, without what only its reader may use.
    """

    run_id: UUID
    plan_id: UUID
    recipient: str
    sent_at: datetime
    subject: str = ""
    text: str = ""


MAIL_KEPT = timedelta(days=400)
"""So long the text of a mail about runs is kept, by whoever has it: a year and a month."""


@event("report.undeliverable.v1")
class ReportUndeliverable(Event):
    """A run's report was refused for good for one person."""

    run_id: UUID
    plan_id: UUID
    recipient: str
    reason: str


class JudgedFigure(Part):
    """A figure of a run beside what is usual for its plan; None while nothing is."""

    name: FigureName
    now: int
    usual: int | None
    spread: int | None
    is_unusual: bool


class MovedBytes(Part):
    """What a run read on its machine, or sent, beside what is usual for its plan; never judged."""

    name: Literal["read", "sent"]
    now: int
    usual: int | None
    spread: int | None


@event("run.judged.v1")
class RunJudged(Event):
    """A restore point was compared with what is usual for its plan.

    verdicts: why it is unusual, worst first, none where it isn't; codes as docs/protocol.md lists
    them. Where there are some, nothing of the plan expires until an operator clears that.
    """

    run_id: UUID
    plan_id: UUID
    number: int
    verdicts: tuple[Reason, ...]
    figures: tuple[JudgedFigure, ...]
    moved: tuple[MovedBytes, ...] = ()
    judged_at: datetime
