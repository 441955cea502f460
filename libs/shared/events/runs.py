"""Events of machines, plans and runs (ingest)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from libs.shared.events.base import Event, Outcome, Part, event
from libs.shared.reasons import Reason


@event("agent.enrolled.v1")
class AgentEnrolled(Event):
    """A machine joined a tenant."""

    agent_id: UUID
    hostname: str
    platform: str
    agent_version: str
    enrolled_at: datetime


@event("agent.revoked.v1")
class AgentRevoked(Event):
    """An agent's token was withdrawn."""

    agent_id: UUID
    revoked_at: datetime


@event("plan.declared.v1")
class PlanDeclared(Event):
    """An agent said what it copies, how often, and who reads the reports."""

    plan_id: UUID
    version: int
    agent_id: UUID
    hostname: str
    name: str
    folders: tuple[str, ...]
    schedule: str
    timezone: str
    dumps: tuple[str, ...]
    recipients: tuple[str, ...]
    reports: bool


@event("run.started.v1")
class RunStarted(Event):
    """A run of a plan began."""

    run_id: UUID
    plan_id: UUID
    number: int
    started_at: datetime


class NotCopied(Part):
    """A file that a run could not copy, or a folder with all below it, and why."""

    path: str
    is_folder: bool = False
    reason: Reason


class DumpResult(Part):
    """What became of one expected dump, and what is to be said of it."""

    name: str
    succeeded: bool
    guaranteed: bool
    size_bytes: int = Field(ge=0)
    reason: Reason | None = None


class DumpCounted(Part):
    """A dump as the restore point has it; is_same: its content is that of the one before."""

    name: str
    size_bytes: int
    is_same: bool


class Counted(Part):
    """A restore point beside the one before, counted by ingest: a machine's own word isn't in it.

    files_changed: those with other content under the same path. new_bytes: content that came since
    the restore point before, and packed_bytes what it takes compressed, neither ever less than 0.
    ending: the most frequent one of the names that are new; files_renamed: how many files that are
    gone lie there with this ending now, added to their name or in the place of their own.
    """

    files_total: int
    files_new: int
    files_changed: int
    files_removed: int
    bytes_protected: int
    bytes_replaced: int
    new_bytes: int
    packed_bytes: int
    ending: str = ""
    files_renamed: int = 0
    dumps: tuple[DumpCounted, ...] = ()


@event("run.finished.v1")
class RunFinished(Event):
    """A run ended, well or not: its whole summary.

    reason: why it failed. warnings: what went wrong without making it fail. A reader may not know
    a code yet (docs/protocol.md lists them). counted: None where there is no restore point.
    bytes_read: from the disk of the machine; None where its agent doesn't say.
    """

    run_id: UUID
    plan_id: UUID
    plan_name: str
    agent_id: UUID
    hostname: str
    number: int
    outcome: Outcome
    reason: Reason | None = None
    started_at: datetime
    finished_at: datetime
    files_total: int
    files_new: int
    files_changed: int
    files_removed: int
    files_not_copied: int
    bytes_protected: int
    bytes_sent: int
    bytes_read: int | None = None
    stored_bytes: int
    restore_point: bool
    counted: Counted | None = None
    not_copied: tuple[NotCopied, ...] = ()
    dumps: tuple[DumpResult, ...] = ()
    warnings: tuple[Reason, ...] = ()
    log_tail: str = ""
