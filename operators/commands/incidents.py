"""`incidents …`: what the hotline has open, and what operators do about it."""

from __future__ import annotations

from urllib.parse import urlencode

import click

from operators.commands.shell import answer, app, examples, find_tenant, portal, print_members

from operators.commands.shell import print_table  # isort: skip
from operators.commands.tenants import reason_option, tenant_argument
from operators.values import Moment

incident_argument = click.argument("incident", type=click.UUID)
until_option = click.option("--until", type=Moment(), required=True, help="A day to come.")


@app.group(no_args_is_help=True)
def incidents() -> None:
    """What the hotline was told of clients, and hasn't done with."""


@incidents.command("list", epilog=examples("incidents list --cause missed"))
@click.option("--closed", is_flag=True, help="Those that are over, the newest first.")
@click.option("--tenant", "named", metavar="T", help="Of this client: an id or the exact name.")
@click.option("--cause", metavar="C", help="Of this cause alone, such as failed or missed.")
@click.option("--limit", type=click.IntRange(1, 1000), default=200, show_default=True)
def list_incidents(closed: bool, named: str | None, cause: str | None, limit: int) -> None:
    """The open ones, the worst first."""
    asked = portal()
    query = {"state": "closed" if closed else "open", "cause": cause, "limit": limit}
    if named is not None:
        query["tenant"] = find_tenant(asked, named)
    wanted = {name: value for name, value in query.items() if value is not None}
    columns = ("incident_id", "client", "plan", "cause", "times", "opened_at", "acknowledged_by")
    told = asked.ask("GET", f"/incidents?{urlencode(wanted)}")
    nothing = "No incident is like that." if closed or named or cause else "No incident is open."
    answer(told, lambda found: print_table(columns, found["incidents"], nothing))


@incidents.command("show")
@incident_argument
def show_incident(incident: object) -> None:
    """One incident."""
    answer(portal().ask("GET", f"/incidents/{incident}"), print_members)


def _decide(incident: object, decision: str, body: dict[str, str]) -> None:
    answer(portal().ask("POST", f"/incidents/{incident}/{decision}", body), print_members)


@incidents.command(epilog=examples("incidents acknowledge INCIDENT --note 'disk is on its way'"))
@incident_argument
@click.option("--note", default="", metavar="N", help="What is known; in the morning's mail.")
def acknowledge(incident: object, note: str) -> None:
    """Say that you have it in hand."""
    _decide(incident, "acknowledge", {"note": note})


@incidents.command(epilog=examples("incidents snooze INCIDENT --until 2027-01-04 --reason R"))
@incident_argument
@until_option
@reason_option
def snooze(incident: object, until: str, reason: str) -> None:
    """Put it off: nobody is told of it before that day."""
    _decide(incident, "snooze", {"until": until, "reason": reason})


@incidents.command(epilog=examples("incidents close INCIDENT --reason 'the client was called'"))
@incident_argument
@reason_option
def close(incident: object, reason: str) -> None:
    """Close it by hand; what comes after that opens another."""
    _decide(incident, "close", {"reason": reason})


@incidents.command(epilog=examples("incidents note INCIDENT --note 'called, back on Monday'"))
@incident_argument
@click.option("--note", required=True, metavar="N", help="What is known; in the morning's mail.")
def note(incident: object, note: str) -> None:
    """Keep what is known by now."""
    _decide(incident, "note", {"note": note})


@incidents.command(
    epilog=examples("incidents pause TENANT PLAN --until 2027-06-01 --reason 'server retired'")
)
@tenant_argument
@click.argument("plan")
@until_option
@reason_option
def pause(named: str, plan: str, until: str, reason: str) -> None:
    """Expect no run of a plan before a day, unless one comes."""
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/plans/{plan}/pause"
    answer(asked.ask("POST", path, {"until": until, "reason": reason}), print_members)
