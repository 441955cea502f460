"""The command line of coffre-agent."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from agent import __version__, config, failures, identity, memory
from agent.config import Config
from agent.failures import AgentError
from agent.names import duration_text, size_text
from agent.telling import Teller

if TYPE_CHECKING:
    from agent.results import Result

EPILOG = (
    "Exit codes: 0 succeeded, 3 succeeded with warnings, 1 failed, 2 usage or configuration, "
    "20 growth blocked, 21 not authorised, 22 server unreachable."
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


@app.command(epilog=EPILOG)
def enrol(
    context: typer.Context,
    server: Annotated[str, typer.Option(metavar="URL", help="The address of the server.")],
    code: Annotated[str, typer.Option(metavar="CODE", help="The one-time code you were given.")],
) -> None:
    """Make this machine known to the server, once; keeps the token in token_file."""
    try:
        settings = _load(context)
        known = identity.enrol(settings, server, code)
    except AgentError as error:
        _end(error, what_to_do="Ask your provider for a new code.")
    typer.echo(f"Enrolled as agent {known.agent_id}. The token is in {settings.token_file}.")
    if settings.server is not None and settings.server.rstrip("/") != known.server:
        typer.echo(
            f"{settings.file} names the server {settings.server}: "
            f"correct it to {known.server}, or runs will go there.",
            err=True,
        )


@app.command(epilog=EPILOG)
def run(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan to copy now.")],
    as_json: AsJson = False,
) -> None:
    """Copy what changed since the last run of a plan."""
    from agent.delta import Counters  # noqa: PLC0415 - the same
    from agent.results import Result  # noqa: PLC0415 - the same
    from agent.run import run_plan  # noqa: PLC0415 - the libraries it needs cost start-up time

    memory.keep_small()
    with Teller(as_json, plan) as teller:
        try:
            settings = _load(context)
            result = run_plan(settings, identity.load(settings), settings.plan(plan), teller)
        except AgentError as error:
            failure = failures.final(error, identity.ENROL_FIRST)
            result = Result("failed", Counters(), code=failure.code, error=str(failure))
            result.exit_code = failure.exit_code
    if as_json:
        teller.emit(result.as_summary(plan))
    else:
        _show_result(plan, result)
    raise typer.Exit(result.exit_code)


def _show_result(plan: str, result: Result) -> None:
    counters = result.counters
    if result.error is not None:
        typer.echo(f"{plan}: failed. {result.error}", err=True)
        return
    words = "succeeded" if result.outcome == "succeeded" else "succeeded with warnings"
    typer.echo(
        f"{plan}: {words} in {duration_text(result.duration_seconds)}. "
        f"{counters.files_total} files, {size_text(counters.bytes_protected)} protected: "
        f"{counters.files_new} new, {counters.files_changed} changed, "
        f"{counters.files_removed} removed, {counters.files_not_copied} not copied; "
        f"{size_text(counters.bytes_sent)} sent."
    )


@app.command(epilog=EPILOG)
def plans(context: typer.Context, as_json: AsJson = False) -> None:
    """List the plans of the configuration."""
    try:
        settings = _load(context)
    except AgentError as error:
        _end(error)
    if as_json:
        for plan in settings.plans:
            typer.echo(json.dumps({"name": plan.name, **plan.declaration()}))
        return
    _print_table(
        ("plan", "folders", "schedule", "reports to"),
        [
            (
                plan.name,
                "\n".join(plan.folders),
                f"{plan.schedule} ({plan.timezone})",
                "\n".join(plan.recipients) if plan.reports else "nobody",
            )
            for plan in settings.plans
        ],
    )


@app.command(epilog=EPILOG)
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show whether this machine is enrolled, and how the last run of each plan ended."""
    from agent.state import PlanState  # noqa: PLC0415 - costs start-up time

    try:
        settings = _load(context)
        known = identity.load(settings)
        states = []
        for plan in settings.plans:
            state = PlanState(settings.state_dir, plan.name)
            remembered = state.load(known.agent_id)
            states.append((plan.name, state.is_locked(), remembered))
    except AgentError as error:
        _end(error)
    if as_json:
        for name, is_running, remembered in states:
            line = {"plan": name, "is_running": is_running, "last_run": remembered.last}
            typer.echo(json.dumps({**line, "restore_point": remembered.run}))
        return
    typer.echo(f"Agent {known.agent_id} at {settings.server or known.server}")
    rows = []
    for name, is_running, remembered in states:
        last: dict[str, Any] = remembered.last or {}
        ended = "running now" if is_running else last.get("outcome", "never ran").replace("_", " ")
        files = str(last.get("files_total", ""))
        rows.append((name, ended, last.get("started_at", "")[:19], files, last.get("error") or ""))
    _print_table(("plan", "last run", "started (UTC)", "files", "why"), rows)


