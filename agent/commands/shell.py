"""What all commands share: the application, --config, --json, tables, and how they end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.exceptions import Exit

from agent import __version__, failures
from agent.failures import ENROL_FIRST, AgentError

if TYPE_CHECKING:
    from agent.config import Config

EPILOG = (
    "Exit codes: 0 succeeded, 3 succeeded with warnings, 1 failed, 2 usage or configuration, "
    "20 growth blocked, 21 not authorised, 22 server unreachable, 23 already running, "
    "24 interrupted."
)

INTERRUPTED_AT_THE_TERMINAL = 130  # what shells give for Ctrl-C


class Commands(click.Group):
    """A group that lists its commands in the order in which they were defined."""

    group_class = type

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in order."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Perform a command; Ctrl-C ends it without a word, as it ends other programs."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise Exit(INTERRUPTED_AT_THE_TERMINAL) from interrupt


@click.group(
    cls=Commands,
    name="coffre-agent",
    help="Copies chosen folders of this machine to Coffre, and brings them back.",
    epilog=EPILOG,
    no_args_is_help=True,
)
@click.option(
    "--config",
    "config_file",
    type=Path,
    metavar="FILE",
    help="The configuration; else /etc/coffre-agent/config.toml, then the user's own.",
)
@click.version_option(
    __version__, message="coffre-agent %(version)s", help="Show the version and end."
)
@click.pass_context
def app(context: click.Context, config_file: Path | None) -> None:
    context.obj = config_file


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write JSON lines, a summary last."
)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table as wide as the terminal; texts are shown as they are."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def configuration_file(context: click.Context) -> Path:
    """The configuration that --config names, else the one found; UsageError if there is none."""
    from agent import config

    return config.find_file(context.obj)


def load(context: click.Context) -> Config:
    """The configuration, checked; UsageError telling what is wrong with it."""
    from agent import config

    return config.load(configuration_file(context))


def end(error: AgentError, what_to_do: str = ENROL_FIRST) -> NoReturn:
    """Say why a command can't go on, and end it with the failure's exit code."""
    failure = failures.final(error, what_to_do)
    click.echo(f"coffre-agent: {failure}", err=True)
    raise Exit(failure.exit_code)
