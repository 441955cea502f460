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
