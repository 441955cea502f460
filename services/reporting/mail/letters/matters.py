"""What an incident is about, in words: all that differs from one cause to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from libs.shared.events import (
    DestructionProgressed,
    EventParked,
    ExpiryHeld,
    HelpAsked,
    OverageAnswered,
    OverageReported,
    Recipient,
    RunFinished,
    StorageDamaged,
)
from libs.shared.words import volumes
from libs.shared.words.foreign import inert, plain
from libs.shared.words.tongue import N_, Tongue
from services.reporting.mail.causes import Teller
from services.reporting.mail.letters import figures, overage
from services.reporting.mail.letters.figures import RunFacts
from services.reporting.mail.rendering import title
from services.reporting.rules.clients import Tenant
from services.reporting.rules.incidents import NOBODY, Cause, Incident
from services.reporting.rules.mails import Mail

OUTCOMES: dict[Cause, str] = {
    "failed": N_("Failed"),
    "abandoned": N_("Failed"),
    "refused": N_("Failed"),
    "missed": N_("Missed"),
    "damage": N_("Damaged storage"),
    "unusual": N_("Unusual run"),
    "undeliverable": N_("Undeliverable"),
    "parked": N_("An event waits"),
    "waiting": N_("A destruction waits"),
    "called": N_("Call wanted"),
    "help": N_("Help wanted"),
}
CAUSES: dict[Cause, str] = {
    "failed": N_("runs fail"),
    "abandoned": N_("runs break off"),
    "refused": N_("runs are refused"),
    "missed": N_("runs don't come"),
    "damage": N_("stored data is damaged"),
    "unusual": N_("a run is unusual, and nothing expires"),
    "undeliverable": N_("mails can't be delivered"),
    "parked": N_("an event could not be handled"),
    "waiting": N_("a destruction waits"),
    "called": N_("a call is wanted"),
    "help": N_("help is wanted"),
}
_ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Unusual:
    """Which run isn't what is usual for its plan."""

    facts: RunFacts


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Which mail nobody will get; answer: the server's, empty where there is no address to ask."""

    mail: Mail
    answer: str


@dataclass(frozen=True, slots=True)
class Called:
    """Who wants to be called, and what they see of their case."""

    event: OverageAnswered
    case: OverageReported
    administrators: Sequence[Recipient]


@dataclass(frozen=True, slots=True)
class HelpWanted:
    """Who wants help, and the run that it is about, if it is known."""

    event: HelpAsked
    run: RunFinished | None


About: TypeAlias = (
    StorageDamaged
    | Unusual
    | ExpiryHeld
    | Undelivered
    | DestructionProgressed
    | Called
    | EventParked
    | HelpWanted
    | None
)
"""None: no more is known than that it goes on."""


@dataclass(frozen=True, slots=True)
class MatterList:
    """Lines below a heading, and how many there are beside them."""

    heading: str
    lines: Sequence[str]
    more: int = 0


@dataclass(frozen=True, slots=True)
class MatterWords:
    """The probable cause, the next step, what a technician wants to know, figures, and lists.

    code: of the reason, or of several; empty where there is none.
    """

    cause: str
    step: str
    detail: str = ""
    code: str = ""
    figures: Sequence[tuple[str, str]] = ()
    lists: Sequence[MatterList] = ()


def tell(tongue: Tongue, about: About, shown: int) -> MatterWords:
    """Says what an incident is about, with lists of so many lines at most."""
    if about is not None:
        return _TELLERS[type(about)](tongue, about, shown)
    return MatterWords(
        tongue.say("This goes on, and nobody has it in hand."),
        tongue.say("Say who has it in hand, put it off, or close it."),
    )


def name_client(tongue: Tongue, tenant: Tenant | None, incident: Incident) -> str:
    """Whose an incident is, for a heading; its id where no more is known."""
    if tenant is not None:
        return title(tenant.name)
    return tongue.say("no client") if incident.tenant_id == NOBODY else str(incident.tenant_id)


def _tell_damage(tongue: Tongue, event: StorageDamaged, shown: int) -> MatterWords:
    say, found_at = tongue.say, tongue.moment(event.found_at)
    seen = (
        say("A pack of the store is missing; it was noticed on {found_at}.", found_at=found_at)
        if event.missing
        else say("A pack of the store is damaged; it was noticed on {found_at}.", found_at=found_at)
    )
    files = tongue.count(
        "{n} file can't be read back as it was backed up.",
        "{n} files can't be read back as they were backed up.",
        event.files,
    )
    step = say(
        "Check the store's disks. Run the plan again: what the machine still has is asked for and "
        "stored anew; what it no longer has can be recovered from another restore point only."
    )
    further = say(
        "Further damage of the same plan is counted and brings no further mail; "
        "`python -m services.retention audit` lists it all."
    )
    paths = event.paths[:shown]
    listed = MatterList(say("Files concerned"), paths, max(event.files - len(paths), 0))
    return MatterWords(
        f"{seen} {files}",
        f"{step} {further}",
        figures=[(say("Pack"), event.pack_id)],
        lists=[listed] if event.paths else [],
    )


def _tell_unusual(tongue: Tongue, about: Unusual, shown: int) -> MatterWords:
    say, run = tongue.say, about.facts.run
    teller = Teller(tongue, hotline=True)
    told = [teller.explain(verdict) for verdict in about.facts.judged.verdicts]
    ended = say(
        "Run {number} of {finished_at} is unusual; nothing of the plan expires until somebody "
        "clears that.",
        number=tongue.number(run.number),
        finished_at=tongue.moment(run.finished_at),
    )
    return MatterWords(
        " ".join([ended, *(one.cause for one in told[:shown])]),
        " ".join(dict.fromkeys(one.step for one in told[:shown])),
        code=", ".join(verdict.code for verdict in about.facts.judged.verdicts),
        figures=[
            (say("Plan and run"), f"{run.plan_id}, {run.number}"),
            (say("How it ended"), tongue.outcome(run.outcome)),
            *figures.list_judged(about.facts, tongue),
        ],
    )


