"""`enrol`: this machine becomes known to the server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from agent.commands.shell import app, end, load
from agent.telling.failures import AgentError, UsageError

if TYPE_CHECKING:
    from agent.config import Config
    from agent.server.identity import Identity


@app.command()
@click.option("--server", metavar="URL", help="The server's address; else the configuration's.")
@click.option("--code", metavar="CODE", help="The one-time code you were given; else it is asked.")
@click.pass_context
def enrol(context: click.Context, server: str | None, code: str | None) -> None:
    """Make this machine known to the server, once; keeps the token in token_file."""
    try:
        settings = load(context)
        known = enrol_machine(settings, server or settings.server, code)
    except AgentError as error:
        end(error, what_to_do="Ask your provider for a new code.")
    if settings.server is not None and settings.server.rstrip("/") != known.server:
        click.echo(
            f"{settings.file} names the server {settings.server}: "
            f"correct it to {known.server}, or runs will go there.",
            err=True,
        )


def enrol_machine(settings: Config, server: str | None, code: str | None) -> Identity:
    """Enrol, with a code that is asked for where none was given."""
    from agent.server import identity

    if server is None:
        raise UsageError("Name the server: --server URL, or server = in the configuration.")
    known = identity.enrol(settings, server, code or ask("Enrolment code", "--code CODE"))
    click.echo(f"Enrolled at {known.server}. The token is in {settings.token_file}.")
    return known


def ask(what: str, option: str, default: str | None = None) -> str:
    """Ask at a terminal; elsewhere the default counts, or UsageError names the option."""
    if sys.stdin.isatty():
        return str(click.prompt(what, default=default, err=True)).strip()
    if default is None:
        raise UsageError(f"Give {option}, or run this at a terminal.")
    return default
