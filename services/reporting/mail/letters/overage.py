"""What administrators get of an overage case: at its opening, on certain days, at its end.

Each mail has links of its reader's own, so it is written for each person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID, uuid5

from libs.shared import signed_links
from libs.shared.events import (
    Answer,
    OverageBlocked,
    OverageClosed,
    OverageExtended,
    OverageReminded,
    OverageReported,
)
from libs.shared.words import volumes
from libs.shared.words.tongue import N_, Tongue
from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_answer
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee
from services.reporting.rules.offers import Offers

_SIZES = 3
_GIGABYTE = 10**9
_ANSWERED: dict[Answer, str] = {
    "order": N_("You answered that you will order more."),
    "reduce": N_("You answered that you will reduce."),
    "call": N_("You asked to be called."),
}


@dataclass(frozen=True, slots=True)
class OverageFacts:
    """How the case of which client is now, and what the client could order."""

    event: OverageReported
    tenant: rules.clients.Tenant
    portal_url: str
    mail_key: bytes = field(repr=False)
    offers: Offers | None = None


class OverageLine(NamedTuple):
    """One line of a table."""

    label: str
    amount: str


def choose(facts: OverageFacts) -> Iterable[Addressee]:
    """The client's administrators."""
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: OverageFacts, addressee: Addressee, shown: int) -> Letter:
    """What is held and contracted, what fills it, and three answers with their links."""
    event, tenant = facts.event, facts.tenant
    tongue = speak(addressee.locale, tenant.timezone)
    subject, lead = _say(tongue, facts)
    is_closed = isinstance(event, OverageClosed)
    token = signed_links.make_token(
        facts.mail_key, "overage", tenant.tenant_id, event.case_id, addressee.email
    )
    figures = list_figures(tongue, event)
    percent = 100 * event.stored_bytes // event.contracted_bytes if event.contracted_bytes else 0
    told_share = (
        tongue.say(
            "{stored} are stored of {contracted} contracted: {share}.",
            stored=tongue.size(event.stored_bytes),
            contracted=tongue.size(event.contracted_bytes),
            share=tongue.percent(event.stored_bytes, event.contracted_bytes),
        )
        if event.contracted_bytes
        else ""
    )
    answers = {answer: link_answer(facts.portal_url, token, answer) for answer in _ANSWERED}
    next_step = "" if is_closed else tell_next_step(tongue, event)
    links = [] if is_closed else answers.values()
    content = lay_out(
        tongue,
        "overage",
        in_short=[each for each in (lead, told_share, next_step, *links) if each],
        headline=subject,
        lead=lead,
        reason=event.reason,
        percent=percent,
        told_share=told_share,
        figures=figures,
        forecast=volumes.tell_forecast(tongue, event.reached_on, event.weekly_bytes),
        fills=[] if is_closed else list_fills(tongue, event, shown),
        next_step=next_step,
        sizes=[] if is_closed else list_sizes(tongue, facts),
        answers=answers,
        is_open=not is_closed,
    )
    return Letter(subject, content)


def _say(tongue: Tongue, facts: OverageFacts) -> tuple[str, str]:
    """The subject, and the first sentence."""
    event = facts.event
    client = title(facts.tenant.name)
    match event:
        case OverageReminded():
            subject = tongue.say(N_("Reminder - contracted volume passed: {client}"), client=client)
            lead = N_("More is still stored than is contracted.")
        case OverageExtended():
            subject = tongue.say(
                N_("Contracted volume: a new deadline for {client}"), client=client
            )
            lead = N_("More is stored than is contracted, and you have more time to correct it.")
        case OverageBlocked():
            subject = tongue.say(N_("Backups can grow no more: {client}"), client=client)
            lead = N_(
                "More is stored than is contracted, so growth has been stopped: runs that would "
                "add to what is stored are refused. Runs that don’t grow, deletions and all "
                "recovery of your files go on."
            )
        case OverageClosed():
            subject = tongue.say(N_("Within the contracted volume again: {client}"), client=client)
            lead = N_("No more is stored than is contracted: there is nothing left to do.")
        case _:
            subject = tongue.say(N_("Contracted volume passed: {client}"), client=client)
            lead = N_("More is stored than is contracted. Backups and recovery go on.")
    return subject, tongue.say(lead)


def list_figures(tongue: Tongue, event: OverageReported) -> list[OverageLine]:
    """What is held, what is contracted, and when that was passed."""
    stored = tongue.size(event.stored_bytes)
    if event.contracted_bytes:
        share = tongue.percent(event.stored_bytes, event.contracted_bytes)
        stored = f"{stored} ({share})"
    figures = [
        OverageLine(tongue.say("Stored volume"), stored),
        OverageLine(tongue.say("Contracted volume"), tongue.size(event.contracted_bytes)),
    ]
    if event.stored_bytes > event.contracted_bytes:
        beyond = event.stored_bytes - event.contracted_bytes
        figures += [
            OverageLine(tongue.say("Beyond the contract"), tongue.size(beyond)),
            OverageLine(tongue.say("Passed on"), tongue.moment(event.passed_at)),
        ]
    if event.ceiling_bytes is not None:
        figures.append(OverageLine(tongue.say("Growth stops at"), tongue.size(event.ceiling_bytes)))
    return figures


def list_fills(
    tongue: Tongue, event: OverageReported, shown: int
) -> Sequence[tuple[str, str, str]]:
    """(plan and machine, what it protects, what it sent lately) of the plans that fill most."""
    return [
        (
            f"{title(one.plan_name)} ({title(one.hostname)})",
            tongue.size(one.protected_bytes),
            tongue.size(one.sent_bytes),
        )
        for one in event.fills[:shown]
    ]


def list_sizes(tongue: Tongue, facts: OverageFacts) -> list[tuple[str, str, int]]:
    """(size, price a month, gigabytes) of the next sizes that hold what is stored."""
    if facts.offers is None:
        return []
    enough = [one for one in facts.offers.offers if one.storage_bytes >= facts.event.stored_bytes]
    return [
        (
            tongue.size(one.storage_bytes),
            tongue.money(one.monthly, facts.offers.currency),
            one.storage_bytes // _GIGABYTE,
        )
        for one in enough[:_SIZES]
    ]


def tell_next_step(tongue: Tongue, event: OverageReported) -> str:
    """What happens by which day if volume stays as it is."""
    if event.ceiling_bytes is not None:
        return tongue.say(
            "Growth goes on as soon as no more is stored than is contracted, or more is contracted."
        )
    if event.answer is None:
        return tongue.say(
            "Please choose an answer below: without one, backups can grow no more from {deadline} "
            "on.",
            deadline=tongue.moment(event.deadline_at),
        )
    answered = tongue.say(_ANSWERED[event.answer])
    rest = tongue.say(
        "Backups may go on growing until {deadline} at the latest.",
        deadline=tongue.moment(event.final_at),
    )
    return f"{answered} {rest}"


def name(facts: OverageFacts) -> UUID:
    """What the mail is about: a day of which is reminded before its deadline, or a turn."""
    event = facts.event
    turn = f"reminded {event.day}" if isinstance(event, OverageReminded) else str(event.version)
    return uuid5(event.case_id, f"{event.deadline_at.isoformat()} {turn}")


KIND: Kind[OverageFacts] = Kind(
    "overage",
    choose,
    write,
    subject=name,
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    is_personal=True,
)
