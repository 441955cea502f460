"""What a plan's readers get where its run never came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid5

from libs.shared.events import RunFinished
from libs.shared.words.tongue import N_
from services.reporting import rules
from services.reporting.mail.letters import report
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client, link_pause, link_plan
from services.reporting.mail.letters.report import ForHotline, address
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee
from services.reporting.rules.missed import Expectation

MISSED = N_("MISSED")


@dataclass(frozen=True, slots=True)
class MissedFacts:
    """What was expected of which plan, the newest time that was missed, and the last good run."""

    tenant: rules.clients.Tenant
    plan: rules.plans.Plan
    audience: rules.plans.Audience
    expectation: Expectation
    missed_at: datetime
    good: RunFinished | None
    portal_url: str
    mail_key: bytes = field(repr=False)


def choose(facts: MissedFacts) -> Iterable[Addressee]:
    """Those who would get the run's report; nobody where the machine declined reports."""
    readers = rules.choices.find_notified(facts.tenant, facts.plan, facts.audience, "missed")
    return [address(one, facts.tenant, facts.portal_url, facts.mail_key) for one in readers]


def write(
    facts: MissedFacts, addressee: Addressee, shown: int, hotline: ForHotline | None = None
) -> Letter:
    """When it was due, when the last good run was, what to look at; the hotline's has the runs."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    plan, client, expectation = title(facts.plan.name), title(facts.tenant.name), facts.expectation
    subject = report.SUBJECT.format(
        outcome=tongue.say(MISSED), client=client, plan=plan, moment=tongue.moment(facts.missed_at)
    )
    command = f"coffre incidents pause {facts.tenant.tenant_id} {facts.plan.plan_id}"
    content = lay_out(
        tongue,
        "missed",
        to_hotline=hotline is not None,
        ticket=hotline.ticket if hotline else (),
        outcome=tongue.say("Missed"),
        before=hotline.before if hotline else [],
        people=facts.tenant.administrators[:shown] if hotline else [],
        pause=f"`{command} --until DATE --reason TEXT`" if hotline else "",
        pause_link=link_pause(facts.portal_url, facts.plan.plan_id),
        plan=plan,
        client=client,
        machine=title(facts.plan.hostname),
        missed_at=tongue.moment(facts.missed_at),
        times=expectation.times,
        since=tongue.moment(expectation.since),
        good_at=tongue.moment(facts.good.finished_at) if facts.good else "",
        has_run=expectation.last_run > 0,
        watched_since=tongue.moment(expectation.watched_since),
        next_at=tongue.moment(expectation.expected_at) if expectation.expected_at else "",
        leads_to=tongue.say(
            N_("See the client in the portal") if hotline else N_("See the plan in the portal")
        ),
        link=link_client(facts.portal_url, facts.tenant.tenant_id)
        if hotline
        else link_plan(facts.portal_url, facts.plan.plan_id),
    )
    return Letter(hotline.subject if hotline else subject, content)


KIND: Kind[MissedFacts] = Kind(
    "missed",
    choose,
    write,
    subject=lambda facts: uuid5(facts.plan.plan_id, f"missed {facts.missed_at.isoformat()}"),
    plan=lambda facts: facts.plan.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    by_client=lambda _facts: True,
)
