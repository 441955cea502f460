"""The report of a run, for the people that the plan names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, cast

from libs.shared.events import (
    DumpResult,
    NotCopied,
    Outcome,
    Reader,
    ReportSent,
    ReportUndeliverable,
    RunFinished,
)
from libs.shared.words.foreign import inert
from libs.shared.words.tongue import N_, Tongue
from services.reporting import rules
from services.reporting.mail import compose
from services.reporting.mail.causes import CauseWords, Teller
from services.reporting.mail.letters import figures
from services.reporting.mail.letters.figures import MARKS, RunFacts
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_choice, link_client, link_plan
from services.reporting.mail.rendering import Mark, lay_out, speak, title
from services.reporting.rules.mails import Addressee, Mail

LOG_LINES = 20
MOST_FILES = 50
"""How many files that were not copied a report lists; the portal has them all."""

OUTCOMES: dict[Outcome, str] = {
    "succeeded": N_("SUCCEEDED"),
    "succeeded_with_warnings": N_("SUCCEEDED WITH WARNINGS"),
    "failed": N_("FAILED"),
}
"""The contract's words, as subjects have them for people's filters."""
RECOVERED = N_("RECOVERED")
UNUSUAL = N_("UNUSUAL")
SUBJECT = "[{outcome}] {client} · {plan} · {moment}"


@dataclass(frozen=True, slots=True)
class ForHotline:
    """What the hotline's has beside: its subject, lines for ticket systems, the runs before.

    before: of each run when it ended, how, and why.
    """

    subject: str
    ticket: list[tuple[str, str]]
    before: list[tuple[str, str, str]]


def choose(facts: RunFacts) -> Iterable[Addressee]:
    """Whom the portal names, or the administrators; nobody where the machine declined reports."""
    news = rules.choices.find_news(facts.run.outcome, recovers=facts.has_recovered)
    readers = rules.choices.find_notified(facts.tenant, facts.plan, facts.audience, news)
    return [address(one, facts.tenant, facts.portal_url, facts.mail_key) for one in readers]


def address(
    reader: Reader, tenant: rules.clients.Tenant, portal_url: str, mail_key: bytes
) -> Addressee:
    """A reader of reports, with the link by which they say which they get."""
    link = link_choice(portal_url, mail_key, tenant.tenant_id, reader.email)
    return Addressee(reader.email, reader.name, reader.locale, reader.invitation_id, link)


def write(
    facts: RunFacts, addressee: Addressee, shown: int, hotline: ForHotline | None = None
) -> Letter:
    """The report in its reader's language; the hotline's has the end of the log and its steps."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    run = facts.run
    teller = Teller(tongue, hotline is not None)
    why, verdict = teller.explain_run(run), _judge(facts, tongue)
    outcome = tongue.say("Recovered") if facts.has_recovered else tongue.outcome(run.outcome)
    unusual = [(teller.explain(one), one.code) for one in facts.judged.verdicts[:shown]]
    rows = figures.list_figures(facts, tongue)
    moments = [
        (tongue.say("Start"), tongue.moment(run.started_at)),
        (tongue.say("End"), tongue.moment(run.finished_at)),
    ]
    link = link_plan(facts.portal_url, run.plan_id)
    if hotline:
        link = link_client(facts.portal_url, run.tenant_id)
    files = run.not_copied[: min(shown, MOST_FILES)]
    content = lay_out(
        tongue,
        "report",
        to_hotline=hotline is not None,
        ticket=hotline.ticket if hotline else (),
        in_short=[
            verdict,
            *((why.cause, why.step) if why else ()),
            *(one.cause for one, _ in unusual),
            *(f"{name}{tongue.colon} {value}" for name, value in moments),
            *(f"{row.label}{tongue.colon} {row.now}" for row in rows),
            link,
        ],
        outcome=f"{outcome}, {tongue.say(UNUSUAL)}" if unusual else outcome,
        unusual=unusual,
        mark="bad" if unusual else MARKS[run.outcome],
        plan=title(facts.plan.name),
        client=title(facts.tenant.name),
        machine=title(run.hostname),
        run=run,
        verdict=verdict,
        why=why,
        code=run.reason.code if run.reason else "",
        warnings=[(teller.explain(warning), warning.code) for warning in run.warnings[:shown]],
        more_warnings=tell_more(tongue, len(run.warnings[shown:])),
        moments=moments,
        heads=figures.name_columns(facts, tongue),
        figures=rows,
        meter=figures.measure(facts, tongue),
        strip=figures.draw_strip(facts, tongue),
        strip_told=figures.count_strip(facts, tongue),
        not_copied=_list_files(files, teller),
        more_files=tell_more(tongue, max(run.files_not_copied - len(files), 0)),
        dumps=[_tell_dump(dump, teller) for dump in run.dumps[:shown]],
        more_dumps=tell_more(tongue, len(run.dumps[shown:])),
        before=hotline.before if hotline else [],
        people=facts.tenant.administrators[:shown] if hotline else [],
        log=[
            inert(line)
            for line in run.log_tail.splitlines()[-min(LOG_LINES, shown) :]
            if hotline and shown
        ],
        next_report=_next_report(facts, tongue),
        is_good=run.outcome != "failed",
        leads_to=tongue.say(
            N_("See the client in the portal") if hotline else N_("See the plan in the portal")
        ),
        link=link,
    )
    return Letter(hotline.subject if hotline else name(facts, tongue), content)


