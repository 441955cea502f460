"""Every event that services exchange: frozen models, past tense, versioned.

An event carries what its readers need and no more.
Order is never assumed: models that replace an earlier state carry a `version` or `sequence`
of their producer, and a reader keeps the newer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.shared.reasons import Reason

Locale = Literal["fr", "en"]
Outcome = Literal["succeeded", "succeeded_with_warnings", "failed"]
SubscriptionState = Literal["active", "ending", "ended", "suspended", "destroyed"]
What = Literal["storage", "seats"]
"""What is ordered: bytes, or how many people may have an account."""
Answer = Literal["order", "reduce", "call"]
SubscriptionStep = Literal[
    "announce_end", "end", "lapse", "suspend", "resume", "reinstate", "maintain"
]
DESTRUCTION_AFTER = timedelta(days=30)
"""How long after its end a subscription's data is destroyed."""


class Part(BaseModel):
    """A value inside an event; unknown members are ignored so that producers may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Part):
    """What happened to one tenant.

    Members named in `secrets` are emptied in the outbox once sent and in the inbox once handled.
    What `outlives` the tenant is handled although all of the tenant was erased: it tells of that.
    """

    type: ClassVar[str]
    secrets: ClassVar[tuple[str, ...]] = ()
    outlives: ClassVar[bool] = False
    tenant_id: UUID


EVENTS: dict[str, type[Event]] = {}
E = TypeVar("E", bound=type[Event])


def event(name: str) -> Callable[[E], E]:
    """Registers an event class under its wire name, such as `run.finished.v1`."""

    def register(cls: E) -> E:
        if name in EVENTS:
            raise ValueError(f"two events are called {name}")
        cls.type = name
        EVENTS[name] = cls
        return cls

    return register


# --- tenants and subscriptions (portal) ---------------------------------------------------------


class Recipient(Part):
    """A person who receives mail of a tenant."""

    name: str
    email: str
    locale: Locale


class Reader(Recipient):
    """A person who gets reports; without an account they stop them by their invitation's link."""

    invitation_id: UUID | None = None


@event("tenant.changed.v1")
class TenantChanged(Event):
    """A tenant was created or one of its terms changed; the whole new state."""

    version: int
    name: str
    locale: Locale
    timezone: str
    administrators: tuple[Recipient, ...]
    contracted_bytes: int
    seats: int
    subscription: SubscriptionState
    subscription_reason: str = ""
    retention_days: int


@event("subscription.ended.v1")
class SubscriptionEnded(Event):
    """A subscription ended: nothing is accepted any more and destruction has a date."""

    version: int
    ended_at: datetime
    reason: str


@event("subscription.reinstated.v1")
class SubscriptionReinstated(Event):
    """An operator took the end of a subscription back, before destruction began."""

    version: int
    reinstated_at: datetime
    reason: str


@event("subscription.moved.v1")
class SubscriptionMoved(Event):
    """A subscription's next step, which its administrators are told.

    step: `lapse` ends it because the backup software is maintained no longer, `maintain` says
    until when it is. maintenance_until: the last day that is covered.
    """

    version: int
    step: SubscriptionStep
    state: SubscriptionState
    reason: str
    at: datetime
    ends_at: datetime | None
    destruction_due_at: datetime | None
    maintenance_until: date | None


@event("maintenance.nearing.v1")
class MaintenanceNearing(Event):
    """The maintenance of a client's backup software ends soon, and the subscription with it.

    until: the last day that is covered.
    """

    until: date
    days_left: int


@event("document.published.v1")
class DocumentPublished(Event):
    """A version of a document was published that the client's administrators have to accept."""

    document: str
    version: str
    title: str
    in_force_on: date


@event("enrolment.opened.v1")
class EnrolmentOpened(Event):
    """A one-time code was handed out with which one agent may enrol."""

    enrolment_id: UUID
    code_sha256: str
    label: str
    expires_at: datetime


