"""Who of a client may read reports, and what each of them chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from libs.shared.events import Locale, ReportChoice
from services.portal.rules.people import Person
from services.portal.rules.recipients import Decision, Preference

_USUAL = Preference()


@dataclass(frozen=True)
class ReportReader:
    """Somebody of a client who gets reports, or would; locale: in which they are written.

    Without an account they have an invitation, by which they stop the reports.
    """

    name: str
    email: str
    locale: Locale
    choice: ReportChoice
    has_account: bool
    is_administrator: bool = False
    invitation_id: UUID | None = None


def list_readers(
    accounts: Iterable[Person],
    decisions: Iterable[Decision],
    preferences: Mapping[str, Preference],
    locale: Locale,
) -> list[ReportReader]:
    """Returns everybody with an account, then each address that an administrator set or accepted.

    locale: the client's.
    """
    people = list(accounts)
    own = [
        ReportReader(
            one.name,
            one.email.lower(),
            one.locale,
            preferences.get(one.email.lower(), _USUAL).choice,
            has_account=True,
            is_administrator=one.role == "administrator",
        )
        for one in people
    ]
    decided = list(decisions)
    gone = {one.email for one in decided if one.state == "declined"}
    gone |= {one.email for one in own}
    welcome = {
        one.email: one.invitation_id
        for one in decided
        if one.state in {"set", "accepted"} and one.email not in gone
    }
    others = []
    for email in sorted(welcome):
        chosen = preferences.get(email, _USUAL)
        others.append(
            ReportReader(
                "",
                email,
                chosen.locale or locale,
                chosen.choice,
                has_account=False,
                invitation_id=welcome[email],
            )
        )
    return own + others
