"""`timer`: what starts a plan by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.commands.shell import EPILOG, app, end, load
from agent.telling.failures import AgentError, UsageError

if TYPE_CHECKING:
    from agent.config import Config, Plan

MARK = "Written by `coffre-agent timer`"


@app.command(epilog=EPILOG)
@click.argument("plan", metavar="PLAN", help="The plan to start by itself.")
@click.option("--systemd", is_flag=True, help="A service and a timer.")
@click.option("--cron", is_flag=True, help="A file for /etc/cron.d.")
@click.option("--windows", is_flag=True, help="A task for schtasks.")
@click.option("--output", type=Path, metavar="DIR", help="Write the files there; else print them.")
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
    due: int | None,
) -> None:
    """Print what starts a plan by its schedule: systemd units, a cron file or a Windows task.

    Nothing is installed: look at it, then put it where it belongs.
    """
    try:
        settings = load(context)
        if due is not None:
            from agent.timers.changes import is_due

            context.exit(0 if is_due(settings.plan(plan), datetime.now(UTC), due) else 1)
        files = _files(settings, settings.plan(plan), _kind(systemd, cron, windows))
        if output is not None:
            _write(files, output)
    except AgentError as error:
        end(error)
    if output is None:
        for name, text in files.items():
            click.echo(f"# {name}" if len(files) > 1 else "", nl=len(files) > 1)
            click.echo(text, nl=len(files) > 1)
        return
    for name in files:
        click.echo(f"Written to {output / name}.")
    for name in files:
        if name.endswith(".timer"):
            click.echo(
                f"Now: cp {output}/{name.removesuffix('.timer')}.* /etc/systemd/system/ && "
                f"systemctl daemon-reload && systemctl enable --now {name}"
            )


def _kind(systemd: bool, cron: bool, windows: bool) -> str:
    from agent.platforms import SYSTEM

    wanted = [
        name
        for name, is_wanted in (("systemd", systemd), ("cron", cron), ("windows", windows))
        if is_wanted
    ]
    if len(wanted) > 1:
        raise UsageError(f"One at a time: {' and '.join('--' + name for name in wanted)}.")
    if wanted:
        return wanted[0]
    if SYSTEM == "windows":
        return "windows"
    return "cron" if SYSTEM == "macos" else "systemd"


def _files(settings: Config, plan: Plan, kind: str) -> dict[str, str]:
    from agent.timers import call_of, cron, rhythm_of, systemd, windows

    call, rhythm, now = call_of(settings, plan), rhythm_of(plan), datetime.now(UTC)
    if kind == "systemd":
        return systemd.units(call, plan.schedule, rhythm, now)
    if kind == "cron":
        name = call.stem.replace(".", "_")
        return {name: cron.cron_file(call, plan.schedule, rhythm, None, now)}
    return {f"{call.stem}.xml": windows.task(call, rhythm, now.date())}


def _write(files: dict[str, str], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            file = folder / name
            encoding = "utf-16" if name.endswith(".xml") else "utf-8"
            if file.exists() and MARK not in file.read_text(encoding)[:200]:
                raise UsageError(f"{file} is there already and is not ours: it stays as it is.")
            file.write_text(text, encoding)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"Nothing could be written to {folder}: {error}.") from error
