"""What a reader gets of all their plans in one mail: each week, and of a day with failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid5

from libs.shared.events import Reader, RunFinished
from libs.shared.words.tongue import N_, Tongue
from services.reporting import rules
from services.reporting.mail.causes import CauseWords, Teller
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_plan
from services.reporting.mail.letters.report import address, tell_more
from services.reporting.mail.rendering import Mark, lay_out, speak, title
from services.reporting.rules.choices import News
from services.reporting.rules.mails import Addressee
from services.reporting.rules.reviews import Happened, Review

_CELLS = 60
"""How many runs of a plan are shown at most: the newest."""

MARKS: Mapping[News, Mark] = {
    "succeeded": "good",
    "recovered": "good",
    "warned": "warn",
    "failed": "bad",
    "missed": "idle",
}
_OUTCOMES: Mapping[News, str] = {
    "succeeded": N_("succeeded"),
    "recovered": N_("succeeded"),
    "warned": N_("succeeded with warnings"),
    "failed": N_("failed"),
    "missed": N_("never came"),
}


@dataclass(frozen=True, slots=True)
class PlanReview:
    """What happened to a plan, oldest first, and its newest run of all times."""

    plan: rules.plans.Plan
    happened: Sequence[Happened]
    newest: RunFinished | None


@dataclass(frozen=True, slots=True)
class ReviewFacts:
    """Which time, and the plans whose reports somebody would get."""

    tenant: rules.clients.Tenant
    due: Review
    reader: Reader
    plans: Sequence[PlanReview]
    portal_url: str
    mail_key: bytes = field(repr=False)


def choose(facts: ReviewFacts) -> Iterable[Addressee]:
    """The one who chose it."""
    return [address(facts.reader, facts.tenant, facts.portal_url, facts.mail_key)]


def write(facts: ReviewFacts, addressee: Addressee, shown: int) -> Letter:
    """Each plan's runs as a strip, what failed of it, what it holds, what to do."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    client = title(facts.tenant.name)
    bad = sum(_count_bad(one) for one in facts.plans)
    subject = _say_subject(tongue, facts, bad)
    ordered = sorted(facts.plans, key=lambda one: (one.plan.name, one.plan.hostname))
    # Short of room, strips go before plans: each of them is named as long as may be.
    cells = _CELLS if shown >= 75 else 7
    stored = [one.newest for one in facts.plans if one.newest is not None]
    last = max(stored, key=lambda run: run.finished_at, default=None)
    content = lay_out(
        tongue,
        "review",
        in_short=[
            *(f"{one.plan.name}, {one.plan.hostname}" for one in ordered),
            facts.portal_url,
        ],
        headline=subject,
        client=client,
        since=tongue.moment(facts.due.since),
        until=tongue.moment(facts.due.until),
        volume=_say_volume(tongue, facts, last),
        plans=[_tell_plan(tongue, facts, one, cells) for one in ordered[:shown]],
        more=tell_more(tongue, len(ordered[shown:])),
        link=facts.portal_url,
    )
    return Letter(subject, content)


def _say_subject(tongue: Tongue, facts: ReviewFacts, bad: int) -> str:
    client = title(facts.tenant.name)
    if facts.due.period == "day":
        return (
            tongue.count(
                "{n} failure in a day: backups of {client}",
                "{n} failures in a day: backups of {client}",
                bad,
                client=client,
            )
            if bad
            else tongue.say(N_("Well again: backups of {client}"), client=client)
        )
    if not bad:
        return tongue.say(N_("The week’s backups: {client}"), client=client)
    return tongue.count(
        "The week’s backups, {n} failure: {client}",
        "The week’s backups, {n} failures: {client}",
        bad,
        client=client,
    )


def _count_bad(one: PlanReview) -> int:
    return sum(each.news in {"failed", "missed"} for each in one.happened)


def _say_volume(tongue: Tongue, facts: ReviewFacts, last: RunFinished | None) -> str:
    """What is stored of all plans, as the newest run found it; empty before any."""
    contracted = facts.tenant.contracted_bytes
    if last is None or contracted <= 0:
        return ""
    return tongue.say(
        "Stored volume, all plans: {stored} of {contracted} contracted ({share}).",
        stored=tongue.size(last.stored_bytes),
        contracted=tongue.size(contracted),
        share=tongue.percent(last.stored_bytes, contracted),
    )


def _tell_plan(
    tongue: Tongue, facts: ReviewFacts, one: PlanReview, cells: int
) -> Mapping[str, object]:
    """One plan, as the template shows it."""
    return {
        "name": title(one.plan.name),
        "machine": title(one.plan.hostname),
        "strip": [
            (
                MARKS[each.news],
                f"{tongue.moment(each.at)}{tongue.colon} {tongue.say(_OUTCOMES[each.news])}",
            )
            for each in one.happened[-cells:]
        ],
        "told": _count(tongue, one),
        "facts": _list_facts(tongue, one.newest),
        "todo": _find_todo(tongue, one),
        "mark": MARKS[one.happened[-1].news] if one.happened else "warn",
        "link": link_plan(facts.portal_url, one.plan.plan_id),
    }


def _count(tongue: Tongue, one: PlanReview) -> str:
    runs = sum(each.news != "missed" for each in one.happened)
    failed = sum(each.news == "failed" for each in one.happened)
    missed = len(one.happened) - runs
    told = [
        tongue.count("{n} run", "{n} runs", runs),
        tongue.count("{n} that failed", "{n} that failed", failed) if failed else "",
        tongue.count("{n} that never came", "{n} that never came", missed) if missed else "",
    ]
    return tongue.say(
        "{told}; the newest stands at the end.", told=", ".join(each for each in told if each)
    )


def _list_facts(tongue: Tongue, newest: RunFinished | None) -> list[tuple[str, str]]:
    """The newest run's end and figures; nothing before any."""
    if newest is None:
        return []
    facts = [(tongue.say("Newest run"), tongue.moment(newest.finished_at))]
    if newest.restore_point:
        facts += [
            (tongue.say("Files, total"), tongue.number(newest.files_total)),
            (tongue.say("Protected volume"), tongue.size(newest.bytes_protected)),
        ]
    return facts


def _find_todo(tongue: Tongue, one: PlanReview) -> CauseWords | None:
    """The next step, by what happened last; None where there is none."""
    if one.happened and one.happened[-1].news == "missed":
        step = tongue.say(
            "Is the machine {machine} on, and does it reach the network?",
            machine=title(one.plan.hostname),
        )
        return CauseWords("", step)
    return Teller(tongue, hotline=False).explain_run(one.newest) if one.newest else None


KIND: Kind[ReviewFacts] = Kind(
    "review",
    choose,
    write,
    subject=lambda facts: uuid5(
        facts.tenant.tenant_id, f"{facts.due.period} {facts.due.until.isoformat()}"
    ),
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)
