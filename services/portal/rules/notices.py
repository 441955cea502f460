"""Notices: what may be announced, when it is sent, and when a change may be carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from libs.shared import errors
from libs.shared.events import NoticeKind, SubscriptionState, Texts

State = Literal["draft", "published", "withdrawn", "done"]
Standing = Literal["waiting", "accepted", "refused"]

TOLD_IN: frozenset[SubscriptionState] = frozenset({"active", "ending", "suspended"})
"""States in which a client is told: of others nothing is stored much longer."""
LONGEST_AHEAD = timedelta(days=365)
LONGEST_WINDOW = timedelta(days=7)
"""What takes longer isn't maintenance, and nobody would be warned of missed runs meanwhile."""
_NAMED = 5


@dataclass(frozen=True)
class Notice:
    """A notice; `ahead` is how long before `begins_at` it is sent. everybody: to all clients."""

    notice_id: UUID
    kind: NoticeKind
    title: Texts
    text: Texts
    begins_at: datetime | None
    ends_at: datetime | None
    ahead: timedelta
    everybody: bool
    drafted_at: datetime
    drafted_by: str
    published_at: datetime | None = None
    published_by: str | None = None
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None
    done_at: datetime | None = None
    done_by: str | None = None

    @property
    def state(self) -> State:
        """Where it stands."""
        if self.withdrawn_at is not None:
            return "withdrawn"
        if self.done_at is not None:
            return "done"
        return "draft" if self.published_at is None else "published"

    def is_over(self, now: datetime) -> bool:
        """Whether it was announced, and what it announced has an end that has passed."""
        return self.state == "published" and self.ends_at is not None and self.ends_at <= now

    @property
    def send_at(self) -> datetime | None:
        """From when on clients are told, once it is published; None: at once."""
        return self.begins_at - self.ahead if self.begins_at is not None else None


@dataclass(frozen=True)
class Mailed:
    """What became of one person's mail."""

    recipient: str
    outcome: Literal["accepted", "refused"]
    answer: str
    at: datetime | None


@dataclass(frozen=True)
class Addressed:
    """A client whom a notice is for, and what became of its newest mails."""

    tenant_id: UUID
    name: str
    told_at: datetime | None
    mails: tuple[Mailed, ...]

    @property
    def accepted_at(self) -> datetime | None:
        """When the first of its people's mails was accepted, of those that didn't come back."""
        return min(
            (one.at for one in self.mails if one.outcome == "accepted" and one.at is not None),
            default=None,
        )

    @property
    def standing(self) -> Standing:
        """Whether anybody of it can know."""
        if self.accepted_at is not None:
            return "accepted"
        return "refused" if self.mails else "waiting"

    @property
    def is_to_be_called(self) -> bool:
        """Whether some of its people's mail was refused, or came back."""
        return any(one.outcome == "refused" for one in self.mails)


def check_draft(
    kind: NoticeKind, begins_at: datetime | None, ends_at: datetime | None, ahead: timedelta
) -> None:
    """Raises NoticeIncomplete where its times don't fit its kind."""
    if not timedelta(0) <= ahead <= LONGEST_AHEAD:
        raise NoticeIncomplete("A notice is sent at most 365 days ahead.")
    if kind == "maintenance":
        if begins_at is None or ends_at is None or begins_at >= ends_at:
            raise NoticeIncomplete("Maintenance has a window: when it begins, and when it ends.")
        if ends_at - begins_at > LONGEST_WINDOW:
            raise NoticeIncomplete(
                "Maintenance lasts 7 days at most: no missed run is told of while it does."
            )
        return
    if ends_at is not None:
        raise NoticeIncomplete("Only maintenance has an end.")
    if kind == "location" and begins_at is None:
        raise NoticeIncomplete("A change of location has a day from which on it may be made.")
    if begins_at is None and ahead:
        raise NoticeIncomplete("What has no beginning can't be sent ahead of it.")


def check_can_publish(notice: Notice, now: datetime) -> None:
    """Raises NoticeNotDraft; NoticeTooLate where it would be told later than promised.

    Only of a change of location that is promised: maintenance may have to be at once.
    """
    if notice.state != "draft":
        raise NoticeNotDraft(notice.state)
    over_at = notice.ends_at or notice.begins_at
    is_over = over_at is not None and over_at <= now
    is_late = notice.kind == "location" and notice.send_at is not None and notice.send_at < now
    if is_over or is_late:
        raise NoticeTooLate


def check_is_published(notice: Notice) -> None:
    """Raises NoticeNotPublished for a draft, and for what is withdrawn or done."""
    if notice.state != "published":
        raise NoticeNotPublished(notice.state)


def check_can_be_done(notice: Notice, addressed: Sequence[Addressed], now: datetime) -> None:
    """Raises NoticeNotPublished, NoticeNotRun: a change of location waits for each client.

    Each has to have had its mail for as long as the notice is ahead, and the day to have come.
    """
    check_is_published(notice)
    if notice.kind != "location" or notice.begins_at is None:
        raise NoticeNotRun("Only a change of location is carried out.")
    if now < notice.begins_at:
        raise NoticeNotRun(f"It was announced for {notice.begins_at:%Y-%m-%d %H:%M} UTC.")
    if not addressed:
        raise NoticeNotRun("No client was told yet.")
    unaware = [one for one in addressed if one.accepted_at is None]
    if unaware:
        raise NoticeNotRun(f"No mail was accepted yet by {_name(unaware)}.")
    early = [one for one in addressed if _runs_until(notice, one) > now]
    if early:
        latest = max(_runs_until(notice, one) for one in early)
        raise NoticeNotRun(
            f"The time between mail and change is over on {latest:%Y-%m-%d %H:%M} UTC for"
            f" {_name(early)}."
        )


def _runs_until(notice: Notice, one: Addressed) -> datetime:
    assert one.accepted_at is not None
    return one.accepted_at + notice.ahead


def _name(clients: Sequence[Addressed]) -> str:
    more = len(clients) - _NAMED
    named = ", ".join(one.name for one in clients[:_NAMED])
    return f"{named} and {more} more" if more > 0 else named


class NoticeIncomplete(errors.Refusal):
    """Times that don't fit a notice's kind."""

    code = "notice-incomplete"
    status = 422
    title = "The notice is not complete"

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why

    @property
    def detail(self) -> str:
        return self.why


class NoticeNotDraft(errors.Refusal):
    """What was published once is not published again."""

    code = "notice-not-draft"
    status = 409
    title = "The notice is no draft"

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    @property
    def detail(self) -> str:
        return f"The notice is {self.state}; draft another one."


class NoticeNotPublished(errors.Refusal):
    """What nobody was told, or what is over."""

    code = "notice-not-published"
    status = 409
    title = "The notice is not published"

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    @property
    def detail(self) -> str:
        return f"The notice is {self.state}, not published."


class NoticeTooLate(errors.Refusal):
    """A notice that can't be told in time any more."""

    code = "notice-too-late"
    status = 409
    title = "Too late for this notice"

    @property
    def detail(self) -> str:
        return "Its time has come, or is nearer than it was to be told ahead; draft it anew."


class NoticeNotRun(errors.Refusal):
    """A change that not every client could know of for long enough."""

    code = "notice-not-run"
    status = 409
    title = "The notice has not run"

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why

    @property
    def detail(self) -> str:
        return self.why
