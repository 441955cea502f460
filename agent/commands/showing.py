"""`plans` and `status`: what is configured, and how the last runs ended."""

from __future__ import annotations

import json
from typing import Any

import click

from agent.commands.shell import EPILOG, app, end, json_option, load, print_table
from agent.telling.failures import AgentError


@app.command(epilog=EPILOG)
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


@app.command(epilog=EPILOG)
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
    click.echo(f"Agent {known.agent_id} at {settings.server or known.server}")
    rows = []
    for name, is_running, remembered in states:
        last: dict[str, Any] = remembered.last or {}
        ended = "running now" if is_running else last.get("outcome", "never ran").replace("_", " ")
        files = str(last.get("files_total", ""))
        rows.append(
            (
                name,
                ended,
                last.get("started_at", "")[:19],
                files,
                (last.get("error") or {}).get("sentence", ""),
            )
        )
    print_table(("plan", "last run", "started (UTC)", "files", "why"), rows)
