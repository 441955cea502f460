"""`restore`: brings a plan back through the portal, or tells what it could bring back."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from agent.commands.shell import app, complete_plan, end, json_option, load, print_table
from agent.telling import failures
from agent.telling.failures import AgentError, Problem, UsageError
from agent.telling.moments import moment
from agent.telling.names import shown_absolute
from libs.shared.words.plain import count_text, duration_text, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.config import Config
    from agent.restore.performing import Wish
    from agent.server.portal import Portal
    from agent.telling.dropped import Dropped
    from agent.telling.teller import Teller

PATIENCE_SECONDS = 60


@app.command()
@click.argument("plan", shell_complete=complete_plan, metavar="PLAN", help="The plan's name or id.")
@click.option("--portal", metavar="URL", help="The portal's address; else the configuration's.")
@click.option("--email", metavar="E", help="Who signs in there; else as the configuration says.")
@click.option(
    "--to",
    type=Path,
    metavar="DIR",
    help="The folder to restore below; paths are kept, so /srv is DIR/srv.",
)
@click.option(
    "--run",
    "run_number",
    type=click.IntRange(min=1),
    metavar="N",
    help="The run to restore; else the last one.",
)
@click.option(
    "--at",
    metavar="DATE",
    help="The last restore point that is not later: 2026-11-22, 2026-11-22T02:14 or "
    "22/11/2026 02:14, in this machine's time.",
)
@click.option("--path", metavar="P", help="Only this file or folder, such as /srv/papers.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there and differ.")
@click.option("--dry-run", is_flag=True, help="Tell what would be restored, and write nothing.")
@click.option(
    "--list",
    "only_list",
    is_flag=True,
    help="List the plan's restore points, and restore nothing.",
)
@click.option(
    "--ca-file",
    type=Path,
    metavar="FILE",
    help="Certificates to trust, for a private authority.",
)
@json_option
@click.pass_context
def restore(
    context: click.Context,
    plan: str,
    portal: str | None,
    email: str | None,
    to: Path | None,
    run_number: int | None,
    at: str | None,
    path: str | None,
    overwrite: bool,
    dry_run: bool,
    only_list: bool,
    ca_file: Path | None,
    as_json: bool,
) -> None:
    """Bring a plan back, as it was at one of its runs.

    The password comes from COFFRE_PASSWORD, else it is asked for; where the account has a second
    factor, its code comes from COFFRE_CODE, else it is asked for too.
    A restore that was cut can be repeated: what is there already is not fetched again.
    """
    from agent.platforms import SYSTEM, memory, paths
    from agent.restore import points
    from agent.restore.performing import Wish
    from agent.server.connection import Connection
    from agent.server.portal import Portal
    from agent.telling.teller import Teller

    if run_number is not None and at is not None:
        end(UsageError("--run and --at both name a restore point: give one of them."))
    if to is None and not only_list:
        end(UsageError("--to DIR says where to restore to; --list needs none."))
    try:
        moment = None if at is None else points.last_moment(at)
    except UsageError as error:
        end(error)
    settings = _settings(context)
    portal, email = _asked(settings, portal, email)
    proxy = None
    if settings is not None:
        proxy, ca_file = settings.proxy, ca_file or settings.ca_file
    # Taken out, so that no program that we start can have it from us.
    password = os.environ.pop("COFFRE_PASSWORD", "") or _ask_password(email)
    code = os.environ.pop("COFFRE_CODE", "")
    memory.keep_small()
    memory.collect_rarely()
    with Teller(as_json, plan) as teller:
        wanted = None if path is None else paths.wanted_path(path, SYSTEM)
        wish = Wish(plan, run_number, moment, wanted, to or Path(), overwrite, ca_file, proxy)
        try:
            connection = Connection(
                portal,
                ca_file=ca_file,
                proxy=proxy,
                patience_seconds=PATIENCE_SECONDS,
                on_wait=teller.say,
            )
            # Seconds may pass before there is anything to show.
            teller.follow(lambda: (f"signing in at {connection.url}", 0, None))
            ask_code = partial(_ask_code, teller, code)
            with Portal(connection).signed_in(email, password, ask_code) as signed_in:
                try:
                    if only_list:
                        status = _list(signed_in, plan, teller)
                    elif dry_run:
                        status = _preview(signed_in, wish, teller)
                    else:
                        status = _restore(signed_in, wish, teller)
                except Problem as problem:
                    raise _with_a_hint(problem, signed_in, plan) from problem
        except (AgentError, OSError) as error:
            status = _fail(error, plan, portal, teller)
    raise Exit(status)


def _settings(context: click.Context) -> Config | None:
    """The configuration, if there is a good one: a restore needs none."""
    try:
        return load(context)
    except AgentError:
        return None


def _asked(settings: Config | None, portal: str | None, email: str | None) -> tuple[str, str]:
    """Who is asked, and who asks, where the command line doesn't say."""
    portal = portal or (settings.portal if settings is not None else None)
    email = email or (settings.email if settings is not None else None)
    if portal is None or email is None:
        end(
            UsageError("Give --portal URL and --email E, or portal and email in the configuration.")
        )
    return portal, email


