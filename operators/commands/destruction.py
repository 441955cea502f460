"""`destruction …`: what becomes of the data of subscriptions that ended."""

from __future__ import annotations

from typing import Any

import click

from operators import values
from operators.commands.shell import (
    answer,
    app,
    examples,
    find_tenant,
    portal,
    print_members,
    print_table,
)
from operators.commands.tenants import reason_option, tenant_argument
from operators.values import Moment


@app.group(no_args_is_help=True)
def destruction() -> None:
    """What is destroyed, when, and what waits for a second pair of eyes."""


@destruction.command("list")
def list_destructions() -> None:
    """Every destruction that is due, under way or done."""
    columns = ("tenant_id", "name", "state", "due_at", "objects_left", "certificate")
    answer(
        portal().ask("GET", "/destructions"),
        lambda told: print_table(columns, told["destructions"]),
    )


@destruction.command("show", epilog=examples("destruction show TENANT --json"))
@tenant_argument
def show_destruction(named: str) -> None:
    """How far a client's destruction is."""
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/destruction"
    answer(asked.ask("GET", path), _print_destruction)


def _print_destruction(told: dict[str, Any]) -> None:
    print_members(told)
    for reason in told.get("reasons") or ():
        click.echo(f"It waits: {reason}")
    if hold := told.get("hold"):
        until = values.show("held_until", hold["until"]) if hold["until"] else "it is released"
        click.echo(f"It is held until {until}: {hold['reason']}")


def _decide(named: str, decision: str, body: dict[str, Any]) -> None:
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/destruction/{decision}"
    answer(asked.ask("POST", path, body), _print_destruction)


@destruction.command(epilog=examples("destruction confirm TENANT --reason 'checked by phone'"))
@tenant_argument
@reason_option
def confirm(named: str, reason: str) -> None:
    """Let a destruction go on that waits for a second operator."""
    _decide(named, "confirm", {"reason": reason})


@destruction.command(
    epilog=examples("destruction hold TENANT --until 2027-06-30T00:00 --reason 'court order'")
)
@tenant_argument
@click.option("--until", type=Moment(), help="When the hold ends by itself; else it is released.")
@reason_option
def hold(named: str, until: str | None, reason: str) -> None:
    """Stop a destruction before it begins, as the law may ask."""
    _decide(named, "hold", {"until": until, "reason": reason})


@destruction.command(epilog=examples("destruction release TENANT --reason R"))
@tenant_argument
@reason_option
def release(named: str, reason: str) -> None:
    """End a hold before its day."""
    _decide(named, "release", {"reason": reason})
