"""Acts at the operators' desk: what is to be looked after, notes, accounts of operators."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.rules.log.acts.base import Act


@dataclass(frozen=True)
class QueueListed(Act):
    """What waits for operators: incidents, overage cases, confirmations."""

    code = "queue-listed"
    incidents: int


@dataclass(frozen=True)
class DaysListed(Act):
    """How clients' last days went, side by side."""

    code = "days-listed"
    tenants: int


@dataclass(frozen=True)
class OveragesListed(Act):
    """Every open overage case."""

    code = "overages-listed"
    cases: int


@dataclass(frozen=True)
class ContractViewed(Act):
    """A client's contract with its history, by an operator."""

    code = "contract-viewed"


@dataclass(frozen=True)
class TermsChanged(Act):
    """A client's name, language, time zone or retention, by an operator."""

    code = "terms-changed"
    name: str
    locale: str
    timezone: str
    retention_days: int


@dataclass(frozen=True)
class NoteWritten(Act):
    """Operators noted something of a client for each other."""

    code = "note-written"


@dataclass(frozen=True)
class NoteRemoved(Act):
    """A note of operators was taken away."""

    code = "note-removed"


@dataclass(frozen=True)
class HoldsCleared(Act):
    """What was unusual of a plan was meant: its versions expire again."""

    code = "holds-cleared"
    plan: str
    reason: str


@dataclass(frozen=True)
class OperatorsListed(Act):
    """The provider's operators."""

    code = "operators-listed"


@dataclass(frozen=True)
class _OfOperator(Act):
    """Something about an operator's account."""

    email: str


@dataclass(frozen=True)
class OperatorChanged(_OfOperator):
    """An operator has another name or duty."""

    code = "operator-changed"
    name: str
    duty: str


@dataclass(frozen=True)
class OperatorReset(_OfOperator):
    """An operator was given a new one-time password."""

    code = "operator-reset"


@dataclass(frozen=True)
class OperatorClosed(_OfOperator):
    """An operator's account was taken away."""

    code = "operator-closed"


@dataclass(frozen=True)
class ApprovalsListed(Act):
    """What waits for a second operator, and what was answered lately."""

    code = "approvals-listed"


@dataclass(frozen=True)
class _OfApproval(Act):
    """Something about an act that takes two operators."""

    kind: str
    reason: str


@dataclass(frozen=True)
class ApprovalAsked(_OfApproval):
    """An operator asks another to confirm an act on a client."""

    code = "approval-asked"


@dataclass(frozen=True)
class ApprovalConfirmed(_OfApproval):
    """A second operator confirmed it; `asker`: who wanted it."""

    code = "approval-confirmed"
    asker: str


@dataclass(frozen=True)
class ApprovalDeclined(_OfApproval):
    """A second operator declined it, or whoever asked took it back."""

    code = "approval-declined"
    asker: str


@dataclass(frozen=True)
class LookOpened(Act):
    """An operator opened a client's files to themselves for a while."""

    code = "look-opened"
    reason: str
