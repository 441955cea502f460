"""`plans` and `status`: what is configured, and how the last runs ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from agent.commands.shell import app, end, json_option, load, print_table, print_wrapped
from agent.telling.failures import AgentError
from agent.telling.moments import moment
from libs.shared.words.plain import count_text, size_text

if TYPE_CHECKING:
    from agent.config import Plan


@app.command()
@json_option
@click.pass_context
def plans(context: click.Context, as_json: bool) -> None:
    """List the plans of the configuration."""
    try:
        settings = load(context)
    except AgentError as error:
        end(error)
    if as_json:
        for plan in settings.plans:
            click.echo(json.dumps({"name": plan.name, **plan.declaration()}))
        return
    print_table(
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


@app.command()
@json_option
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Show whether this machine is enrolled, and how the last run of each plan ended."""
    from agent.copying.state import PlanState
    from agent.server import identity

    try:
        settings = load(context)
        known = identity.load(settings)
        states = []
        for plan in settings.plans:
            state = PlanState(settings.state_dir, plan.name)
            remembered = state.load(known.agent_id)
            states.append((plan.name, state.is_locked(), remembered))
    except AgentError as error:
        end(error)
    if as_json:
        for name, is_running, remembered in states:
            line = {"plan": name, "is_running": is_running, "last_run": remembered.last}
            click.echo(json.dumps({**line, "restore_point": remembered.run}))
        return
    click.echo(f"Enrolled at {settings.server or known.server}. Times are this machine's.")
    for name, is_running, remembered in states:
        click.echo(f"\n{name}")
        for title, text in _facts(settings.plan(name), is_running, remembered.last or {}):
            print_wrapped(f"  {title:<9} ", text)


def _facts(plan: Plan, is_running: bool, last: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from agent.checks.rhythm import due_next

    outcome = str(last.get("outcome", "never ran")).replace("_", " ")
    started = last.get("started_at")
    when = f", {moment(datetime.fromisoformat(started))}" if started else ""
    yield "last run", "running now" if is_running else f"{outcome}{when}"
    if "files_total" in last:
        volume = size_text(last.get("bytes_protected") or 0)
        yield "holds", f"{count_text(last['files_total'], 'file')}, {volume}"
    if missed := len(last.get("not_copied") or ()):
        yield "why", f"{count_text(missed, 'file')} not copied; the report names them."
    for told in filter(None, [last.get("error"), *(last.get("warnings") or ())]):
        yield "why", told.get("sentence", "")
    yield "next run", moment(due_next(plan, datetime.now(UTC)))
