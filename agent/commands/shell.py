"""What all commands share: the application, --config, --json, tables, and how they end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent import __version__, config, failures
from agent.config import Config
from agent.failures import ENROL_FIRST, AgentError

EPILOG = (
    "Exit codes: 0 succeeded, 3 succeeded with warnings, 1 failed, 2 usage or configuration, "
    "20 growth blocked, 21 not authorised, 22 server unreachable, 23 already running, "
    "24 interrupted."
)

app = typer.Typer(
    name="coffre-agent",
    help="Copies chosen folders of this machine to Coffre, and brings them back.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"coffre-agent {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The configuration; else /etc/coffre-agent/config.toml, then the user's own.",
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and end."
        ),
    ] = False,
) -> None:
    context.obj = config_file


AsJson = Annotated[bool, typer.Option("--json", help="Write JSON lines, a summary last.")]


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table as wide as the terminal; texts are shown as they are."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def configuration_file(context: typer.Context) -> Path:
    """The configuration that --config names, else the one found; UsageError if there is none."""
    return config.find_file(context.obj)


def load(context: typer.Context) -> Config:
    """The configuration, checked; UsageError telling what is wrong with it."""
    return config.load(configuration_file(context))


def end(error: AgentError, what_to_do: str = ENROL_FIRST) -> NoReturn:
    """Say why a command can't go on, and end it with the failure's exit code."""
    failure = failures.final(error, what_to_do)
    typer.echo(f"coffre-agent: {failure}", err=True)
    raise typer.Exit(failure.exit_code)
