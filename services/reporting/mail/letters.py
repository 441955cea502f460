"""What each kind of mail says: facts and phrases, handed to the templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.events import Locale, Outcome, PasswordIssued, RunFinished, StorageDamaged
from libs.shared.words.foreign import plain
from libs.shared.words.tongue import N_, Tongue
from services.reporting import rules
from services.reporting.mail.causes import Teller
from services.reporting.mail.rendering import Rendered, render, speak

LISTED_FILES = 1000
LOG_LINES = 20

OUTCOMES: dict[Outcome, str] = {
    "succeeded": N_("SUCCEEDED"),
    "succeeded_with_warnings": N_("SUCCEEDED WITH WARNINGS"),
    "failed": N_("FAILED"),
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A subject and what stands below it."""

    subject: str
    content: Rendered


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that a report of a run tells of."""

    run: RunFinished
    tenant: rules.Tenant
    plan: rules.Plan
    history: list[tuple[int, int]]
    portal_url: str


def write_report(facts: RunFacts, addressee: rules.Addressee) -> Letter:
    """Writes the report of a run, for its reader's language and, at the hotline, its work."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    run, plan, client = facts.run, plain(facts.plan.name), plain(facts.tenant.name)
    outcome = tongue.say(OUTCOMES[run.outcome])
    hotline = addressee.kind == "hotline"
    subject = tongue.say(
        N_("[Hotline] {outcome}: plan {plan} of {client} on {machine}")
        if hotline
        else N_("{outcome}: backup of {plan}, {client}"),
        outcome=outcome,
        plan=plan,
        client=client,
        machine=plain(run.hostname),
    )
    teller = Teller(tongue, hotline)
    content = render(
        tongue,
        "report",
        subject=subject,
        outcome=outcome,
        outcome_code=run.outcome,
        hotline=hotline,
        plan=plan,
        client=client,
        machine=run.hostname,
        run=run,
        why=teller.explain_run(run),
        warnings=[teller.explain(warning) for warning in run.warnings],
        not_copied=[
            (missed.path, teller.explain(missed.reason, is_folder=missed.is_folder))
            for missed in run.not_copied[:LISTED_FILES]
        ],
        dumps=[(dump, teller.explain(dump.reason) if dump.reason else None) for dump in run.dumps],
        figures=_list_figures(facts, tongue),
        usual=_compare(facts, tongue),
        next_report=_next_report(facts, tongue),
        log=run.log_tail.splitlines()[-LOG_LINES:] if hotline else [],
        link=link_plan(facts.portal_url, run.plan_id),
        person=addressee.name,
    )
    return Letter(subject, content)


def write_password(event: PasswordIssued, password: str, timezone: str, portal_url: str) -> Letter:
    """Writes the mail with a user's one-time password."""
    tongue = speak(event.locale, timezone)
    subject = tongue.say(
        N_("Your access to the backup portal") if event.first else N_("Your new password")
    )
    content = render(
        tongue,
        "password",
        subject=subject,
        person=event.name,
        email=event.email,
        first=event.first,
        password=password,
        expires=tongue.moment(event.expires_at),
        link=portal_url,
    )
    return Letter(subject, content)


def write_undeliverable(
    kind: rules.Kind, recipient: str, refused_subject: str, answer: str, client: str
) -> Letter:
    """Writes to the hotline that a mail was refused for good."""
    tongue = speak(rules.HOTLINE_LOCALE)
    subject = tongue.say(
        "[Hotline] Undeliverable: {recipient}, {client}",
        recipient=recipient,
        client=client,
    )
    content = render(
        tongue,
        "undeliverable",
        subject=subject,
        client=client,
        recipient=recipient,
        refused_subject=refused_subject,
        answer=answer,
        password=kind == "password",
    )
    return Letter(subject, content)


def write_damage(
    event: StorageDamaged,
    *,
    client: str,
    plan: str,
    machine: str,
    timezone: str,
    portal_url: str,
    locale: Locale = rules.HOTLINE_LOCALE,
) -> Letter:
    """Writes to the hotline which files a damaged pack concerns."""
    tongue = speak(locale, timezone)
    subject = tongue.say(
        "[Hotline] Damaged storage: {client}, {plan}",
        client=plain(client),
        plan=plain(plan) or "-",
    )
    content = render(
        tongue,
        "damage",
        subject=subject,
        client=client,
        plan=plan,
        machine=machine,
        event=event,
        found_at=tongue.moment(event.found_at),
        more=max(event.files - len(event.paths), 0),
        link=link_plan(portal_url, event.plan_id) if event.plan_id else portal_url,
    )
    return Letter(subject, content)


def link_plan(portal_url: str, plan_id: UUID) -> str:
    """Returns where a plan is seen in the portal."""
    return f"{portal_url.rstrip('/')}/plans/{plan_id}"


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
    files = rules.find_usual([files for files, _ in facts.history])
    volume = rules.find_usual([size_bytes for _, size_bytes in facts.history])
    if facts.run.outcome == "failed" or files is None or volume is None:
        return ""
    return tongue.say(
        "{files} files; usually {usual} ± {spread}. {size}; usually {usual_size}.",
        files=tongue.number(facts.run.files_total),
        usual=tongue.number(files.median),
        spread=tongue.number(files.spread),
        size=tongue.size(facts.run.bytes_protected),
        usual_size=tongue.size(volume.median),
    )


def _next_report(facts: RunFacts, tongue: Tongue) -> str:
    when: datetime | None = rules.find_next_report(
        facts.plan.schedule, facts.plan.timezone, facts.run.finished_at
    )
    return tongue.moment(when) if when else ""
