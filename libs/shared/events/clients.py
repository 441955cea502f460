"""Events of clients: what they are owed, who reads their mail, what they order (portal)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from libs.shared.events.base import (
    Event,
    Locale,
    Part,
    ReportChoice,
    SubscriptionState,
    SubscriptionStep,
    What,
    event,
)


class Recipient(Part):
    """A person who receives mail of a tenant; choice: which reports, where they get any."""

    name: str
    email: str
    locale: Locale
    choice: ReportChoice = "every"


class Reader(Recipient):
    """A person who gets reports; without an account they stop them by their invitation's link."""

    invitation_id: UUID | None = None


@event("tenant.changed.v1")
class TenantChanged(Event):
    """A tenant was created or one of its terms changed; the whole new state.

    reports_declined: nobody of the client wants any report; the hotline gets its mails anyhow.
    """

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
    reports_declined: bool = False


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


@event("password.forgotten.v1")
class PasswordForgotten(Event):
    """Somebody said at the sign-in page that they forgot the password of an account.

    Who it was is not known: anybody can name an address. An administrator's new password is sent
    by the provider, anybody else's by the client's administrators.
    """

    asked_id: UUID
    name: str
    email: str
    is_administrator: bool
    asked_at: datetime


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
