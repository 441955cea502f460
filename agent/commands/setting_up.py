"""`setup`: from a machine that has the agent to one whose first copy is made."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from agent.commands.shell import app, end
from agent.telling import failures
from agent.telling.failures import AgentError, NotAuthorised, UsageError

if TYPE_CHECKING:
    from agent.config import Config, Plan
    from agent.config.example import First

_HOUR = re.compile(r"([01]?\d|2[0-3])[:hH]([0-5]\d)")


@app.command("setup")
@click.option("--server", metavar="URL", help="The server's address.")
@click.option("--code", metavar="CODE", help="The one-time code you were given.")
@click.option("--portal", metavar="URL", help="The portal's address, for restores and updates.")
@click.option("--folder", "folders", metavar="DIR", multiple=True, help="What to copy; several.")
@click.option("--hour", metavar="HH:MM", help="When to copy each day.")
@click.option("--mail", "mails", metavar="E", multiple=True, help="Who gets the reports; several.")
@click.option("--plan", default="documents", show_default=True, help="The name of the plan.")
@click.pass_context
def set_up(
    context: click.Context,
    server: str | None,
    code: str | None,
    portal: str | None,
    folders: tuple[str, ...],
    hour: str | None,
    mails: tuple[str, ...],
    plan: str,
) -> None:
    """Set this machine up: configuration, enrolment, timer, check, first copy.

    What isn't given is asked for. What is there already stays as it is, so that it can be called
    again.
    """
    from agent import config
    from agent.commands import checking, copying

    try:
        file = _file(context)
        if file.exists():
            click.echo(f"{file} is there already and stays as it is.")
        else:
            _write(file, _first(server, portal, folders, hour, mails, plan))
        settings = config.load(file)
        _enrol(settings, server, code)
        started = [_start_by_itself(settings, each) for each in settings.plans]
    except AgentError as error:
        end(error, what_to_do="Ask your provider for a new code.")
    if checking.show(checking.look(settings, settings.plans)) == failures.FAILED:
        click.echo("\nCorrect what is WRONG, then call the same once more.", err=True)
        raise Exit(failures.FAILED)
    codes = [failures.SUCCEEDED if all(started) else failures.WARNINGS]
    context.find_root().obj = file
    for each in settings.plans:
        click.echo(f"\n{each.name}: the first copy")
        try:
            context.invoke(copying.run, plan=each.name)
        except Exit as ended:
            codes.append(ended.exit_code)
    raise Exit(next((each for each in codes if each not in {0, 3}), max(codes)))


def _file(context: click.Context) -> Path:
    from agent.platforms import places
    from agent.platforms.places import is_administrator, user_places

    own = places() if is_administrator() else user_places()
    return Path(context.obj or own.config_file)


def _first(
    server: str | None,
    portal: str | None,
    folders: tuple[str, ...],
    hour: str | None,
    mails: tuple[str, ...],
    plan: str,
) -> First:
    from agent.commands.enrolling import ask
    from agent.config.example import First

    server = server or ask("Address of the server", "--server URL")
    if not folders:
        told = ask("Folders to copy, separated by commas", "--folder DIR")
        folders = tuple(folder.strip() for folder in told.split(",") if folder.strip())
    hour = hour or ask("Hour of the daily copy", "--hour HH:MM", "02:15")
    if not mails:
        told = ask("Addresses for the reports (none: your administrators)", "--mail E", "")
        mails = tuple(filter(None, map(str.strip, told.split(","))))
    found = _HOUR.fullmatch(hour.strip())
    if found is None:
        raise UsageError(f"--hour {hour}: give hours and minutes, such as 02:15.")
    return First(
        server=server,
        portal=portal,
        plan=plan,
        folders=tuple(Path(folder).absolute().as_posix() for folder in folders),
        schedule=f"{int(found[2])} {int(found[1])} * * *",
        timezone=_timezone(),
        recipients=mails,
    )


def _timezone() -> str:
    """The machine's, where it has one of a place on earth; else that of most clients."""
    from zoneinfo import available_timezones

    name = os.environ.get("TZ") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    is_place = name in available_timezones() and "/" in name and not name.startswith("Etc/")
    return name if is_place else "Europe/Paris"


def _write(file: Path, first: First) -> None:
    from agent import config
    from agent.commands.configuring import write_new
    from agent.config.example import example

    text = example(first)
    try:
        write_new(file, text)
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror}.") from error
    try:
        config.load(file)
    except UsageError:
        # So that the same can be called again with what is right.
        file.unlink()
        raise
    minute, hour = first.schedule.split()[:2]
    when = f"{int(hour):02d}:{int(minute):02d} ({first.timezone})"
    click.echo(f"Written to {file}: {', '.join(first.folders or ())}, each day at {when}.")


def _enrol(settings: Config, server: str | None, code: str | None) -> None:
    from agent.commands.enrolling import enrol_machine
    from agent.server import identity

    try:
        known = identity.load(settings)
    except NotAuthorised:
        enrol_machine(settings, server or settings.server, code)
    else:
        click.echo(f"This machine is enrolled at {known.server} already.")


def _start_by_itself(settings: Config, plan: Plan) -> bool:
    from agent.commands import timing

    try:
        timing.install_timer(settings, plan)
    except UsageError as error:
        click.echo(f"{plan.name}: {error}", err=True)
        return False
    return True
