"""What each of the provider's operators may do: by their duty, and by the act that it leaves.

Whatever an operator reads or changes notes an act, by page, API and command alike; so this one
table holds for all of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import get_args

from libs.shared import errors
from services.portal.rules.log import acts
from services.portal.rules.log.acts import Act
from services.portal.rules.log.chain import Duty

SETTLED_AFTER = timedelta(days=7)
"""So long nobody confirms for others whose password another operator has known."""
DUTIES: tuple[Duty, ...] = get_args(Duty)

_OWN: frozenset[type[Act]] = frozenset(
    {
        acts.SignedIn,
        acts.SignInRefused,
        acts.SignedOut,
        acts.PasswordChanged,
        acts.LanguageChosen,
        acts.SessionEnded,
        acts.SignedOutEverywhere,
        acts.TokenMade,
        acts.TokenRevoked,
        acts.SecondFactorAdded,
        acts.SecondFactorRemoved,
        acts.RecoveryCodesMade,
        acts.RecoveryCodeUsed,
        acts.PasswordForgotten,
    }
)
_READS: frozenset[type[Act]] = frozenset(
    {
        acts.TenantsListed,
        acts.TenantViewed,
        acts.RunsListed,
        acts.RunViewed,
        acts.QueueListed,
        acts.DaysListed,
        acts.OveragesListed,
        acts.ContractViewed,
        acts.ApprovalsListed,
        acts.IncidentsListed,
        acts.IncidentViewed,
        acts.QuotaViewed,
        acts.NoticesListed,
        acts.NoticeViewed,
        acts.DestructionsListed,
        acts.DestructionViewed,
        acts.DocumentsListed,
        acts.AcceptancesListed,
        acts.NoteWritten,
        acts.NoteRemoved,
    }
)
# An administrator may do everything; the others their own, and what stands here.
_TABLE: dict[Duty, frozenset[type[Act]]] = {
    "hotline": _READS
    | {
        acts.IncidentDecided,
        acts.ParkedListed,
        acts.ParkedViewed,
    },
    "sales": _READS
    | {
        acts.OrdersListed,
        acts.OrderPreviewed,
        acts.OrderPlaced,
        acts.OrdersAllowed,
        acts.PricesViewed,
        acts.PricesPut,
        acts.MonthClosed,
        acts.BillingViewed,
        acts.BillingExported,
    },
}


_BY_CODE = {act.code: act for act in acts.ACTS}


class NotOfDuty(errors.Forbidden):
    """An operator isn't there for this."""

    code = "not-of-duty"

    def __init__(self, duty: Duty) -> None:
        super().__init__(f"This isn't for accounts of {duty}: ask an administrator of yours.")
        self.duty = duty


class LastOperator(errors.Refusal):
    """Somebody has to be left who may do everything."""

    code = "last-operator"
    status = 409
    title = "This is the last administrator"

    @property
    def detail(self) -> str:
        return "No other operator is an administrator: make another one first."


class UnsettledOperator(errors.Refusal):
    """Whoever issued a password lately could still be the one who uses it."""

    code = "operator-unsettled"
    status = 403
    title = "Another operator has to confirm this"

    @property
    def detail(self) -> str:
        return (
            f"Your password was issued by somebody else less than {SETTLED_AFTER.days} days ago: "
            "let an operator confirm who has theirs for longer."
        )


def check_settled(issued_at: datetime | None, now: datetime) -> None:
    """Raises UnsettledOperator for eyes that may be another's; issued_at: of their password."""
    if issued_at is not None and now < issued_at + SETTLED_AFTER:
        raise UnsettledOperator


def may(duty: Duty | None, act: type[Act]) -> bool:
    """Whether somebody may do what leaves such an act; None: they are no operator."""
    if duty is None or duty == "administrator":
        return True
    return act in _OWN or act in _TABLE[duty]


def may_code(duty: Duty | None, code: str) -> bool:
    """As `may`, by the act's code, as pages name it."""
    return may(duty, _BY_CODE[code])


def check(duty: Duty | None, act: type[Act]) -> None:
    """Raises NotOfDuty unless they may."""
    if duty is not None and not may(duty, act):
        raise NotOfDuty(duty)
