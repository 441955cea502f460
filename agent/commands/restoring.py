"""`restore`: brings a plan back through the portal, or tells what it could bring back."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from agent.commands.shell import EPILOG, app, end, json_option, print_table
from agent.telling import failures
from agent.telling.failures import AgentError, UsageError
from agent.telling.names import shown_absolute
from libs.shared.words.plain import count_text, duration_text, size_text

if TYPE_CHECKING:
    from agent.restore.performing import Wish
    from agent.server.portal import Portal
    from agent.telling.teller import Teller

PATIENCE_SECONDS = 60


@app.command(epilog=EPILOG)
@click.argument("plan", metavar="PLAN", help="The plan's name or id.")
@click.option("--portal", metavar="URL", required=True, help="The address of the portal.")
@click.option("--email", metavar="E", required=True, help="Who signs in at the portal.")
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
def restore(
    plan: str,
    portal: str,
    email: str,
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

    The password comes from COFFRE_PASSWORD, else it is asked for.
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
    # Taken out, so that no program that we start can have it from us.
    password = os.environ.pop("COFFRE_PASSWORD", "") or _ask_password(email)
    memory.keep_small()
    memory.collect_rarely()
    with Teller(as_json, plan) as teller:
        wanted = None if path is None else paths.wanted_path(path, SYSTEM)
        wish = Wish(plan, run_number, moment, wanted, to or Path(), overwrite, ca_file)
        try:
            connection = Connection(
                portal, ca_file=ca_file, patience_seconds=PATIENCE_SECONDS, on_wait=teller.say
            )
            with Portal(connection).signed_in(email, password) as signed_in:
                if only_list:
                    status = _list(signed_in, plan, as_json)
                elif dry_run:
                    status = _preview(signed_in, wish, teller)
                else:
                    status = _restore(signed_in, wish, teller)
        except (AgentError, OSError) as error:
            status = _fail(error, plan, teller)
    raise Exit(status)


def _restore(portal: Portal, wish: Wish, teller: Teller) -> int:
    from agent.restore.performing import restore_plan

    result = restore_plan(portal, wish, teller)
    teller.stop()
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
    return result.exit_code


def _preview(portal: Portal, wish: Wish, teller: Teller) -> int:
    from agent.restore.preview import preview
    from libs.shared.words.explanations import say

    found = preview(portal, wish)
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
    return found.exit_code


def _list(portal: Portal, plan: str, as_json: bool) -> int:
    from agent.restore import points

    found = list(points.each(portal, plan))
    if as_json:
        for point in found:
            click.echo(json.dumps(point.as_line()))
        return failures.SUCCEEDED
    print_table(
        ("run", "ended", "outcome", "files", "size"),
        [
            (
                str(point.number),
                point.when,
                point.outcome.replace("_", " "),
                str(point.files),
                size_text(point.size_bytes),
            )
            for point in found
        ],
    )
    return failures.SUCCEEDED


def _local(iso: str | None) -> str:
    """A moment in the time of this machine."""
    return f"{datetime.fromisoformat(iso).astimezone():%Y-%m-%d %H:%M}" if iso else "?"


def _fail(error: AgentError | OSError, plan: str, teller: Teller) -> int:
    from agent.telling.results import Restored
    from libs.shared.reasons import Reason

    if isinstance(error, OSError):
        error = AgentError(Reason("restore-failed", detail=str(error)))
    failure = failures.final(error, "Check the e-mail address and the password.")
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
