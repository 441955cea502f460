"""`run`: copies what changed since the last run of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from agent.commands.shell import app, complete_plan, end, json_option, load
from agent.telling import failures
from agent.telling.failures import ENROL_FIRST, AgentError
from libs.shared.words.plain import count_text, duration_text, size_text

if TYPE_CHECKING:
    from agent.telling.results import Result


@app.command()
@click.argument("plan", shell_complete=complete_plan, metavar="PLAN", help="The plan to copy now.")
@json_option
@click.option(
    "--dry-run", is_flag=True, help="Only say what would be sent; the server starts nothing."
)
@click.option(
    "--accept-empty",
    is_flag=True,
    help="Take it for right that a folder was replaced by an empty one.",
)
@click.pass_context
def run(
    context: click.Context, plan: str, as_json: bool, dry_run: bool, accept_empty: bool
) -> None:
    """Copy what changed since the last run of a plan."""
    if dry_run:
        _dry_run(context, plan, as_json)
        return
    from agent.copying.run import run_plan
    from agent.platforms import memory
    from agent.server import identity
    from agent.telling.counters import Counters
    from agent.telling.results import Result
    from agent.telling.teller import Teller

    memory.keep_small()
    memory.collect_rarely()
    with Teller(as_json, plan) as teller:
        try:
            settings = load(context)
            known = identity.load(settings)
            result = run_plan(settings, known, settings.plan(plan), teller, accept_empty)
        except AgentError as error:
            failure = failures.final(error, ENROL_FIRST)
            result = Result("failed", Counters(), failure=failure, exit_code=failure.exit_code)
    if as_json:
        teller.emit(result.as_summary(plan))
    else:
        _show_result(plan, result)
    raise Exit(result.exit_code)


def _dry_run(context: click.Context, plan: str, as_json: bool) -> None:
    from agent.copying import dry_run
    from agent.platforms import memory
    from agent.server import identity
    from agent.telling.teller import Teller

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
            click.echo(line)


def _show_result(plan: str, result: Result) -> None:
    from agent.telling.sentences import in_full

    counters = result.counters
    if result.failure is not None:
        click.echo(f"{plan}: failed. {result.error}", err=True)
        return
    words = "succeeded" if result.outcome == "succeeded" else "succeeded with warnings"
    click.echo(
        f"{plan}: {words} in {duration_text(result.duration_seconds)}. "
        f"{count_text(counters.files_total, 'file')}, "
        f"{size_text(counters.bytes_protected)} protected: "
        f"{counters.files_new} new, {counters.files_changed} changed, "
        f"{counters.files_removed} removed, {counters.files_not_copied} not copied; "
        f"{size_text(counters.bytes_sent)} sent."
    )
    for warning in result.warnings:
        click.echo(f"{plan}: {in_full(warning)}", err=True)
