"""Acts with those who get reports."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.rules.log.acts.base import Act


@dataclass(frozen=True)
class RecipientsListed(Act):
    """Who gets a plan's reports."""

    code = "recipients-listed"
    plan: str


@dataclass(frozen=True)
class _OfRecipient(Act):
    """Something about an address and a plan's reports."""

    plan: str
    email: str


@dataclass(frozen=True)
class RecipientAdded(_OfRecipient):
    """An administrator set an address: reports go there."""

    code = "recipient-added"


@dataclass(frozen=True)
class RecipientAsked(_OfRecipient):
    """An administrator had an address asked whether it wants the reports."""

    code = "recipient-asked"


@dataclass(frozen=True)
class RecipientRemoved(_OfRecipient):
    """An administrator took an address away."""

    code = "recipient-removed"


@dataclass(frozen=True)
class InvitationOpened(Act):
    """Somebody followed the link of an invitation, or a program that looks at mails did."""

    code = "invitation-opened"


@dataclass(frozen=True)
class InvitationAnswered(Act):
    """Who was invited accepted the reports, or declined them."""

    code = "invitation-answered"
    accepted: bool


@dataclass(frozen=True)
class ReadersListed(Act):
    """Who of a client reads reports, and what each gets."""

    code = "readers-listed"


@dataclass(frozen=True)
class ReaderChanged(Act):
    """An administrator, or the reader by the link of a mail, chose which reports they get."""

    code = "reader-changed"
    email: str
    choice: str
    locale: str


@dataclass(frozen=True)
class ReportsDeclined(Act):
    """An administrator declined all reports for the client."""

    code = "reports-declined"


@dataclass(frozen=True)
class ReportsWanted(Act):
    """An administrator took back that the client declined its reports."""

    code = "reports-wanted"


@dataclass(frozen=True)
class ChoiceOpened(Act):
    """Somebody followed a mail's link to what they get, or a program that looks at mails did."""

    code = "choice-opened"