@app.command(epilog=EPILOG)
def restore(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan's name or id.")],
    portal: Annotated[str, typer.Option(metavar="URL", help="The address of the portal.")],
    email: Annotated[str, typer.Option(metavar="E", help="Who signs in at the portal.")],
    to: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="The folder to restore below; paths are kept, so /srv is DIR/srv."
        ),
    ],
    run_number: Annotated[
        int | None,
        typer.Option("--run", metavar="N", min=1, help="The run to restore; else the last one."),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option("--path", metavar="P", help="Only this file or folder, such as /srv/papers."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there and differ.")
    ] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Certificates to trust, for a private authority."),
    ] = None,
    totp: Annotated[
        str | None, typer.Option(metavar="CODE", help="The second factor, where there is one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring a plan back, as it was at one of its runs.

    The password comes from COFFRE_PASSWORD, else it is asked for.
    A restore that was cut can be repeated: what is there already is not fetched again.
    """
    from agent.connection import Connection  # noqa: PLC0415 - the libraries cost start-up time
    from agent.portal import Portal  # noqa: PLC0415 - the same
    from agent.restore import restore_plan  # noqa: PLC0415 - the same
    from agent.results import Restored  # noqa: PLC0415 - the same

    password = os.environ.get("COFFRE_PASSWORD") or _ask_password(email)
    memory.keep_small()
    with Teller(as_json, plan) as teller:
        try:
            connection = Connection(
                portal, ca_file=ca_file, patience_seconds=60, on_wait=teller.say
            )
            signed_in = Portal(connection)
            signed_in.sign_in(email, password, totp)
            result = restore_plan(
                signed_in, plan, to, teller, run=run_number, path=path, overwrite=overwrite
            )
        except (AgentError, OSError) as error:
            failure = error if isinstance(error, AgentError) else AgentError(str(error))
            failure = failures.final(failure, "Check the e-mail address and the password.")
            result = Restored(code=failure.code, error=str(failure), exit_code=failure.exit_code)
    if as_json:
        teller.emit(result.as_summary(plan))
    elif result.error is not None:
        typer.echo(f"{plan}: not restored. {result.error}", err=True)
    else:
        typer.echo(
            f"{plan}: run {result.run} restored below {to} in "
            f"{duration_text(result.duration_seconds)}. {result.files} files, "
            f"{size_text(result.bytes_written)}; {result.files_already_there} were there already, "
            f"{len(result.not_restored)} not restored."
        )
    raise typer.Exit(result.exit_code)


def _ask_password(email: str) -> str:
    if not sys.stdin.isatty():
        typer.echo("coffre-agent: set COFFRE_PASSWORD, or run this at a terminal.", err=True)
        raise typer.Exit(failures.USAGE)
    return str(typer.prompt(f"Password of {email}", hide_input=True, err=True))


def _print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - costs start-up time
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    table = Table(*titles)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _load(context: typer.Context) -> Config:
    return config.load(config.find_file(context.obj))


def _end(error: AgentError, what_to_do: str = identity.ENROL_FIRST) -> NoReturn:
    failure = failures.final(error, what_to_do)
    typer.echo(f"coffre-agent: {failure}", err=True)
    raise typer.Exit(failure.exit_code)