@event("password.issued.v1")
class PasswordIssued(Event):
    """A user got a one-time password, sealed for reporting, which mails it."""

    secrets = ("sealed_password",)

    password_id: UUID
    user_id: UUID
    name: str
    email: str
    locale: Locale
    sealed_password: str
    expires_at: datetime
    first: bool

    @property
    def beside(self) -> str:
        """All that stands beside the sealed password: the seal opens with nothing else."""
        return f"coffre/password/v1 {self.model_dump_json(exclude={'sealed_password'})}"


class Offer(Part):
    """A size of storage that can be ordered, and what it costs a month before tax."""

    storage_bytes: int
    monthly: Decimal


@event("offers.changed.v1")
class OffersChanged(Event):
    """The next sizes of storage that a client could order, and their prices."""

    version: int
    currency: str
    offers: tuple[Offer, ...]


class OrderLine(Part):
    """What is due for a month by an order, before tax; month: such as `2026-11`.

    quantity: bytes or seats."""

    rule: Literal["storage-month", "seats-month", "seats-entry"]
    month: str
    quantity: int
    amount: Decimal
    currency: str
    vat_percent: Decimal


@event("order.confirmed.v1")
class OrderConfirmed(Event):
    """More or less storage, or seats, were ordered; or less could not take effect.

    lines: what is due for the month of the order and for the next one. monthly: as soon as it has
    taken effect. is_kept: less was ordered before, and could not take effect, as more was in use.
    """

    order_id: UUID
    what: What
    before: int
    after: int
    ordered_at: datetime
    effective_at: datetime
    lines: tuple[OrderLine, ...]
    monthly: Decimal
    currency: str
    by: str
    in_provider_name: bool
    reason: str
    clause: str
    is_kept: bool = False


@event("recipients.changed.v1")
class RecipientsChanged(Event):
    """Who gets a plan's reports, by the portal's word alone; the newer version wins.

    recipients: addresses that an account has, that accepted, or that an administrator set.
    pending: how many more are declared or asked and don't count yet; the administrators get the
    reports as well as long as there are any.
    news: the first of those that the administrators are to be told of.
    """

    plan_id: UUID
    version: int
    plan_name: str
    hostname: str
    recipients: tuple[Reader, ...]
    pending: int
    news: tuple[str, ...]


@event("recipient.invited.v1")
class RecipientInvited(Event):
    """An administrator asks an address whether it wants the reports of a plan."""

    invitation_id: UUID
    email: str
    locale: Locale
    invited_by: str
    expires_at: datetime


# --- agents, plans, runs (ingest) ---------------------------------------------------------------


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


