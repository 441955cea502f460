"""`enrol`: this machine becomes known to the server."""

from __future__ import annotations

import click

from agent.commands.shell import EPILOG, app, end, load
from agent.telling.failures import AgentError


@app.command(epilog=EPILOG)
@click.option("--server", metavar="URL", required=True, help="The address of the server.")
@click.option("--code", metavar="CODE", required=True, help="The one-time code you were given.")
@click.pass_context
def enrol(context: click.Context, server: str, code: str) -> None:
    """Make this machine known to the server, once; keeps the token in token_file."""
    from agent.server import identity

    try:
        settings = load(context)
        known = identity.enrol(settings, server, code)
    except AgentError as error:
        end(error, what_to_do="Ask your provider for a new code.")
    click.echo(f"Enrolled as agent {known.agent_id}. The token is in {settings.token_file}.")
    if settings.server is not None and settings.server.rstrip("/") != known.server:
        click.echo(
            f"{settings.file} names the server {settings.server}: "
            f"correct it to {known.server}, or runs will go there.",
            err=True,
        )
