"""What the hotline gets when a client answers an overage case by *call me*."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.events import OverageAnswered, OverageTold
from libs.shared.words import volumes
from services.reporting import rules
from services.reporting.mail.letters import overage
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class CalledFacts:
    """Who wants to be called, and what they see of their case."""

    event: OverageAnswered
    case: OverageTold
    tenant: rules.clients.Tenant
    portal_url: str
    hotline: tuple[str, ...] = ()


def choose(facts: CalledFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: CalledFacts, addressee: Addressee, shown: int) -> Letter:
    """Who is to be called, at which client, and what the client sees."""
    event, case, tenant = facts.event, facts.case, facts.tenant
    tongue = speak(addressee.locale, tenant.timezone)
    subject = tongue.say("[Hotline] Call wanted: {client}", client=title(tenant.name))
    content = lay_out(
        tongue,
        "called",
        to_hotline=True,
        client=title(tenant.name),
        by=title(event.by),
        answered_at=tongue.moment(event.answered_at),
        people=tenant.administrators[:shown],
        figures=[
            *overage.list_figures(tongue, case),
            (tongue.say("Deadline"), tongue.moment(case.deadline_at)),
            (tongue.say("Last deadline, whatever was answered"), tongue.moment(case.final_at)),
        ],
        forecast=volumes.tell_forecast(tongue, case.reached_on, case.weekly_bytes),
        fills=overage.list_fills(tongue, case, shown),
        link=link_client(facts.portal_url, tenant.tenant_id),
    )
    return Letter(subject, content)


KIND: Kind[CalledFacts] = Kind(
    "called",
    choose,
    write,
    # Once a day, however often somebody changes their mind.
    subject=lambda facts: uuid5(facts.event.case_id, f"call {facts.event.answered_at:%Y-%m-%d}"),
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)