@event("run.finished.v1")
class RunFinished(Event):
    """A run ended, well or not: its whole summary.

    reason: why it failed. warnings: what went wrong without making it fail. A reader may not know
    a code yet (docs/protocol.md lists them).
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
    stored_bytes: int
    restore_point: bool
    not_copied: tuple[NotCopied, ...] = ()
    dumps: tuple[DumpResult, ...] = ()
    warnings: tuple[Reason, ...] = ()
    log_tail: str = ""


# --- volume (ingest, retention, quota) ----------------------------------------------------------


@event("volume.changed.v1")
class VolumeChanged(Event):
    """The bytes kept for a tenant changed; the newer sequence wins."""

    stored_bytes: int
    protected_bytes: int
    sequence: int


@event("allowance.changed.v1")
class AllowanceChanged(Event):
    """How far a tenant may grow, decided by quota; the newer version wins."""

    version: int
    ceiling_bytes: int
    blocked: bool
    reason: str = ""


@event("volume.approached.v1")
class VolumeApproached(Event):
    """Stored volume came up to a share of the contract, or, not `rising`, is well below it again.

    reached_on: when the contract will be reached as things go; None where there is no trend.
    """

    level_percent: int
    rising: bool
    stored_bytes: int
    contracted_bytes: int
    reached_on: date | None
    at: datetime


class PlanVolume(Part):
    """What a plan protects now, and what its runs of the last 30 days sent."""

    plan_id: UUID
    plan_name: str
    hostname: str
    protected_bytes: int
    sent_bytes: int


class OverageTold(Event):
    """An overage case as it is now; its newer version wins.

    passed_at: when the contract was passed, the last time if the case went on after a pause.
    deadline_at: when growth is blocked without an answer; final_at: whatever was answered.
    ceiling_bytes: where growth stops, None as long as it goes on.
    weekly_bytes: how much more is held each week; None where there is no trend.
    reason: an operator's last words on the case.
    fills: what fills the volume, the plans that protect most first, ten at most.
    """

    case_id: UUID
    version: int
    opened_at: datetime
    passed_at: datetime
    deadline_at: datetime
    final_at: datetime
    stored_bytes: int
    contracted_bytes: int
    ceiling_bytes: int | None
    reached_on: date | None
    weekly_bytes: int | None
    answer: Answer | None
    reason: str
    fills: tuple[PlanVolume, ...]


@event("overage.opened.v1")
class OverageOpened(OverageTold):
    """More is stored than is contracted: a case opened, or goes on after a pause."""


@event("overage.reminded.v1")
class OverageReminded(OverageTold):
    """A case is still open on a day on which its client is reminded; `day` of the 30."""

    day: int


@event("overage.extended.v1")
class OverageExtended(OverageTold):
    """A case has another deadline, by an operator or by an answer that was late on its way."""


@event("overage.blocked.v1")
class OverageBlocked(OverageTold):
    """Growth ends at the ceiling, by a deadline or by an operator."""


@event("overage.closed.v1")
class OverageClosed(OverageTold):
    """No more is stored than is contracted, or the subscription ended."""


@event("overage.answered.v1")
class OverageAnswered(Event):
    """An administrator of the client said what they will do; the newest answer counts."""

    case_id: UUID
    answer: Answer
    by: str
    answered_at: datetime


@event("overage.decided.v1")
class OverageDecided(Event):
    """An operator extended a deadline, blocked or unblocked growth; the newer version wins."""

    decision_id: UUID
    version: int
    decision: Literal["extend", "block", "unblock"]
    until: datetime | None
    reason: str
    by: str
    decided_at: datetime


# --- reports (reporting) ------------------------------------------------------------------------


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


# --- what is kept (retention) -------------------------------------------------------------------


@event("versions.expired.v1")
class VersionsExpired(Event):
    """Old versions of a plan were forgotten, or restore points that would have lost some.

    restore_points: numbers of runs that can't be browsed any more; oldest_kept and later can.
    """

    plan_id: UUID
    oldest_kept: int
    restore_points: tuple[int, ...]
    versions: int
    size_bytes: int
    expired_at: datetime


@event("expiry.held.v1")
class ExpiryHeld(Event):
    """So much of a plan is gone that nothing of it expires until an operator clears that.

    number: the run in which it was seen; since: the restore point that had what is gone.
    """

    plan_id: UUID
    number: int
    since: int
    reason: Reason
    held_at: datetime


@event("storage.damaged.v1")
class StorageDamaged(Event):
    """A stored pack was found damaged or missing: what of one plan it concerns.

    Without a plan nothing that anybody can recover is concerned.
    paths: up to 100 of the files concerned, relative to the plan's root.
    """

    damage_id: UUID
    plan_id: UUID | None
    pack_id: str
    missing: bool
    chunks: int
    files: int
    paths: tuple[str, ...]
    found_at: datetime


# --- reductions (portal, retention) -------------------------------------------------------------


@event("reduction.ordered.v1")
class ReductionOrdered(Event):
    """Somebody who may wants copies dropped before they expire.

    what: all copies of a plan, those of a `folder` of it (its path's bytes in base64), or its
    versions that are superseded, and its restore points, from before a moment.
    """

    reduction_id: UUID
    version: int
    what: Literal["plan", "folder", "older"]
    plan_id: UUID
    folder: str | None
    before: datetime | None
    by: str
    ordered_at: datetime


@event("reduction.withdrawn.v1")
class ReductionWithdrawn(Event):
    """What was to be dropped is to be kept after all, where that is still possible."""

    reduction_id: UUID
    by: str
    withdrawn_at: datetime


@event("reduction.applied.v1")
class ReductionApplied(Event):
    """How far a reduction came: its copies count no more, count again, or are gone for good.

    freed_bytes: how much less was stored by it; undo_until: until when it can be taken back, None
    where it never took effect.
    """

    reduction_id: UUID
    state: Literal["applied", "withdrawn", "collected"]
    freed_bytes: int
    undo_until: datetime | None


# --- destruction (retention) --------------------------------------------------------------------


@event("destruction.scheduled.v1")
class DestructionScheduled(Event):
    """An ended subscription's data has a day on which it is destroyed."""

    ended_at: datetime
    due_at: datetime
    version: int


DestructionState = Literal["scheduled", "waiting", "running", "completed", "held", "cancelled"]


@event("destruction.progressed.v1")
class DestructionProgressed(Event):
    """How a destruction stands; the newer version wins, counted by retention for each tenant.

    objects_left: in the bucket, as far as is known; None before they were counted.
    reasons: what it waits for, or what the store won't delete yet.
    """

    outlives = True

    version: int
    state: DestructionState
    due_at: datetime | None
    objects_left: int | None
    reasons: tuple[Reason, ...] = ()


@event("destruction.asked.v1")
class DestructionAsked(Event):
    """Retention is about to destroy a tenant's keys, and asks whether the end still stands."""

    destruction_id: UUID
    version: int
    ended_at: datetime


@event("destruction.permitted.v1")
class DestructionPermitted(Event):
    """From now on the end can't be taken back: what the certificate says of client and end."""

    secrets = ("client", "reason")

    destruction_id: UUID
    version: int
    client: str
    locale: Locale
    reason: str
    permitted_at: datetime


@event("destruction.decided.v1")
class DestructionDecided(Event):
    """An operator confirms a destruction that waits, holds one, or releases it.

    The newer version wins, counted by the portal for each tenant. ended_at: the end that is
    confirmed, and none other. until: a hold's end, None where it has none.
    """

    decision_id: UUID
    version: int
    decision: Literal["confirm", "hold", "release"]
    by: str
    ended_at: datetime | None
    until: datetime | None
    reason: str
    decided_at: datetime


@event("destruction.started.v1")
class DestructionStarted(Event):
    """Nothing of a tenant is left in the bucket: each service deletes its rows now.

    again: by the ledger of erasure, after a database from before was restored.
    """

    outlives = True

    destruction_id: UUID
    version: int
    again: bool = False


@event("tenant.erased.v1")
class TenantErased(Event):
    """A service deleted what it had of a tenant: how many rows of which table.

    kept: the table of what stays, and on which ground.
    """

    outlives = True

    destruction_id: UUID
    service: str
    rows: dict[str, int]
    kept: dict[str, str]


@event("destruction.completed.v1")
class DestructionCompleted(Event):
    """All of a tenant is destroyed: the certificate, signed, as JSON text.

    again: as in destruction.started; it was mailed before then.
    """

    outlives = True

    destruction_id: UUID
    certificate: str
    again: bool = False


# --- parked events (each service, portal) -------------------------------------------------------


@event("event.parked.v1")
class EventParked(Event):
    """An event failed too often, or can't be read, and waits for a person in a service's inbox.

    The tenant is all zeros where it is none's.
    """

    service: str
    event_id: UUID
    event_type: str
    error: str
    attempts: int
    parked_at: datetime


@event("parked.decided.v1")
class ParkedDecided(Event):
    """An operator decided what becomes of a parked event of one service."""

    service: str
    event_id: UUID
    decision: Literal["replay", "drop"]
    reason: str
    by: str


@event("parked.settled.v1")
class ParkedSettled(Event):
    """A parked event waits no longer: it is handled again, or counts as done."""

    service: str
    event_id: UUID
    settled_at: datetime


@event("service.pinged.v1")
class ServicePinged(Event):
    """A service asks its own queue whether its consumer lives."""

    service: str
    ping_id: UUID
    sent_at: datetime
