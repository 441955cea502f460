"""Who gets a plan's reports: only addresses that somebody answers for.

What a machine declares is a wish: it counts for addresses that have an account of the client, that
accepted by a link, or that an administrator set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from libs.shared import errors
from libs.shared.events import Locale, Reader, Recipient, ReportChoice

Decided = Literal["set", "asked", "accepted", "declined", "removed"]
State = Literal["account", "set", "asked", "accepted", "declined", "removed", "unknown"]

EVERY_PLAN = UUID(int=0)
"""In the place of a plan: what is decided for all of a client's."""
INVITATION_LIFE = timedelta(days=30)
INVITATIONS_A_DAY = 20
"""How many addresses a client may ask in a day: each is a mail to somebody whom we don't know."""
MOST_RECIPIENTS = 20
"""How many addresses without an account a plan may have."""
MOST_OF_CLIENT = 100
"""How many addresses without an account all plans of a client may have."""
_COUNTED = {"account", "set", "accepted"}
_PENDING = {"asked", "unknown"}
_ADDRESS = re.compile(
    r"[!#-'*+\-/-9=?A-Z^-~.]{1,64}@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}"
)


@dataclass(frozen=True)
class Decision:
    """What somebody decided about an address and a plan."""

    plan_id: UUID
    email: str
    state: Decided
    invitation_id: UUID | None = None


@dataclass(frozen=True)
class Preference:
    """Which reports an address of a client gets, and in which language; None: the client's."""

    choice: ReportChoice = "every"
    locale: Locale | None = None


@dataclass(frozen=True)
class PlanAddress:
    """An address of a plan: who it is, whether it gets reports, and whether the machine asks so."""

    email: str
    state: State
    is_declared: bool

    @property
    def is_counted(self) -> bool:
        """Whether reports go there."""
        return self.state in _COUNTED

    @property
    def is_pending(self) -> bool:
        """Whether reports would go there, if somebody said yes."""
        return self.state in _PENDING


@dataclass(frozen=True)
class Audience:
    """All addresses of a plan, in the order of their names."""

    entries: tuple[PlanAddress, ...]
    recipients: tuple[Reader, ...]

    @property
    def readers(self) -> set[str]:
        """The addresses that reports go to."""
        return {entry.email for entry in self.entries if entry.is_counted}

    @property
    def pending(self) -> list[str]:
        """The addresses that wait."""
        return [entry.email for entry in self.entries if entry.is_pending]


_USUAL = Preference()


def judge(
    plan_id: UUID,
    declared: Iterable[str],
    accounts: Iterable[Recipient],
    decisions: Iterable[Decision],
    locale: Locale,
    preferences: Mapping[str, Preference],
) -> Audience:
    """Says of each address that a plan declares or somebody decided about what it counts for.

    accounts, decisions: those of the whole client, as a person who is known for one of its plans
    is for all. locale: the language of those without an account who were given no other.
    preferences: by address.
    """
    known = {person.email.lower(): person for person in accounts}
    decisions = list(decisions)
    of_all = {one.email: one.state for one in decisions if one.plan_id == EVERY_PLAN}
    everywhere = {email: state for email, state in of_all.items() if state != "removed"}
    own = everywhere | {one.email: one.state for one in decisions if one.plan_id == plan_id}
    welcome = {one.email for one in decisions if one.state in {"set", "accepted"}}
    declined = {one.email for one in decisions if one.state == "declined"}
    wanted = {email.strip().lower() for email in declared}

    def find_state(email: str) -> State:
        if own.get(email) == "removed":
            return "removed"
        if email in known:
            return "account"
        if email in declined:
            return "declined"
        if email in welcome:
            mine = own.get(email, "set")
            return "accepted" if mine == "accepted" else "set"
        return own.get(email, "unknown")

    entries = tuple(
        PlanAddress(email, find_state(email), email in wanted)
        for email in sorted(wanted | set(own))
    )
    links = {one.email: one.invitation_id for one in decisions if one.state in {"set", "accepted"}}

    def find_reader(email: str) -> Reader:
        if person := known.get(email):
            return Reader(
                name=person.name,
                email=person.email,
                locale=person.locale,
                choice=preferences.get(email, _USUAL).choice,
            )
        chosen = preferences.get(email, _USUAL)
        return Reader(
            name="",
            email=email,
            locale=chosen.locale or locale,
            choice=chosen.choice,
            invitation_id=links[email],
        )

    return Audience(entries, tuple(find_reader(e.email) for e in entries if e.is_counted))