def cut_log(log: str, shown: int) -> str:
    """The end of what a run said, to be attached: so many lines at most, and no links."""
    return "\n".join(inert(line) for line in log.splitlines()[-shown:]) if shown else ""


def name(facts: RunFacts, tongue: Tongue) -> str:
    """The subject: the outcome first, in the contract's words, then whose run it is, and when."""
    run, failures = facts.run, facts.row.failures + 1
    said = tongue.say(RECOVERED if facts.has_recovered else OUTCOMES[run.outcome])
    if facts.judged.verdicts:
        said = f"{said}, {tongue.say(UNUSUAL)}"
    subject = SUBJECT.format(
        outcome=said,
        client=title(facts.tenant.name),
        plan=title(facts.plan.name),
        moment=tongue.moment(run.started_at),
    )
    if run.outcome == "failed" and failures > 1:
        row = tongue.count("({n} failure in a row)", "({n} failures in a row)", failures)
        return f"{subject} {row}"
    return subject


def _judge(facts: RunFacts, tongue: Tongue) -> str:
    """One sentence on what became of it."""
    run = facts.run
    held = _tell_held(run, tongue)
    if run.outcome == "succeeded":
        return tongue.say(
            "All of it is backed up: {held}. No technical problem was seen.", held=held
        )
    if run.outcome == "succeeded_with_warnings":
        if run.files_not_copied:
            return tongue.count(
                "{held} are backed up; {n} file is not.",
                "{held} are backed up; {n} files are not.",
                run.files_not_copied,
                held=held,
            )
        return tongue.say("All files are backed up, with warnings: {held}.", held=held)
    if run.restore_point:
        return tongue.say(
            "This run failed, and yet it kept what it had backed up: {held}.", held=held
        )
    good = facts.good
    if good is None:
        return tongue.say("This run made no restore point, and there is no good one before it.")
    return tongue.say(
        "This run changed nothing of what is kept. The last good restore point is of {moment}: "
        "{held}.",
        moment=tongue.moment(good.started_at),
        held=_tell_held(good, tongue),
    )


def _tell_held(run: RunFinished, tongue: Tongue) -> str:
    return tongue.count(
        "{n} file, {size}",
        "{n} files, {size}",
        run.files_total,
        size=tongue.size(run.bytes_protected),
    )


def _list_files(files: Sequence[NotCopied], teller: Teller) -> list[tuple[str, CauseWords]]:
    """Each path with its cause; what to do about a cause is said where it first stands."""
    listed, said = [], set()
    for missed in files:
        told = teller.explain(missed.reason, is_folder=missed.is_folder)
        listed.append((missed.path, replace(told, step="") if told.step in said else told))
        said.add(told.step)
    return listed


def tell_more(tongue: Tongue, more: int) -> str:
    """How many lines are left out; empty where none are."""
    if not more:
        return ""
    return tongue.count("{n} more: the portal lists it.", "{n} more: the portal lists them.", more)


class ToldDump(NamedTuple):
    """A dump as its reader sees it."""

    name: str
    state: str
    mark: Mark
    details: list[str]


def _tell_dump(dump: DumpResult, teller: Teller) -> ToldDump:
    tongue = teller.tongue
    name = inert(dump.name)
    if dump.size_bytes or not dump.succeeded:
        name = f"{name} ({tongue.size(dump.size_bytes)})"
    state, mark = tongue.say("backed up, restoration not guaranteed"), "warn"
    if not dump.succeeded:
        state, mark = tongue.say("failed"), "bad"
    elif dump.guaranteed:
        state, mark = tongue.say("restoration guaranteed"), "good"
    details = []
    if dump.reason:
        told = teller.explain(dump.reason)
        details = [told.cause, told.step]
        if told.detail:
            details.append(f"{tongue.say('Technical detail')}{tongue.colon} {told.detail}")
    return ToldDump(name, state, cast("Mark", mark), details)


def _next_report(facts: RunFacts, tongue: Tongue) -> str:
    when: datetime | None = rules.plans.find_next_report(
        facts.plan.schedule, facts.plan.timezone, facts.run.finished_at
    )
    return tongue.moment(when) if when else ""


_PERSONAL = re.compile(r"https?://\S+/reports/\S+")
"""By this address whoever has it says which reports its reader gets."""
_LONGEST_TOLD = 20_000


def _accepted(mail: Mail, now: datetime) -> ReportSent:
    assert mail.plan_id is not None
    return ReportSent(
        tenant_id=mail.tenant_id,
        run_id=mail.subject_id,
        plan_id=mail.plan_id,
        recipient=mail.recipient,
        sent_at=now,
        subject=mail.subject,
        text=_PERSONAL.sub("…", compose.read_text(mail.body))[:_LONGEST_TOLD],
    )


def _refused(mail: Mail, answer: str) -> ReportUndeliverable:
    assert mail.plan_id is not None
    return ReportUndeliverable(
        tenant_id=mail.tenant_id,
        run_id=mail.subject_id,
        plan_id=mail.plan_id,
        recipient=mail.recipient,
        reason=answer,
    )


KIND: Kind[RunFacts] = Kind(
    "report",
    choose,
    write,
    subject=lambda facts: facts.run.run_id,
    plan=lambda facts: facts.run.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    by_client=lambda _facts: True,
    thread=lambda facts: ("report", facts.row.first) if facts.row.first else None,
    accepted=_accepted,
    refused=_refused,
)
