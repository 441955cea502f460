"""What administrators get when their subscription moves: what stops, what goes on, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.events import DESTRUCTION_AFTER, SubscriptionMoved, SubscriptionStep
from libs.shared.words.tongue import N_, Tongue
from services.reporting import rules
from services.reporting.mail.letters import announcements
from services.reporting.mail.letters.announcements import Announcement
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.rendering import speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """Which step, and whose subscription."""

    event: SubscriptionMoved
    tenant: rules.clients.Tenant
    portal_url: str


@dataclass(frozen=True, slots=True)
class StepWords:
    """What is said of a step; `stops`, `goes_on` and `to_do` are empty where there is nothing.

    leads_to: the button; empty where nothing can be done in the portal.
    """

    subject: str
    what: str
    stops: str = ""
    goes_on: str = ""
    to_do: str = ""
    leads_to: str = N_("See the subscription in the portal")


_STOPPED = N_("Nothing is backed up any more, and nothing can be recovered.")
_KEPT_UNTIL = N_(
    "Your data is kept until {due}. Then all of it is destroyed for good, and you get a certificate"
    " of that. Until then you can sign in to the portal and see where things stand."
)
_KEEP_ENDED = N_(
    "If you still need the data, ask your provider before {due} to reinstate the subscription:"
    " then you can recover it."
)
_GOES_ON = N_("Backups, reports and recovery.")

TOLD: Mapping[SubscriptionStep, StepWords] = {
    "announce_end": StepWords(
        N_("Your subscription will end: {client}"),
        N_("Your subscription ends on {ends}."),
        N_(
            "From then on nothing is backed up any more, and nothing can be recovered. {days} days"
            " later all of your data is destroyed for good."
        ),
        N_("Until then everything goes on: backups, reports and recovery."),
        N_("If you want to keep the data, recover it before that day, in the portal."),
        N_("Recover files in the portal"),
    ),
    "end": StepWords(
        N_("Your subscription has ended: {client}"),
        N_("Your subscription ended on {at}."),
        _STOPPED,
        _KEPT_UNTIL,
        _KEEP_ENDED,
    ),
    "lapse": StepWords(
        N_("Your subscription has ended: {client}"),
        N_(
            "The maintenance of the backup software ended on {maintained}, and your subscription"
            " with it."
        ),
        _STOPPED,
        _KEPT_UNTIL,
        _KEEP_ENDED,
    ),
    "suspend": StepWords(
        N_("Your subscription is suspended: {client}"),
        N_("Your subscription was suspended on {at}."),
        _STOPPED,
        N_("Nothing is destroyed. You can sign in to the portal and see where things stand."),
        N_(
            "Settle with your provider what stands against the subscription: as soon as it is"
            " resumed, backups go on and files can be recovered."
        ),
    ),
    "resume": StepWords(
        N_("Your subscription goes on: {client}"),
        N_("Your subscription goes on as before, since {at}."),
        goes_on=_GOES_ON,
        to_do=N_("See in the portal whether the next runs come as planned."),
    ),
    "reinstate": StepWords(
        N_("Your subscription is reinstated: {client}"),
        N_("The end of your subscription was taken back on {at}. Nothing was destroyed."),
        goes_on=_GOES_ON,
        to_do=N_("See in the portal whether the next runs come as planned."),
    ),
    "maintain": StepWords(
        N_("Maintenance of the backup software: {client}"),
        N_("The backup software is now maintained until {maintained}."),
        N_("Your subscription ends with that day, unless the maintenance is renewed before."),
        _GOES_ON,
    ),
}
_OPEN_ENDED = StepWords(
    N_("Maintenance of the backup software: {client}"),
    N_("Your subscription does not depend on the maintenance of the backup software any more."),
    goes_on=_GOES_ON,
)


def choose(facts: SubscriptionFacts) -> Iterable[Addressee]:
    """The client's administrators."""
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: SubscriptionFacts, addressee: Addressee, _shown: int) -> Letter:
    """What happened and why; what stops and what goes on, until when; what to do."""
    event = facts.event
    tongue = speak(addressee.locale, facts.tenant.timezone)
    is_open_ended = event.step == "maintain" and event.maintenance_until is None
    told = _OPEN_ENDED if is_open_ended else TOLD[event.step]
    dates = _dates(event, tongue)
    subject = tongue.say(told.subject, client=title(facts.tenant.name))
    announced = Announcement(
        headline=subject,
        what=tongue.say(told.what, **dates),
        reason=event.reason,
        stops=told.stops and tongue.say(told.stops, **dates),
        goes_on=told.goes_on and tongue.say(told.goes_on, **dates),
        to_do=told.to_do and tongue.say(told.to_do, **dates),
        leads_to=tongue.say(told.leads_to),
        link=facts.portal_url,
        is_bad=event.state in {"ended", "suspended"},
    )
    return announcements.write(tongue, subject, announced)


def _dates(event: SubscriptionMoved, tongue: Tongue) -> dict[str, object]:
    until = event.maintenance_until
    return {
        "at": tongue.moment(event.at),
        "ends": tongue.moment(event.ends_at),
        "due": tongue.moment(event.destruction_due_at),
        "maintained": tongue.calendar_day(until) if until else "",
        "days": DESTRUCTION_AFTER.days,
    }


KIND: Kind[SubscriptionFacts] = Kind(
    "subscription",
    choose,
    write,
    subject=lambda facts: uuid5(facts.event.tenant_id, f"subscription {facts.event.version}"),
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)
