"""The mails of incidents that no run's report carries, and of mails that nobody takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from libs.shared.events import (
    DestructionProgressed,
    EventParked,
    ExpiryHeld,
    HelpAsked,
    OverageAnswered,
    StorageDamaged,
)
from services.reporting.mail import letters
from services.reporting.mail.letters import Kind
from services.reporting.mail.letters.closed import ClosedFacts
from services.reporting.mail.letters.delayed import DelayedFacts
from services.reporting.mail.letters.incident import IncidentFacts
from services.reporting.mail.letters.matters import About, Asked, Called, Undelivered, Unusual
from services.reporting.rules.incidents import Cause
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


def an_alarm(cause: Cause, about: About, *, of_plan: bool = True) -> IncidentFacts:
    """What the hotline gets where an incident of that cause begins."""
    incident = an_incident(cause)
    plan = a_plan() if of_plan else None
    before = [a_run(213), a_run(212)] if of_plan else []
    if not of_plan:
        incident = replace(incident, plan_id=None)
    return IncidentFacts(incident, "opened", about, a_tenant(), plan, before, PORTAL, HOTLINE)


def list_all() -> Mapping[str, tuple[Kind[Any], Any]]:
    """The mails of incidents that no run's report carries, and of mails that nobody takes."""
    case = a_case()
    refused = Undelivered(a_refused_mail(), "550 5.1.1 User unknown")
    damage = an_alarm("damage", read(StorageDamaged, files=102))
    alarms = {
        "incident-damage": damage,
        "incident-again": replace(
            damage, step="escalated", about=None, incident=an_incident("damage", 4)
        ),
        "incident-unusual": an_alarm("unusual", Unusual(a_report(a_run(), judged=a_judgement()))),
        "incident-held": an_alarm("unusual", read(ExpiryHeld)),
        "incident-undeliverable": an_alarm("undeliverable", refused, of_plan=False),
        "incident-waiting": an_alarm("waiting", read(DestructionProgressed), of_plan=False),
        "incident-called": an_alarm(
            "called",
            Called(read(OverageAnswered), case, a_tenant().administrators),
            of_plan=False,
        ),
        "incident-parked": an_alarm(
            "parked",
            read(EventParked, event_type="volume.changed.v1", error="KeyError: 'plan'"),
            of_plan=False,
        ),
        "incident-help": an_alarm(
            "help", Asked(read(HelpAsked, message="Est-ce grave ?\nQui appeler ?"), a_run())
        ),
    }
    closed = replace(an_incident("unusual", 2), note="nouvelle suite bureautique")
    late = Late(
        "compta@martin.example",
        "[REUSSIE] Boulangerie Martin · documents · 21/11/2026 23:05",
        NIGHT - timedelta(days=1),
        NIGHT + timedelta(days=4),
        "451 4.7.1 Greylisted",
    )
    return {
        **{name: (letters.incident.KIND, facts) for name, facts in alarms.items()},
        "closed": (
            letters.closed.KIND, ClosedFacts(closed, a_tenant(), a_plan(), PORTAL, HOTLINE)
        ),
        "delayed": (
            letters.delayed.KIND,
            DelayedFacts(TENANT, "Boulangerie Martin", ZONE, NIGHT.date(), [late], PORTAL, HOTLINE),
        ),
    }  # fmt: skip
