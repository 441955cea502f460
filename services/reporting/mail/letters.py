"""What each kind of mail says: facts and phrases, handed to the templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.events import Locale, Outcome, PasswordIssued, RunFinished, StorageDamaged
from libs.shared.words.explanations import say, say_missed
from services.reporting import rules
from services.reporting.mail.advice import N_, find_advice
from services.reporting.mail.warned import list_warned
from services.reporting.mail.words import Rendered, Tongue, speak

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

    @property
    def timezone(self) -> str:
        """The time zone whose clock the reader has before him."""
        return rules.choose_timezone(self.tenant.timezone)


def write_report(facts: RunFacts, addressee: rules.Addressee) -> Letter:
    """Writes the report of a run, for its reader's language and, at the hotline, its work."""
    tongue = speak(addressee.locale)
    run, plan, client = facts.run, rules.plain(facts.plan.name), rules.plain(facts.tenant.name)
    outcome = tongue.translate(OUTCOMES[run.outcome])
    hotline = addressee.kind == "hotline"
    subject = tongue.translate(
        N_("[Hotline] {outcome}: plan {plan} of {client} on {machine}")
        if hotline
        else N_("{outcome}: backup of {plan}, {client}"),
        outcome=outcome,
        plan=plan,
        client=client,
        machine=rules.plain(run.hostname),
    )
    advice = find_advice(run)
    content = tongue.render(
        "report",
        subject=subject,
        outcome=outcome,
        outcome_code=run.outcome,
        hotline=hotline,
        plan=plan,
        client=client,
        machine=run.hostname,
        run=run,
        reason="" if run.reason is None else say(run.reason),
        warned=list_warned(run),
        not_copied=_list_not_copied(run),
        dumps=[(dump, "" if dump.reason is None else say(dump.reason)) for dump in run.dumps],
        cause=tongue.translate(advice.cause) if advice else "",
        next_step=tongue.translate(advice.hotline if hotline else advice.client) if advice else "",
        figures=_list_figures(facts, tongue),
        usual=_compare(facts, tongue),
        next_report=_next_report(facts, tongue),
        timezone=facts.timezone,
        log=run.log_tail.splitlines()[-LOG_LINES:] if hotline else [],
        link=link_plan(facts.portal_url, run.plan_id),
        person=addressee.name,
    )
    return Letter(subject, content)


def write_password(event: PasswordIssued, password: str, timezone: str, portal_url: str) -> Letter:
    """Writes the mail with a user's one-time password."""
    timezone = rules.choose_timezone(timezone)
    tongue = speak(event.locale)
    subject = tongue.translate(
        N_("Your access to the backup portal") if event.first else N_("Your new password")
    )
    content = tongue.render(
        "password",
        subject=subject,
        person=event.name,
        email=event.email,
        first=event.first,
        password=password,
        expires=tongue.moment(event.expires_at, timezone),
        timezone=timezone,
        link=portal_url,
    )
    return Letter(subject, content)


def write_undeliverable(
    kind: rules.Kind, recipient: str, refused_subject: str, answer: str, client: str
) -> Letter:
    """Writes to the hotline that a mail was refused for good."""
    tongue = speak(rules.HOTLINE_LOCALE)
    subject = tongue.translate(
        N_("[Hotline] Undeliverable: {recipient}, {client}"),
        recipient=recipient,
        client=client,
    )
    content = tongue.render(
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
    tongue = speak(locale)
    subject = tongue.translate(
        N_("[Hotline] Damaged storage: {client}, {plan}"),
        client=rules.plain(client),
        plan=rules.plain(plan) or "-",
    )
    content = tongue.render(
        "damage",
        subject=subject,
        client=client,
        plan=plan,
        machine=machine,
        event=event,
        found_at=tongue.moment(event.found_at, timezone),
        timezone=timezone,
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
    run, zone = facts.run, facts.timezone
    say = tongue.translate
    moments = [
        Figure(say(N_("Start")), tongue.moment(run.started_at, zone)),
        Figure(say(N_("End")), tongue.moment(run.finished_at, zone)),
        Figure(say(N_("Duration")), tongue.duration(run.finished_at - run.started_at)),
    ]
    files = [
        Figure(say(N_("Files, total")), tongue.number(run.files_total), "strong"),
        Figure(say(N_("New files")), tongue.number(run.files_new)),
        Figure(say(N_("Changed files")), tongue.number(run.files_changed)),
        Figure(say(N_("Removed files")), tongue.number(run.files_removed)),
        Figure(
            say(N_("Files not copied")),
            tongue.number(run.files_not_copied),
            "strong" if run.files_not_copied else "",
        ),
    ]
    contracted = facts.tenant.contracted_bytes
    stored = tongue.size(run.stored_bytes)
    if contracted > 0:
        stored += f" ({tongue.percent(run.stored_bytes, contracted)})"
    volumes = [
        Figure(say(N_("Protected volume")), tongue.size(run.bytes_protected), "strong"),
        Figure(say(N_("Sent volume")), tongue.size(run.bytes_sent)),
        Figure(say(N_("Stored volume, all plans")), stored),
        Figure(say(N_("Contracted volume")), tongue.size(contracted)),
    ]
    return moments + files + volumes


def _list_not_copied(run: RunFinished) -> list[tuple[str, str]]:
    return [
        (missed.path, say_missed(missed.reason, is_folder=missed.is_folder))
        for missed in run.not_copied[:LISTED_FILES]
    ]


def _compare(facts: RunFacts, tongue: Tongue) -> str:
    """Says how the run compares with what is usual for its plan; empty if nothing is yet."""
    files = rules.find_usual([files for files, _ in facts.history])
    volume = rules.find_usual([size_bytes for _, size_bytes in facts.history])
    if facts.run.outcome == "failed" or files is None or volume is None:
        return ""
    return tongue.translate(
        N_("{files} files; usually {usual} ± {spread}. {size}; usually {usual_size}."),
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
    return tongue.moment(when, facts.timezone) if when else ""
