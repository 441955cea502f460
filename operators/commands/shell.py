"""What all commands share: the application, whom they ask, how they answer and how they end."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import click
from click.exceptions import Exit

from operators import __version__, remembered, values
from operators.failures import SIGN_IN, Failure, UsageError
from operators.portal import Portal

EPILOG = (
    "Exit codes: 0 succeeded, 1 refused, 2 usage, 21 not authorised, 22 portal unreachable. "
    "The portal and the token are those of --portal and --token, else of COFFRE_PORTAL and "
    "COFFRE_TOKEN, else of `coffre login`."
)
INTERRUPTED_AT_THE_TERMINAL = 130
NOBODY_READS = 141
_UNSEEN_WIDTH = 200


def _note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keeps what was said before or after a subcommand; the later one counts."""
    if value:
        context.meta[f"coffre.{parameter.name}"] = value


_SHARED: list[click.Parameter] = [
    click.Option(
        ["--json"], is_flag=True, expose_value=False, callback=_note, help="Answer as JSON."
    ),
    click.Option(
        ["--portal"], metavar="URL", expose_value=False, callback=_note, help="Which portal."
    ),
    click.Option(
        ["--token"], metavar="TOKEN", expose_value=False, callback=_note, help="Whose sign-in."
    ),
]


class Command(click.Command):
    """A command that knows what all know."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own, then those of all."""
        return [*super().get_params(ctx), *_SHARED]


class Group(click.Group):
    """Commands in the order in which they were defined."""

    command_class = Command

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own, then those of all."""
        return [*super().get_params(ctx), *_SHARED]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in order."""
        return list(self.commands)


Group.group_class = Group


class App(Group):
    """The outermost group: whatever ends a command, ends it as other programs end."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """Reads the command line, which may show the help."""
        with _ended_in_words():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Performs a command."""
        with _ended_in_words():
            return super().invoke(ctx)


@contextmanager
def _ended_in_words() -> Iterator[None]:
    """A refusal becomes a sentence and an exit code; what ends others without a word, does so."""
    try:
        yield
    except Failure as failure:
        click.echo(f"coffre: {failure}", err=True)
        raise Exit(failure.exit_code) from failure
    except KeyboardInterrupt as interrupt:
        raise Exit(INTERRUPTED_AT_THE_TERMINAL) from interrupt
    except BrokenPipeError as gone:
        # What is still to be written must not fail once more at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Exit(NOBODY_READS) from gone


@click.group(
    cls=App,
    name="coffre",
    help="What the provider's operators do: clients, orders, volumes, destruction, billing.",
    epilog=EPILOG,
    no_args_is_help=True,
)
@click.version_option(__version__, message="coffre %(version)s", help="Show the version and end.")
def app() -> None:
    """The command line."""


def examples(*lines: str) -> str:
    """The end of a command's help; click leaves a block as it is behind a \\b."""
    shown = "\n".join(f"  coffre {line}" for line in lines)
    return f"\b\nExamples:\n{shown}"


def portal_address() -> str:
    """The portal that was named, else the one of the last sign-in; raises UsageError."""
    named = click.get_current_context().meta.get("coffre.portal") or os.environ.get("COFFRE_PORTAL")
    if not named:
        kept = remembered.load()
        if kept is None:
            raise UsageError("Say which portal: --portal URL, COFFRE_PORTAL, or `coffre login`.")
        return kept.portal
    address = str(named).rstrip("/")
    if not re.match(r"https?://[^/?#]+", address):
        raise UsageError(f"{named} is no address such as https://portal.example.")
    return address


def portal() -> Portal:
    """The portal, asked as whoever signed in; raises UsageError."""
    address = portal_address()
    token = click.get_current_context().meta.get("coffre.token") or os.environ.get("COFFRE_TOKEN")
    if not token:
        kept = remembered.load()
        if kept is None or kept.portal != address:
            raise UsageError(f"Nobody is signed in at {address}. {SIGN_IN}")
        token = kept.token
    return Portal(address, str(token))


def find_tenant(asked: Portal, named: str) -> str:
    """The id of the client that is named by its id or by its name; raises UsageError."""
    try:
        return str(UUID(named))
    except ValueError:
        pass
    found = [
        str(one["tenant_id"])
        for one in asked.ask("GET", "/tenants")["tenants"]
        if one["name"].casefold() == named.casefold()
    ]
    if len(found) != 1:
        how = "No client is" if not found else f"{len(found)} clients are"
        raise UsageError(f"{how} called {named!r}; `coffre tenant list` shows their ids.")
    return found[0]


def is_json() -> bool:
    """Whether the answer is wanted as JSON."""
    return bool(click.get_current_context().meta.get("coffre.json"))


def answer(document: Any, show: Callable[[Any], None]) -> None:
    """Writes the portal's answer: as JSON, or as `show` shows it to people.

    Of what takes two operators it says that it waits for the other one."""
    if is_json():
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif isinstance(document, dict) and (asked := document.get("approval_id")):
        click.echo(f"Nothing is done yet: another operator has to confirm it ({asked}).")
    else:
        show(document)


def print_table(columns: Sequence[str], rows: Iterable[dict[str, Any]], nothing: str = "") -> None:
    """A table as wide as the terminal, of those members of each row; texts as they are.

    nothing: what is said where there is no row."""
    rows = list(rows)
    if nothing and not rows:
        click.echo(nothing)
        return
    from rich.console import Console  # noqa: PLC0415 - costs start-up time
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for name in columns:
        # An id is there to be copied.
        table.add_column(_title(name), no_wrap=name.endswith("_id"), overflow="fold")
    for row in rows:
        table.add_row(*(Text(values.show(name, row.get(name))) for name in columns))
    console = Console(width=None if sys.stdout.isatty() else _UNSEEN_WIDTH)
    with console.capture() as rendered:
        console.print(table)
    click.echo(rendered.get(), nl=False)


def print_members(document: dict[str, Any]) -> None:
    """Each simple member of an answer in a line of its own."""
    shown = {name: one for name, one in document.items() if not isinstance(one, (dict, list))}
    width = max((len(name) for name in shown), default=0) + 2
    for name, one in shown.items():
        click.echo(f"{_title(name) + ':':<{width}} {values.show(name, one)}")


def _title(name: str) -> str:
    return re.sub("_(bytes|at|id)$", "", name).replace("_", " ")