def read_address(text: str) -> str:
    """The address in the form in which it is kept; raises NotAnAddress."""
    email = text.strip().lower()
    if len(email) > 254 or not _ADDRESS.fullmatch(email):
        raise NotAnAddress
    return email


def check_can_be_written_to(email: str, audience: Audience, decisions: Iterable[Decision]) -> None:
    """Raises RecipientDeclined, RecipientsFull where one more address can't be added to a plan."""
    decisions = list(decisions)
    if any(one.email == email and one.state == "declined" for one in decisions):
        raise RecipientDeclined(email)
    others = [one for one in audience.entries if one.email != email and one.state != "account"]
    of_plan = sum(one.is_counted or one.state == "asked" for one in others)
    of_client = {one.email for one in decisions if one.state in {"set", "asked", "accepted"}}
    if of_plan >= MOST_RECIPIENTS or len(of_client - {email}) >= MOST_OF_CLIENT:
        raise RecipientsFull


def check_invitations(asked: Mapping[str, datetime], email: str, now: datetime) -> None:
    """Raises AlreadyAsked, InvitationsSpent where a client asked enough strangers within a day.

    asked: when addresses were asked last, as long as their links are good.
    """
    if email in asked:
        raise AlreadyAsked(email)
    if sum(at > now - timedelta(days=1) for at in asked.values()) >= INVITATIONS_A_DAY:
        raise InvitationsSpent


def check_invitation(state: Decided, asked_at: datetime | None, now: datetime) -> None:
    """Raises InvitationOver for one that was taken back, or is too old to be answered.

    By the same link reports are stopped, for which none is ever too old.
    """
    if state in {"set", "accepted"}:
        return
    if state == "removed" or asked_at is None or asked_at + INVITATION_LIFE <= now:
        raise InvitationOver


class NotAnAddress(errors.Refusal):
    """No mail can be sent there."""

    code = "not-an-address"
    status = 422
    title = "This is no mail address"

    @property
    def detail(self) -> str:
        return "Give one mail address, such as camille@client.example."


class ClientAdds(errors.Refusal):
    """Reports name files, and what files are called takes two operators."""

    code = "client-adds"
    status = 409
    title = "The client adds recipients"

    @property
    def detail(self) -> str:
        return (
            "Here it takes two operators to see what a client's files are called, and reports name"
            " some: let an administrator of the client add who gets them."
        )


class RecipientsFull(errors.Refusal):
    """A plan has as many outside addresses as it may."""

    code = "recipients-full"
    status = 409
    title = "Too many recipients"

    @property
    def detail(self) -> str:
        return (
            f"A plan has at most {MOST_RECIPIENTS} recipients without an account, and a client "
            f"{MOST_OF_CLIENT}; remove one, or use the address of a group."
        )


class RecipientDeclined(errors.Refusal):
    """Somebody said that they want no mail of this client."""

    code = "recipient-declined"
    status = 409
    title = "This person declined"

    def __init__(self, email: str) -> None:
        super().__init__()
        self.email = email

    @property
    def detail(self) -> str:
        return f"{self.email} does not want these reports and is not written to any more."


class AlreadyAsked(errors.Refusal):
    """Whoever does not answer is not asked again and again."""

    code = "already-asked"
    status = 409
    title = "This person was asked already"

    def __init__(self, email: str) -> None:
        super().__init__()
        self.email = email

    @property
    def detail(self) -> str:
        return (
            f"{self.email} was asked within the last {INVITATION_LIFE.days} days; let them answer."
        )


class InvitationsSpent(errors.TooManyRequests):
    """A client asked many strangers within a day."""

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=3600)

    @property
    def detail(self) -> str:
        return f"At most {INVITATIONS_A_DAY} addresses can be asked in a day; ask more tomorrow."


class InvitationOver(errors.Refusal):
    """A link that is good for nothing any more."""

    code = "invitation-over"
    status = 410
    title = "This invitation is over"

    @property
    def detail(self) -> str:
        return "The invitation was taken back or is too old; whoever sent it can send another."
