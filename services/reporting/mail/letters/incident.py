"""What the hotline gets of an incident that no run's report carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

from libs.shared.events import RunFinished
from libs.shared.words.tongue import DEFAULT_TIMEZONE, N_
from services.reporting import rules
from services.reporting.mail.letters import hotline, matters, report, tickets
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.letters.matters import About, Undelivered, Unusual
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.incidents import Incident, Step
from services.reporting.rules.mails import Addressee

_SUBJECTS = {
    (False, False): N_("[Hotline] {outcome}: {client}"),
    (False, True): N_("[Hotline] {outcome}: plan {plan} of {client} on {machine}"),
    (True, False): N_("[Hotline] {outcome}, still open: {client}"),
    (True, True): N_("[Hotline] {outcome}, still open: plan {plan} of {client} on {machine}"),
}

_STEPS: dict[Step, str] = {
    "opened": N_("[Hotline] {client}: {what}"),
    "escalated": N_("[Hotline] {client}, still: {what}"),
    "closed": N_("[Hotline] Closed: {client}, {what}"),
}


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """An incident, what it is about, and the last runs, newest first.

    tenant, plan: None where they aren't known, or none is concerned.
    """

    incident: Incident
    step: Literal["opened", "repeated", "escalated"]
    about: About
    tenant: rules.clients.Tenant | None
    plan: rules.plans.Plan | None
    before: Sequence[RunFinished]
    portal_url: str
    hotline: tuple[str, ...]


def choose(facts: IncidentFacts) -> Iterable[Addressee]:
    """The hotline, but for the address that just refused a mail."""
    refusing = ""
    if isinstance(facts.about, Undelivered):
        refusing = facts.about.mail.recipient.lower()
    return rules.mails.address_hotline(
        email for email in facts.hotline if email.lower() != refusing
    )


def write(facts: IncidentFacts, addressee: Addressee, shown: int) -> Letter:
    """What is the matter, what to do, the runs before, and lines for ticket systems."""
    incident, plan = facts.incident, facts.plan
    timezone = facts.tenant.timezone if facts.tenant else DEFAULT_TIMEZONE
    tongue = speak(addressee.locale, timezone)
    outcome = tongue.say(matters.OUTCOMES[incident.cause])
    names = {
        "outcome": outcome,
        "client": matters.name_client(tongue, facts.tenant, incident),
        "plan": title(plan.name) if plan else "",
        "machine": title(plan.hostname) if plan else "",
    }
    goes_on = facts.step == "escalated"
    whose = names["client"]
    if isinstance(facts.about, Undelivered):
        whose = f"{facts.about.mail.recipient}, {whose}"
    subject = tongue.say(_SUBJECTS[goes_on, plan is not None], **(names | {"client": whose}))
    log = facts.before[0].log_tail if facts.before else ""
    told = matters.tell(tongue, facts.about, shown)
    link = link_client(facts.portal_url, incident.tenant_id)
    content = lay_out(
        tongue,
        "incident",
        in_short=[told.cause, told.step, link],
        outcome=outcome,
        client=names["client"],
        plan=names["plan"],
        machine=names["machine"],
        to_hotline=True,
        ticket=tickets.head(facts.tenant, plan, incident),
        told=told,
        times=incident.times,
        since=tongue.moment(incident.opened_at),
        people=facts.tenant.administrators[:shown] if facts.tenant else [],
        before=hotline.list_before(facts.before[:shown], tongue),
        link=link,
    )
    return Letter(subject, content, log=report.cut_log(log, shown))


def name(facts: IncidentFacts) -> UUID:
    """What a mail is about: a step of an incident, or one more matter of it."""
    if facts.step == "repeated":
        return uuid5(facts.incident.incident_id, f"repeated {facts.incident.times}")
    return hotline.name(facts.incident, facts.step)


def is_by_client(facts: IncidentFacts) -> bool:
    """Whether a client's machines cause it."""
    if isinstance(facts.about, Undelivered):
        return facts.about.mail.by_client
    if isinstance(facts.about, Unusual):
        return True
    return facts.incident.cause in rules.incidents.OF_RUNS


def summarize(
    tenant: rules.clients.Tenant | None,
    plan: rules.plans.Plan | None,
    incident: Incident,
    step: Step,
    portal_url: str,
) -> tuple[str, str]:
    """A step of an incident in a title and a few lines, for webhooks, in the hotline's language."""
    tongue = speak(rules.mails.HOTLINE_LOCALE)
    client = title(tenant.name) if tenant else tickets.NOTHING
    subject = tongue.say(
        _STEPS[step],
        what=tongue.say(matters.CAUSES[incident.cause]),
        client=f"{client}, {title(plan.name)}" if plan else client,
    )
    lines = [f"{label}: {value}" for label, value in tickets.head(tenant, plan, incident)]
    return subject, "\n".join([*lines, link_client(portal_url, incident.tenant_id)])


KIND: Kind[IncidentFacts] = Kind(
    "incident",
    choose,
    write,
    subject=name,
    plan=lambda facts: facts.incident.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    by_client=is_by_client,
    tells_hotline=False,
    thread=lambda facts: hotline.thread(facts.incident) if facts.step != "opened" else None,
)
