"""`tenant …` and `enrol`: client companies, their subscriptions, their machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from operators.commands.shell import (
    answer,
    app,
    examples,
    find_tenant,
    portal,
    print_members,
    print_table,
)
from operators.values import Day, Moment, Size, show

reason_option = click.option(
    "--reason", required=True, metavar="R", help="Why; the client reads it."
)
tenant_argument = click.argument("named", metavar="TENANT")


@app.group(no_args_is_help=True)
def tenant() -> None:
    """Client companies and their subscriptions; TENANT is an id or the exact name."""


@tenant.command(
    epilog=examples(
        "tenant create --name 'Boulangerie Martin' --email claire@martin.example "
        "--contracted 1GB --seats 2"
    )
)
@click.option("--name", required=True, metavar="N", help="The company.")
@click.option("--email", required=True, metavar="E", help="Of its first administrator.")
@click.option("--administrator", metavar="NAME", help="The administrator's name; else the address.")
@click.option("--contracted", required=True, type=Size(), help="The volume, such as 500GB.")
@click.option("--seats", default=1, show_default=True, type=click.IntRange(1), help="Users.")
@click.option("--locale", default="fr", show_default=True, type=click.Choice(["fr", "en"]))
@click.option("--timezone", default="Europe/Paris", show_default=True, metavar="ZONE")
@click.option(
    "--retention-days", default=30, show_default=True, type=click.IntRange(1), help="Of versions."
)
def create(
    name: str,
    email: str,
    administrator: str | None,
    contracted: int,
    seats: int,
    locale: str,
    timezone: str,
    retention_days: int,
) -> None:
    """Open a subscription; its administrator is mailed a one-time password."""
    opened = portal().ask(
        "POST",
        "/tenants",
        {
            "name": name,
            "locale": locale,
            "timezone": timezone,
            "contracted_bytes": contracted,
            "seats": seats,
            "retention_days": retention_days,
            "administrator": {"name": administrator or email, "email": email},
        },
    )
    answer(opened, lambda told: click.echo(f"Opened {name}: {told['tenant_id']}"))


@tenant.command("list")
def list_tenants() -> None:
    """Every client with its state at a glance."""
    columns = ("tenant_id", "name", "subscription", "stored_bytes", "contracted_bytes")
    answer(portal().ask("GET", "/tenants"), lambda told: print_table(columns, told["tenants"]))


@tenant.command("show")
@tenant_argument
def show_tenant(named: str) -> None:
    """One client: its subscription, its people, its machines."""
    asked = portal()
    answer(asked.ask("GET", f"/tenants/{find_tenant(asked, named)}"), _print_tenant)


def _print_tenant(told: dict[str, Any]) -> None:
    print_members(told)
    print_table(("name", "email", "role", "locale"), told["people"])
    print_table(("agent_id", "hostname", "enrolled_at", "revoked_at"), told["agents"])


def _step(named: str, step: str, body: dict[str, Any]) -> None:
    asked = portal()
    moved = asked.ask("POST", f"/tenants/{find_tenant(asked, named)}/{step}", body)
    answer(moved, print_members)


@tenant.command(
    epilog=examples(
        "tenant end 'Boulangerie Martin' --reason 'terminated by letter of 3 November'",
        "tenant end 'Boulangerie Martin' --reason terminated --at 2026-12-31T18:00",
    )
)
@tenant_argument
@reason_option
@click.option("--at", type=Moment(), help="Announce the end for that moment; else it ends now.")
def end(named: str, reason: str, at: str | None) -> None:
    """End a subscription: nothing is backed up or recovered; the data is destroyed 30 days on."""
    _step(named, "end", {"reason": reason, **({"at": at} if at else {})})


def _reasoned(name: str, what: str) -> Callable[[str, str], None]:
    @tenant_argument
    @reason_option
    def step(named: str, reason: str) -> None:
        _step(named, name, {"reason": reason})

    step.__doc__ = what
    return step


for _name, _what in (
    ("suspend", "Stop backups and recovery, as for what is not paid; nothing is destroyed."),
    ("resume", "Take back a suspension or an announced end."),
    ("reinstate", "Take back an end, until destruction begins."),
):
    tenant.command(_name, epilog=examples(f"tenant {_name} TENANT --reason R"))(
        _reasoned(_name, _what)
    )


@tenant.command(
    epilog=examples("tenant maintenance TENANT --until 2027-12-31 --reason 'renewed for a year'")
)
@tenant_argument
@reason_option
@click.option("--until", type=Day(), help="The last day that the maintenance covers.")
@click.option("--open-ended", is_flag=True, help="The subscription doesn't depend on it any more.")
def maintenance(named: str, reason: str, until: str | None, open_ended: bool) -> None:
    """Say until when the backup software is maintained: the subscription ends with that day."""
    if (until is None) != open_ended:
        raise click.UsageError("Give either --until DAY or --open-ended.")
    _step(named, "maintenance", {"reason": reason, "until": until})


@app.command(epilog=examples("enrol 'Boulangerie Martin' --label server"))
@tenant_argument
@click.option("--label", default="", metavar="TEXT", help="Tells which machine it is for.")
def enrol(named: str, label: str) -> None:
    """Hand out a one-time code with which one machine may join."""
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/enrolments"
    answer(asked.ask("POST", path, {"label": label}), _print_code)


def _print_code(told: dict[str, Any]) -> None:
    click.echo(f"Until {show('expires_at', told['expires_at'])}, on the machine:")
    click.echo(f"  coffre-agent enrol --server {told['ingest_url']} --code {told['code']}")
