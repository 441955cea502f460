"""`prices …`: what volume and seats cost, from when."""

from __future__ import annotations

import json
from typing import TextIO

import click

from operators.commands.shell import answer, app, examples, portal
from operators.failures import UsageError


@app.group(no_args_is_help=True)
def prices() -> None:
    """The price lists."""


@prices.command("show", epilog=examples("prices show > prices.json"))
def show_prices() -> None:
    """Print the price lists as JSON, as `set` reads it."""
    told = portal().ask("GET", "/prices")
    answer(told, lambda _: click.echo(json.dumps(told, indent=2, ensure_ascii=False)))


@prices.command("set", epilog=examples("prices set prices.json"))
@click.argument("file", type=click.File(encoding="utf-8"))
def set_prices(file: TextIO) -> None:
    """Replace the price lists by those of FILE, in the form of `show`; - for standard input.

    Where the file has the version that `show` printed, nobody else's change is overwritten.
    """
    try:
        told = json.load(file)
    except ValueError as error:
        raise UsageError(f"{file.name} is no JSON: {error}.") from None
    if not isinstance(told, dict) or "lists" not in told:
        raise UsageError(f"{file.name} holds no price lists; `coffre prices show` prints some.")
    wanted = {name: told[name] for name in ("version", "lists") if name in told}
    answer(portal().ask("PUT", "/prices", wanted), lambda _: click.echo("The prices are set."))
