"""What all commands share: the application, --config, --json, tables, and how they end."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.exceptions import Exit

from agent import __version__
from agent.telling import failures, output
from agent.telling.failures import ENROL_FIRST, AgentError

if TYPE_CHECKING:
    from agent.config import Config

_EXIT_CODES = (
    "Exit codes of all commands: 0 succeeded, 3 succeeded with warnings, 1 failed, "
    "2 usage or configuration, 20 growth blocked, 21 not authorised, 22 server unreachable, "
    "23 already running, 24 interrupted."
)

# What shells give for Ctrl-C, and for a reader that has gone, as after `… | head -1`.
INTERRUPTED_AT_THE_TERMINAL = 130
NOBODY_READS = 141


class Commands(click.Group):
    """A group that lists its commands in the order in which they were defined."""

    group_class = type

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in order."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with its whole first sentence."""
        rows = [
            (name, command.get_short_help_str(limit=200)) for name, command in self.commands.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """Read the command line, which may show the help."""
        with _ended_as_others_are():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Perform a command; Ctrl-C ends it without a word."""
        with _ended_as_others_are():
            return super().invoke(ctx)


@contextmanager
def _ended_as_others_are() -> Iterator[None]:
    """What ends other programs without a word ends this one so, too."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Exit(INTERRUPTED_AT_THE_TERMINAL) from interrupt
    except BrokenPipeError as gone:
        output.silence()
        raise Exit(NOBODY_READS) from gone
    except OSError as error:
        if not output.is_full(error):
            raise
        output.give_up(error)
        raise Exit(failures.FAILED) from error


@click.group(
    cls=Commands,
    name="coffre-agent",
    help="Copies chosen folders of this machine to Coffre, and brings them back.",
    epilog=_EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
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


def complete_plan(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The plans of the configuration that begin so, for the completion of shells."""
    context.obj = (context.find_root().params or {}).get("config_file")
    try:
        return [plan.name for plan in load(context).plans if plan.name.startswith(begun)]
    except AgentError:
        return []


def print_wrapped(first: str, text: str) -> None:
    """A line that goes on below its text where it is longer than the terminal is wide."""
    width = max(shutil.get_terminal_size().columns - len(first), 40)
    # Paths are what people copy: they are never cut.
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    click.echo(first + f"\n{' ' * len(first)}".join(lines))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table as wide as the terminal; texts are shown as they are."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    with console.capture() as rendered:
        console.print(table)
    click.echo(rendered.get(), nl=False)


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
