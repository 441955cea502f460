"""`timer` and `loop`: what starts a plan by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.commands.shell import app, complete_plan, end, load
from agent.telling.failures import AgentError, UsageError

if TYPE_CHECKING:
    from agent.config import Config, Plan


@app.command()
@click.argument(
    "plan", shell_complete=complete_plan, metavar="PLAN", help="The plan to start by itself."
)
@click.option("--systemd", is_flag=True, help="A service and a timer.")
@click.option("--cron", is_flag=True, help="A file for /etc/cron.d.")
@click.option("--windows", is_flag=True, help="A task for schtasks.")
@click.option("--output", type=Path, metavar="DIR", help="Write the files there; else print them.")
@click.option("--install", is_flag=True, help="Let this machine start the plan from now on.")
@click.option("--remove", is_flag=True, help="Take away what --install put there.")
@click.option(
    "--due", type=int, metavar="MINUTES", help="Only say, by 0 or 1, if it was due just now."
)
@click.pass_context
def timer(
    context: click.Context,
    plan: str,
    systemd: bool,
    cron: bool,
    windows: bool,
    output: Path | None,
    install: bool,
    remove: bool,
    due: int | None,
) -> None:
    """Start a plan by its schedule: by systemd, cron or a Windows task.

    Without --install it is only printed: look at it, then put it where it belongs.
    """
    if install + remove + (output is not None) + (due is not None) > 1:
        end(UsageError("One at a time: --install, --remove, --output or --due."))
    try:
        settings = load(context)
        chosen = settings.plan(plan)
        if due is not None:
            from agent.timers.changes import is_due

            context.exit(0 if is_due(chosen, datetime.now(UTC), due) else 1)
        wanted = _wanted(systemd, cron, windows)
        if remove:
            _remove(settings, chosen)
        elif install:
            install_timer(settings, chosen, wanted)
        else:
            _show(_files(settings, chosen, wanted or _usual()), output)
    except AgentError as error:
        end(error)


@app.command()
@click.pass_context
def loop(context: click.Context) -> None:
    """Start every plan by its schedule from here, until stopped: for containers.

    A plan that was due meanwhile, or that never ran, starts at once.
    """
    from agent.copying.state import PlanState
    from agent.server import identity
    from agent.timers import call_of
    from agent.timers.foreground import Foreground

    try:
        settings = load(context)
        known = identity.load(settings)
        last = {}
        for plan in settings.plans:
            before = PlanState(settings.state_dir, plan.name).load(known.agent_id).last or {}
            began = before.get("started_at")
            last[plan.name] = datetime.fromisoformat(began) if began else None
    except AgentError as error:
        end(error)
    argv = {plan.name: call_of(settings, plan).argv for plan in settings.plans}
    Foreground(settings.plans, argv, last, click.echo).run()


def install_timer(settings: Config, plan: Plan, wanted: str | None = None) -> None:
    """Let the machine start a plan by itself; wanted: by what, else by what is usual here."""
    from agent.timers import installed

    by = installed.install(settings, plan, wanted or installed.kind_here())
    click.echo(f"{plan.name}: started by itself from now on, by {by}.")


def _remove(settings: Config, plan: Plan) -> None:
    from agent.timers import installed

    for each in installed.remove(settings, plan) or ["nothing, as nothing of ours was there"]:
        click.echo(f"Taken away: {each}.")


def _show(files: dict[str, str], output: Path | None) -> None:
    from agent.timers import installed

    if output is None:
        for name, text in files.items():
            click.echo(f"# {name}" if len(files) > 1 else "", nl=len(files) > 1)
            click.echo(text, nl=len(files) > 1)
        return
    installed.write(files, output)
    for name in files:
        click.echo(f"Written to {output / name}.")
    for name in files:
        if name.endswith(".timer"):
            click.echo(
                f"Now: cp {output}/{name.removesuffix('.timer')}.* /etc/systemd/system/ && "
                f"systemctl daemon-reload && systemctl enable --now {name}"
            )


def _wanted(systemd: bool, cron: bool, windows: bool) -> str | None:
    wanted = [
        name
        for name, is_wanted in (("systemd", systemd), ("cron", cron), ("windows", windows))
        if is_wanted
    ]
    if len(wanted) > 1:
        raise UsageError(f"One at a time: {' and '.join('--' + name for name in wanted)}.")
    return wanted[0] if wanted else None


def _usual() -> str:
    from agent.platforms import SYSTEM

    return {"windows": "windows", "macos": "cron"}.get(SYSTEM, "systemd")


def _files(settings: Config, plan: Plan, kind: str) -> dict[str, str]:
    from agent.timers import call_of, cron, rhythm_of, systemd, windows

    call, rhythm, now = call_of(settings, plan), rhythm_of(plan), datetime.now(UTC)
    if kind == "systemd":
        return systemd.units(call, plan.schedule, rhythm, now)
    if kind == "cron":
        name = call.stem.replace(".", "_")
        return {name: cron.cron_file(call, plan.schedule, rhythm, None, now)}
    return {f"{call.stem}.xml": windows.task(call, rhythm, now.date())}
