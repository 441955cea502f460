"""The mails of incidents that aren't about runs, and of mails that wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from libs.shared.events import (
    DestructionProgressed,
    EventParked,
    ExpiryHeld,
    HelpAsked,
    OverageAnswered,
    RunFinished,
    StorageDamaged,
)
from services.reporting.mail import letters
from services.reporting.mail.letters import Kind
from services.reporting.mail.letters.closed import ClosedFacts
from services.reporting.mail.letters.delayed import DelayedFacts
from services.reporting.mail.letters.incident import IncidentFacts
from services.reporting.mail.letters.matters import About, Called, HelpWanted, Undelivered, Unusual
from services.reporting.rules.incidents import OF_RUNS, Cause
from services.reporting.rules.mails import Late
from tests.reporting.specimens.facts import (
    HOTLINE,
    NIGHT,
    PORTAL,
    TENANT,
    ZONE,
    a_case,
    a_judgement,
    a_plan,
    a_refused_mail,
    a_report,
    a_run,
    a_tenant,
    an_incident,
    read,
)

_MESSAGE = "Qu’est-ce que cela veut dire ?\nQui puis-je appeler ?"
_OF_PLANS = OF_RUNS | {"damage", "unusual", "help"}


def _tell(
    cause: Cause, about: About, before: Sequence[RunFinished] = (), **changes: Any
) -> tuple[Kind[Any], IncidentFacts]:
    is_of_plan = cause in _OF_PLANS
    incident = an_incident(cause)
    facts = IncidentFacts(
        incident if is_of_plan else replace(incident, plan_id=None),
        "opened",
        about,
        a_tenant(),
        a_plan() if is_of_plan else None,
        before,
        PORTAL,
        HOTLINE,
    )
    return letters.incident.KIND, replace(facts, **changes)


def _close(cause: Cause, **changes: Any) -> tuple[Kind[Any], ClosedFacts]:
    incident = replace(an_incident(cause, 3), closed_at=NIGHT, **changes)
    return letters.closed.KIND, ClosedFacts(incident, a_tenant(), a_plan(), PORTAL, HOTLINE)


def list_all() -> Mapping[str, tuple[Kind[Any], Any]]:
    """The mails of incidents that aren't about runs, and of mails that wait."""
    answer, case = read(OverageAnswered), a_case()
    failed = a_run(failed=True, log_tail="23:05:01 Copying documents\n23:05:02 Failed")
    late = Late(
        "compta@martin.example",
        "[REUSSIE] Boulangerie Martin · documents",
        NIGHT - timedelta(days=1),
        NIGHT + timedelta(days=4),
        "452 4.2.2 Mailbox full",
    )
    return {
        "damage": _tell("damage", read(StorageDamaged, files=102), [failed]),
        "unusual": _tell(
            "unusual", Unusual(a_report(a_run(), judged=a_judgement())), [a_run(213)]
        ),
        "held": _tell("unusual", read(ExpiryHeld), [a_run(213)]),
        "undeliverable": _tell(
            "undeliverable", Undelivered(a_refused_mail(), "550 5.1.1 User unknown")
        ),
        "waiting": _tell("waiting", read(DestructionProgressed)),
        "called": _tell("called", Called(answer, case, a_tenant().administrators)),
        "parked": _tell("parked", read(EventParked)),
        "help": _tell("help", HelpWanted(read(HelpAsked, message=_MESSAGE), failed), [failed]),
        "still-open": _tell("missed", None, step="escalated", incident=an_incident("missed", 4)),
        "closed": _close("damage"),
        "closed-cleared": _close("unusual", note="la comptabilité a été déplacée"),
        "closed-by": _close("missed", closed_by="Paul Roux", note="la machine est au rebut"),
        "delayed": (
            letters.delayed.KIND,
            DelayedFacts(
                TENANT, "Boulangerie Martin", ZONE, NIGHT.date(), [late], PORTAL, HOTLINE
            ),
        ),
    }  # fmt: skip
