"""`completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from operators.commands.shell import app, examples

SHELLS = ("bash", "zsh", "fish")


@app.command(epilog=examples("completion bash > /etc/bash_completion.d/coffre"))
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script with which a shell completes `coffre`."""
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(app, {}, "coffre", "_COFFRE_COMPLETE").source())
