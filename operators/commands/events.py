"""`events parked …`: events that a service could not handle and that wait for a person."""

from __future__ import annotations

from typing import Any

import click

from operators.commands.shell import answer, app, examples, portal, print_members, print_table

service_argument = click.argument("service")
event_argument = click.argument("event", type=click.UUID)
reason_option = click.option("--reason", required=True, metavar="R", help="Why; kept.")


@app.group(no_args_is_help=True)
def events() -> None:
    """What services tell each other."""


@events.group(no_args_is_help=True)
def parked() -> None:
    """Events that failed too often, or can't be read."""


@parked.command("list")
def list_parked() -> None:
    """Every event that waits, the oldest first."""
    columns = ("service", "event_id", "event_type", "attempts", "parked_at", "summary")
    answer(portal().ask("GET", "/parked"), lambda told: print_table(columns, told["parked"]))


@parked.command("show")
@service_argument
@event_argument
def show_parked(service: str, event: object) -> None:
    """One event, with the error in full."""
    answer(portal().ask("GET", f"/parked/{service}/{event}"), _print_parked)


def _print_parked(told: dict[str, Any]) -> None:
    error = told.pop("error")
    print_members(told)
    click.echo(f"\n{error}")


def _decide(service: str, event: object, decision: str, reason: str) -> None:
    told = portal().ask("POST", f"/parked/{service}/{event}/{decision}", {"reason": reason})
    answer(told, lambda _: click.echo(f"{service} is told to {decision} {event}."))


@parked.command(epilog=examples("events parked replay reporting EVENT --reason 'fixed in 1.2'"))
@service_argument
@event_argument
@reason_option
def replay(service: str, event: object, reason: str) -> None:
    """Have an event handled again."""
    _decide(service, event, "replay", reason)


@parked.command(epilog=examples("events parked drop ingest EVENT --reason 'of a test'"))
@service_argument
@event_argument
@reason_option
def drop(service: str, event: object, reason: str) -> None:
    """Count an event as done without handling it."""
    _decide(service, event, "drop", reason)
