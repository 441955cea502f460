"""The report of a run, for the people that the plan names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from libs.shared.events import Outcome, ReportSent, ReportUndeliverable, RunFinished
from libs.shared.words.tongue import N_, Tongue
from services.reporting import rules
from services.reporting.mail.causes import Teller
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_plan
from services.reporting.mail.rendering import render, speak, title
from services.reporting.rules.mails import Addressee, Mail

LOG_LINES = 20

OUTCOMES: dict[Outcome, str] = {
    "succeeded": N_("SUCCEEDED"),
    "succeeded_with_warnings": N_("SUCCEEDED WITH WARNINGS"),
    "failed": N_("FAILED"),
}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that the mails of a run tell of."""

    run: RunFinished
    tenant: rules.clients.Tenant
    plan: rules.plans.Plan
    audience: rules.plans.Audience
    history: list[tuple[int, int]]
    portal_url: str


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
    readers = facts.audience.find_readers(facts.tenant.administrators)
    return [
        Addressee(one.email, one.name, one.locale, one.invitation_id)
        for one in readers
        if facts.plan.reports
    ]


def write(
    facts: RunFacts, addressee: Addressee, shown: int, hotline: ForHotline | None = None
) -> Letter:
    """The report in its reader's language; the hotline's has the end of the log and its steps."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    run, plan, client = facts.run, title(facts.plan.name), title(facts.tenant.name)
    outcome = tongue.say(OUTCOMES[run.outcome])
    subject = tongue.say(
        "{outcome}: backup of {plan}, {client}", outcome=outcome, plan=plan, client=client
    )
    subject = hotline.subject if hotline else subject
    teller = Teller(tongue, hotline is not None)
    content = render(
        tongue,
        "report",
        subject=subject,
        outcome=outcome,
        outcome_code=run.outcome,
        hotline=hotline,
        plan=plan,
        client=client,
        machine=title(run.hostname),
        run=run,
        why=teller.explain_run(run),
        warnings=[teller.explain(warning) for warning in run.warnings[:shown]],
        more_warnings=len(run.warnings[shown:]),
        not_copied=[
            (missed.path, teller.explain(missed.reason, is_folder=missed.is_folder))
            for missed in run.not_copied[:shown]
        ],
        more_files=max(run.files_not_copied - len(run.not_copied[:shown]), 0),
        dumps=[
            (dump, teller.explain(dump.reason) if dump.reason else None)
            for dump in run.dumps[:shown]
        ],
        more_dumps=len(run.dumps[shown:]),
        figures=_list_figures(facts, tongue),
        usual=_compare(facts, tongue),
        next_report=_next_report(facts, tongue),
        log=run.log_tail.splitlines()[-min(LOG_LINES, shown) :] if hotline and shown else [],
        link=link_plan(facts.portal_url, run.plan_id),
    )
    return Letter(subject, content)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what, how much, and whether it deserves a look."""

    label: str
    amount: str
    mark: Literal["", "strong"] = ""


def _list_figures(facts: RunFacts, tongue: Tongue) -> list[Figure]:
    run = facts.run
    say = tongue.say
    moments = [
        Figure(say("Start"), tongue.moment(run.started_at)),
        Figure(say("End"), tongue.moment(run.finished_at)),
        Figure(say("Duration"), tongue.duration(run.finished_at - run.started_at)),
    ]
    files = [
        Figure(say("Files, total"), tongue.number(run.files_total), "strong"),
        Figure(say("New files"), tongue.number(run.files_new)),
        Figure(say("Changed files"), tongue.number(run.files_changed)),
        Figure(say("Removed files"), tongue.number(run.files_removed)),
        Figure(
            say("Files not copied"),
            tongue.number(run.files_not_copied),
            "strong" if run.files_not_copied else "",
        ),
    ]
    contracted = facts.tenant.contracted_bytes
    stored = tongue.size(run.stored_bytes)
    if contracted > 0:
        stored += f" ({tongue.percent(run.stored_bytes, contracted)})"
    volumes = [
        Figure(say("Protected volume"), tongue.size(run.bytes_protected), "strong"),
        Figure(say("Sent volume"), tongue.size(run.bytes_sent)),
        Figure(say("Stored volume, all plans"), stored),
        Figure(say("Contracted volume"), tongue.size(contracted)),
    ]
    return moments + files + volumes


def _compare(facts: RunFacts, tongue: Tongue) -> str:
    """Says how the run compares with what is usual for its plan; empty if nothing is yet."""
    files = rules.usual.find_usual([files for files, _ in facts.history])
    volume = rules.usual.find_usual([size_bytes for _, size_bytes in facts.history])
    if facts.run.outcome == "failed" or files is None or volume is None:
        return ""
    return tongue.count(
        "{n} file; usually {usual} ± {spread}. {size}; usually {usual_size}.",
        "{n} files; usually {usual} ± {spread}. {size}; usually {usual_size}.",
        facts.run.files_total,
        usual=tongue.number(files.median),
        spread=tongue.number(files.spread),
        size=tongue.size(facts.run.bytes_protected),
        usual_size=tongue.size(volume.median),
    )


def _next_report(facts: RunFacts, tongue: Tongue) -> str:
    when: datetime | None = rules.plans.find_next_report(
        facts.plan.schedule, facts.plan.timezone, facts.run.finished_at
    )
    return tongue.moment(when) if when else ""


def _accepted(mail: Mail, now: datetime) -> ReportSent:
    assert mail.plan_id is not None
    return ReportSent(
        tenant_id=mail.tenant_id,
        run_id=mail.subject_id,
        plan_id=mail.plan_id,
        recipient=mail.recipient,
        sent_at=now,
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
    accepted=_accepted,
    refused=_refused,
)
