"""First lines that ticket systems read: the same names whatever the language."""

from __future__ import annotations

from libs.shared.words.foreign import inert
from services.reporting import rules
from services.reporting.rules.incidents import Incident

NOTHING = "-"


def head(
    tenant: rules.clients.Tenant | None, plan: rules.plans.Plan | None, incident: Incident
) -> list[tuple[str, str]]:
    """What each line is called, and what it holds; the time is ISO 8601, in UTC."""
    return [
        ("Client", inert(tenant.name) if tenant else NOTHING),
        ("Plan", inert(plan.name) if plan else NOTHING),
        ("Machine", inert(plan.hostname) if plan else NOTHING),
        ("Cause", incident.cause),
        ("Since", f"{incident.opened_at:%Y-%m-%dT%H:%M:%SZ}"),
        ("Incident", str(incident.incident_id)),
    ]