def _tell_hold(tongue: Tongue, event: ExpiryHeld, _shown: int) -> MatterWords:
    told = Teller(tongue, hotline=True).explain(event.reason)
    noticed = tongue.say(
        "It was noticed on {held_at}; nothing of the plan expires until somebody clears that.",
        held_at=tongue.moment(event.held_at),
    )
    named = tongue.say("Plan and run"), f"{event.plan_id}, {event.number}"
    return MatterWords(
        f"{told.cause} {noticed}", told.step, code=event.reason.code, figures=[named]
    )


def _tell_undelivered(tongue: Tongue, about: Undelivered, _shown: int) -> MatterWords:
    say, mail = tongue.say, about.mail
    figures = [(say("Address"), plain(mail.recipient)), (say("Mail"), inert(mail.subject))]
    if about.answer:
        figures.append((say("Answer of the mail server"), inert(about.answer)))
    step = (
        say("Check the address with the client, correct it, then ask for a new password.")
        if mail.kind == "password"
        else say("Check the address with the client and correct the recipients of the plan.")
    )
    cause = (
        say("This mail was refused for good and will not be sent again.")
        if about.answer
        else say("This is not a mail address.")
    )
    return MatterWords(cause, step, figures=figures)


def _tell_waiting(tongue: Tongue, event: DestructionProgressed, _shown: int) -> MatterWords:
    reasons = [Teller(tongue, hotline=True).explain(reason) for reason in event.reasons]
    due = tongue.say(
        "The client's data was due to be destroyed on {due_at}; it waits.",
        due_at=tongue.moment(event.due_at) if event.due_at else "-",
    )
    return MatterWords(
        " ".join([due, *(told.cause for told in reasons)]),
        " ".join(dict.fromkeys(told.step for told in reasons)),
        code=", ".join(reason.code for reason in event.reasons),
        figures=[(tongue.say("Client"), str(event.tenant_id))],
    )


def _tell_called(tongue: Tongue, about: Called, shown: int) -> MatterWords:
    say, case = tongue.say, about.case
    cause = say(
        "{by} asked to be called, on {answered_at}, because more is stored than is contracted.",
        by=title(about.event.by),
        answered_at=tongue.moment(about.event.answered_at),
    )
    fills = [
        "{}{} {}".format(
            plan,
            tongue.colon,
            say("{protected} protected, {sent} sent in 30 days", protected=protected, sent=sent),
        )
        for plan, protected, sent in overage.list_fills(tongue, case, shown)
    ]
    lists = [MatterList(say("What fills it most"), fills)] if fills else []
    return MatterWords(
        cause,
        say("Call one of the administrators; they see the figures below."),
        volumes.tell_forecast(tongue, case.reached_on, case.weekly_bytes),
        figures=[
            *overage.list_figures(tongue, case),
            (say("Deadline"), tongue.moment(case.deadline_at)),
            (say("Last deadline, whatever was answered"), tongue.moment(case.final_at)),
        ],
        lists=lists,
    )


def _tell_parked(tongue: Tongue, event: EventParked, _shown: int) -> MatterWords:
    lines = event.error.strip().splitlines()
    cause = tongue.count(
        "Service {service} could not handle an event ({type}) in {n} try.",
        "Service {service} could not handle an event ({type}) in {n} tries.",
        event.attempts,
        service=event.service,
        type=inert(event.event_type),
    )
    step = tongue.say(
        "See it with `coffre events parked show {service} {event}`; once its cause is mended, have "
        "it handled again (`replay`), or drop it (`drop`).",
        service=event.service,
        event=event.event_id,
    )
    return MatterWords(cause, step, inert(lines[-1][:_ERROR_CHARACTERS]) if lines else "")


def _tell_asked(tongue: Tongue, about: HelpWanted, shown: int) -> MatterWords:
    say, event, run = tongue.say, about.event, about.run
    cause = say(
        "{by} asks for help with run {number}, on {asked_at}.",
        by=title(event.by),
        number=tongue.number(event.number),
        asked_at=tongue.moment(event.asked_at),
    )
    figures = [(say("Address"), plain(event.email))]
    step, code = say("Answer by mail or call; the client sees the run in the portal."), ""
    if run is not None:
        told = Teller(tongue, hotline=True).explain_run(run)
        code = run.reason.code if run.reason else ""
        figures += [
            (say("End"), tongue.moment(run.finished_at)),
            (say("How it ended"), tongue.outcome(run.outcome)),
            (say("Files, total"), tongue.number(run.files_total)),
            (say("Files not backed up"), tongue.number(run.files_not_copied)),
        ]
        if told is not None:
            figures.append((say("Cause"), told.cause))
            step = f"{told.step} {step}"
    lines = event.message.splitlines()
    message = MatterList(say("Message"), lines[:shown], len(lines[shown:]))
    return MatterWords(cause, step, code=code, figures=figures, lists=[message] if lines else [])


_TELLERS: dict[type[Any], Callable[[Tongue, Any, int], MatterWords]] = {
    StorageDamaged: _tell_damage,
    Unusual: _tell_unusual,
    ExpiryHeld: _tell_hold,
    Undelivered: _tell_undelivered,
    DestructionProgressed: _tell_waiting,
    Called: _tell_called,
    EventParked: _tell_parked,
    HelpWanted: _tell_asked,
}
