"""`billing …`: months are closed, and exported for whoever writes the bills."""

from __future__ import annotations

from typing import BinaryIO

import click

from operators.commands.shell import answer, app, examples, find_tenant, portal, print_members
from operators.values import Month

month_argument = click.argument("month", type=Month())


@app.group(no_args_is_help=True)
def billing() -> None:
    """The ledger, by the month."""


@billing.command(epilog=examples("billing close 2026-11"))
@month_argument
def close(month: str) -> None:
    """Close a month: its lines change no more. Once more, nothing happens."""
    answer(portal().ask("POST", f"/billing/{month}/close"), print_members)


@billing.command(epilog=examples("billing export 2026-11 --format csv-fr > novembre.csv"))
@month_argument
@click.option(
    "--format",
    "form",
    default="csv",
    show_default=True,
    type=click.Choice(["csv", "csv-fr", "json"]),
    help="csv-fr: with semicolons and decimal commas.",
)
@click.option("--tenant", "named", metavar="TENANT", help="One client's lines only.")
@click.option("--output", type=click.File("wb"), default="-", help="A file; else standard output.")
def export(month: str, form: str, named: str | None, output: BinaryIO) -> None:
    """Write a month's lines, each with the order and the rule behind it."""
    asked = portal()
    one = f"&tenant={find_tenant(asked, named)}" if named else ""
    output.write(asked.fetch("GET", f"/billing/{month}?format={form}{one}"))
