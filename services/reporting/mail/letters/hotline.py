"""What the hotline gets of a plan that fails: at the beginning, and once more where it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID, uuid5

from libs.shared.events import RunFinished
from libs.shared.words.tongue import N_, Tongue
from services.reporting import rules
from services.reporting.mail.causes import Teller
from services.reporting.mail.letters import report, tickets
from services.reporting.mail.letters.figures import RunFacts
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.report import ForHotline
from services.reporting.mail.rendering import speak, title
from services.reporting.rules.clients import Tenant
from services.reporting.rules.incidents import Cause, Incident
from services.reporting.rules.mails import Addressee
from services.reporting.rules.plans import Plan


def find_first(cause: Cause) -> str:
    """The kind of mail that an incident of a cause begins with."""
    if cause == "missed":
        return "silent"
    return KIND.name if cause in rules.incidents.OF_RUNS else "incident"


@dataclass(frozen=True, slots=True)
class HotlineFacts:
    """A failed run, the incident that it began or belongs to, and the runs before, newest first."""

    about: RunFacts
    incident: Incident
    step: Literal["opened", "escalated"]
    before: Sequence[RunFinished]
    hotline: tuple[str, ...]


def choose(facts: HotlineFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: HotlineFacts, addressee: Addressee, shown: int) -> Letter:
    """The report with the end of the log, the runs before, and the steps of those who help."""
    about, incident = facts.about, facts.incident
    tongue = speak(addressee.locale, about.tenant.timezone)
    outcome = tongue.say(report.OUTCOMES[about.run.outcome])
    more = ForHotline(
        subject=say_subject(tongue, outcome, incident, facts.step, about.tenant, about.plan),
        ticket=tickets.head(about.tenant, about.plan, incident),
        before=list_before(facts.before[:shown], tongue),
    )
    letter = report.write(about, addressee, shown, more)
    return replace(letter, log=report.cut_log(about.run.log_tail, shown))


def say_subject(
    tongue: Tongue,
    outcome: str,
    incident: Incident,
    step: Literal["opened", "escalated"],
    tenant: Tenant,
    plan: Plan,
) -> str:
    """What stands above all else that the hotline gets of a plan's runs."""
    subject = (
        N_("[Hotline] {outcome}: plan {plan} of {client} on {machine}")
        if step == "opened"
        else N_("[Hotline] {outcome}, {n} times in a row: plan {plan} of {client} on {machine}")
    )
    return tongue.say(
        subject,
        outcome=f"[{outcome}]",
        n=tongue.number(incident.times),
        plan=title(plan.name),
        client=title(tenant.name),
        machine=title(plan.hostname),
    )


def list_before(runs: Sequence[RunFinished], tongue: Tongue) -> list[tuple[str, str, str]]:
    """Of each run when it ended, how, and why."""
    teller = Teller(tongue, hotline=True)
    return [
        (
            tongue.moment(run.finished_at),
            tongue.outcome(run.outcome),
            told.cause if (told := teller.explain_run(run)) else "",
        )
        for run in runs
    ]


def name(incident: Incident, step: str) -> UUID:
    """What a mail about an incident is about."""
    return uuid5(incident.incident_id, step)


def thread(incident: Incident) -> tuple[str, UUID]:
    """The kind and subject of the mail that all others about an incident answer."""
    return find_first(incident.cause), name(incident, "opened")


KIND: Kind[HotlineFacts] = Kind(
    "hotline",
    choose,
    write,
    subject=lambda facts: name(facts.incident, facts.step),
    plan=lambda facts: facts.about.run.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    by_client=lambda _facts: True,
    thread=lambda facts: thread(facts.incident) if facts.step != "opened" else None,
)
