"""`run`: copies what changed since the last run of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent import failures
from agent.commands.shell import EPILOG, AsJson, app, end, load
from agent.failures import ENROL_FIRST, AgentError
from agent.names import duration_text, size_text

if TYPE_CHECKING:
    from agent.results import Result


@app.command(epilog=EPILOG)
def run(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan to copy now.")],
    as_json: AsJson = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would be sent; the server starts nothing."),
    ] = False,
    accept_empty: Annotated[
        bool,
        typer.Option(
            "--accept-empty", help="Take it for right that a folder was replaced by an empty one."
        ),
    ] = False,
) -> None:
    """Copy what changed since the last run of a plan."""
    if dry_run:
        _dry_run(context, plan, as_json)
        return
    from agent import identity, memory
    from agent.delta import Counters
    from agent.results import Result
    from agent.run import run_plan
    from agent.telling import Teller

    memory.keep_small()
    with Teller(as_json, plan) as teller:
        try:
            settings = load(context)
            known = identity.load(settings)
            result = run_plan(settings, known, settings.plan(plan), teller, accept_empty)
        except AgentError as error:
            failure = failures.final(error, ENROL_FIRST)
            result = Result("failed", Counters(), code=failure.code, error=str(failure))
            result.exit_code = failure.exit_code
    if as_json:
        teller.emit(result.as_summary(plan))
    else:
        _show_result(plan, result)
    raise typer.Exit(result.exit_code)


def _dry_run(context: typer.Context, plan: str, as_json: bool) -> None:
    from agent import dry_run, identity, memory
    from agent.telling import Teller

    memory.keep_small()
    with Teller(as_json, plan) as teller:
        try:
            settings = load(context)
            seen = dry_run.look(settings, identity.load(settings), settings.plan(plan), teller)
        except AgentError as error:
            end(error)
    if as_json:
        teller.emit(seen.as_summary(plan))
    else:
        for line in seen.lines(plan):
            typer.echo(line)


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
    for warning in result.warnings:
        typer.echo(f"{plan}: {warning}", err=True)
