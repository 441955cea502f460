"""What the hotline gets of a plan whose runs don't come: at the beginning, and once more later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from libs.shared.events import RunFinished
from services.reporting import rules
from services.reporting.mail.letters import hotline, missed, tickets
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.missed import MISSED, MissedFacts
from services.reporting.mail.letters.report import ForHotline
from services.reporting.mail.rendering import speak
from services.reporting.rules.incidents import Incident
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class SilentFacts:
    """What was missed, its incident, and the last runs before, newest first."""

    about: MissedFacts
    incident: Incident
    step: Literal["opened", "escalated"]
    before: Sequence[RunFinished]
    hotline: tuple[str, ...]


def choose(facts: SilentFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: SilentFacts, addressee: Addressee, shown: int) -> Letter:
    """What the plan's readers get, with the last runs and lines for ticket systems."""
    about = facts.about
    tongue = speak(addressee.locale, about.tenant.timezone)
    outcome = tongue.say(MISSED)
    more = ForHotline(
        subject=hotline.say_subject(
            tongue, outcome, facts.incident, facts.step, about.tenant, about.plan
        ),
        ticket=tickets.head(about.tenant, about.plan, facts.incident),
        before=hotline.list_before(facts.before[:shown], tongue),
    )
    return missed.write(about, addressee, shown, more)


KIND: Kind[SilentFacts] = Kind(
    hotline.find_first("missed"),
    choose,
    write,
    subject=lambda facts: hotline.name(facts.incident, facts.step),
    plan=lambda facts: facts.about.plan.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    by_client=lambda _facts: True,
    thread=lambda facts: hotline.thread(facts.incident) if facts.step != "opened" else None,
)
