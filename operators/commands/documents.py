"""`document …`: terms that clients accept by name."""

from __future__ import annotations

from typing import TextIO

import click

from operators.commands.shell import answer, app, examples, portal, print_table
from operators.values import Day

DOCUMENTS = ("general-terms", "software-terms", "service-terms", "data-processing")


@app.group(no_args_is_help=True)
def document() -> None:
    """General terms, terms of the software and of the service, the data-processing annex."""


@document.command(
    epilog=examples(
        "document publish general-terms --version 2027-1 --title 'Conditions générales' "
        "--in-force 2027-01-01 terms.txt"
    )
)
@click.argument("which", type=click.Choice(DOCUMENTS), metavar="|".join(DOCUMENTS))
@click.option("--version", required=True, metavar="V", help="Names it; each name once.")
@click.option("--title", required=True, metavar="T", help="What clients call it.")
@click.option("--in-force", type=Day(), required=True, help="From which day it counts.")
@click.argument("file", type=click.File(encoding="utf-8"))
def publish(which: str, version: str, title: str, in_force: str, file: TextIO) -> None:
    """Publish a version: all administrators are mailed, and asked at their next sign-in."""
    body = {
        "document": which,
        "version": version,
        "title": title,
        "in_force_on": in_force,
        "text": file.read(),
    }
    told = portal().ask("POST", "/documents", body)
    answer(told, lambda _: click.echo(f"{title}, version {version}, is published."))


@document.command("list")
def list_documents() -> None:
    """Every version, and how many administrators have accepted it."""
    columns = ("document", "version", "title", "in_force_on", "published_at", "acceptances")
    answer(portal().ask("GET", "/documents"), lambda told: print_table(columns, told["documents"]))


@document.command("acceptances", epilog=examples("document acceptances general-terms 2027-1"))
@click.argument("which", type=click.Choice(DOCUMENTS), metavar="|".join(DOCUMENTS))
@click.argument("version")
def list_acceptances(which: str, version: str) -> None:
    """Who accepted a version, when and from where."""
    columns = ("tenant", "name", "accepted_at", "address")
    answer(
        portal().ask("GET", f"/documents/{which}/{version}/acceptances"),
        lambda told: print_table(columns, told["acceptances"]),
    )
