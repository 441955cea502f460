"""`update`: takes a newer agent from the portal."""

from __future__ import annotations

import click

from agent.commands.shell import app, end, load
from agent.telling.failures import AgentError, UsageError


@app.command()
@click.option(
    "--portal", metavar="URL", help="The address of the portal; else the configuration's."
)
@click.option("--check", "only_look", is_flag=True, help="Only say whether there is a newer one.")
@click.pass_context
def update(context: click.Context, portal: str | None, only_look: bool) -> None:
    """Take a newer agent from the portal, if the provider has signed it.

    Nothing is ever updated by itself, unless you let a timer call this. The agent of before is
    kept, and its folder is told.
    """
    from agent.server.connection import Connection
    from agent.updating import releases, replacing

    try:
        settings = load(context)
        address = portal or settings.portal
        if address is None:
            raise UsageError("Name the portal: --portal URL, or portal = in the configuration.")
        installed = replacing.this_one()
        connection = Connection(
            address, ca_file=settings.ca_file, proxy=settings.proxy, patience_seconds=30
        )
        found = releases.find(connection, installed.public_key)
        if found.number <= releases.number_of(installed.version):
            click.echo(f"coffre-agent {installed.version} is what the portal has, or newer.")
            return
        if only_look:
            click.echo(f"There is {found.version}; this is {installed.version}.")
            return
        content = releases.fetch(connection, found, found.file_for(installed.by))
        kept = replacing.replace(installed, content, settings.state_dir)
    except AgentError as error:
        end(error)
    click.echo(
        f"coffre-agent is {found.version} now. {installed.version} is kept: {kept}/coffre-agent"
    )
