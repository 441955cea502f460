"""`enrol`: this machine becomes known to the server."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.commands.shell import EPILOG, app, end, load
from agent.failures import AgentError


@app.command(epilog=EPILOG)
def enrol(
    context: typer.Context,
    server: Annotated[str, typer.Option(metavar="URL", help="The address of the server.")],
    code: Annotated[str, typer.Option(metavar="CODE", help="The one-time code you were given.")],
) -> None:
    """Make this machine known to the server, once; keeps the token in token_file."""
    from agent import identity

    try:
        settings = load(context)
        known = identity.enrol(settings, server, code)
    except AgentError as error:
        end(error, what_to_do="Ask your provider for a new code.")
    typer.echo(f"Enrolled as agent {known.agent_id}. The token is in {settings.token_file}.")
    if settings.server is not None and settings.server.rstrip("/") != known.server:
        typer.echo(
            f"{settings.file} names the server {settings.server}: "
            f"correct it to {known.server}, or runs will go there.",
            err=True,
        )