def _restore(portal: Portal, wish: Wish, teller: Teller) -> int:
    from agent.restore.performing import restore_plan

    result = restore_plan(portal, wish, teller)
    teller.stop()
    if isinstance(result.failure, Problem):
        result.failure = _with_a_hint(result.failure, portal, wish.plan)
    if teller.as_json:
        teller.emit(result.as_summary(wish.plan))
    elif result.failure is not None:
        click.echo(f"{wish.plan}: not restored. {result.failure}", err=True)
    else:
        click.echo(
            f"{wish.plan}: run {result.run} of {_local(result.run_at)} restored below {wish.to} in "
            f"{duration_text(result.duration_seconds)}. {count_text(result.files, 'file')}, "
            f"{size_text(result.bytes_written)}; {result.files_already_there} were there already, "
            f"{len(result.not_restored)} not restored."
            + (
                " Contents of those that were there were not compared: --overwrite does."
                if result.files_already_there and not wish.overwrite
                else ""
            )
            + (f" {result.renamed} have another name here." if result.renamed else "")
        )
        _tell_dropped(result.dropped)
    return result.exit_code


def _preview(portal: Portal, wish: Wish, teller: Teller) -> int:
    from agent.restore.preview import preview
    from libs.shared.words.explanations import say

    found = preview(portal, wish)
    teller.stop()
    if teller.as_json:
        teller.emit(found.as_summary(wish.plan))
        return found.exit_code
    for refused, reason in list(found.refused.items())[:1000]:
        click.echo(f"{shown_absolute(refused)}: {say(reason)}")
    click.echo(
        f"{wish.plan}: run {found.run} of {_local(found.run_at)} would be restored below {wish.to}."
        f" {count_text(found.files, 'file')}, {size_text(found.size_bytes)}, "
        f"{count_text(found.folders, 'folder')} and "
        f"{count_text(found.symlinks, 'symlink')} would be written; "
        f"{count_text(found.files_already_there, 'file')} already there, "
        f"{found.replaced} things that differ would be replaced, "
        f"{len(found.refused)} would stay as they are."
        + (f" {found.renamed} would have another name here." if found.renamed else "")
    )
    _tell_dropped(found.dropped)
    return found.exit_code


def _tell_dropped(dropped: Iterable[Dropped]) -> None:
    for one in dropped:
        click.echo(f"It comes without a folder: {one}")


def _with_a_hint(problem: Problem, portal: Portal, plan: str) -> AgentError:
    """What there is, where what was asked for is not."""
    from agent.restore import points

    if problem.status != 404:
        return problem
    names = portal.plans()
    if plan not in {text for name in names for text in name}:
        known = ", ".join(sorted(name for name, _ in names)) or "none"
        return AgentError(problem.reason, f"There is no such plan. Plans there: {known}.")
    oldest = None
    for oldest in points.each(portal, plan):  # noqa: B007 - the last one is wanted
        pass
    if oldest is None:
        return AgentError(problem.reason, "This plan has no restore point yet.")
    told = f"The oldest restore point is run {oldest.number}, {moment(oldest.finished_at)}."
    return AgentError(problem.reason, f"{problem.detail} {told}")


def _list(portal: Portal, plan: str, teller: Teller) -> int:
    from agent.restore import points

    found = list(points.each(portal, plan))
    dropped = portal.dropped(plan)
    teller.stop()
    if teller.as_json:
        for point in found:
            without = [one.as_dict() for one in dropped if one.concerns(point.number, None)]
            click.echo(json.dumps({**point.as_line(), "dropped": without}))
        return failures.SUCCEEDED
    print_table(
        ("run", f"ended ({datetime.now().astimezone():%Z})", "outcome", "files", "size"),
        [
            (
                str(point.number),
                moment(point.finished_at),
                point.outcome.replace("_", " "),
                str(point.files),
                size_text(point.size_bytes),
            )
            for point in found
        ],
    )
    for one in dropped:
        click.echo(f"Up to run {one.through_run} they come without a folder: {one}")
    return failures.SUCCEEDED


def _local(iso: str | None) -> str:
    """A moment in the time of this machine."""
    return moment(datetime.fromisoformat(iso)) if iso else "?"


def _fail(error: AgentError | OSError, plan: str, portal: str, teller: Teller) -> int:
    from agent.telling.results import Restored
    from libs.shared.reasons import Reason

    if isinstance(error, OSError):
        error = AgentError(Reason("restore-failed", detail=str(error)))
    failure = failures.final(error, "Check the e-mail address and the password.")
    if isinstance(error, Problem) and error.code == "password-change-required":
        sentence = f"This is a one-time password. Choose your own first: {portal}/sign-in"
        failure = AgentError(error.reason, sentence)
    result = Restored(failure=failure, exit_code=failure.exit_code)
    if teller.as_json:
        teller.emit(result.as_summary(plan))
    else:
        click.echo(f"{plan}: not restored. {failure}", err=True)
    return failure.exit_code


def _ask_password(email: str) -> str:
    if not sys.stdin.isatty():
        click.echo("coffre-agent: set COFFRE_PASSWORD, or run this at a terminal.", err=True)
        raise Exit(failures.USAGE)
    return str(click.prompt(f"Password of {email}", hide_input=True, err=True))


def _ask_code(teller: Teller, given: str) -> str:
    if given:
        return given
    teller.pause()
    if not sys.stdin.isatty():
        click.echo("coffre-agent: set COFFRE_CODE, or run this at a terminal.", err=True)
        raise Exit(failures.USAGE)
    return str(click.prompt("Code of your app, or a recovery code", err=True))
