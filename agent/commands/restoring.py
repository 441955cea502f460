"""`restore`: brings a plan back through the portal."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent import failures
from agent.commands.shell import EPILOG, AsJson, app
from agent.failures import AgentError
from agent.names import duration_text, size_text


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
    from agent import memory  # noqa: PLC0415 - the libraries cost start-up time
    from agent.connection import Connection  # noqa: PLC0415 - the same
    from agent.portal import Portal  # noqa: PLC0415 - the same
    from agent.restore.performing import Wish, restore_plan  # noqa: PLC0415 - the same
    from agent.results import Restored  # noqa: PLC0415 - the same
    from agent.telling import Teller  # noqa: PLC0415 - the same

    password = os.environ.get("COFFRE_PASSWORD") or _ask_password(email)
    memory.keep_small()
    with Teller(as_json, plan) as teller:
        try:
            connection = Connection(
                portal, ca_file=ca_file, patience_seconds=60, on_wait=teller.say
            )
            signed_in = Portal(connection)
            signed_in.sign_in(email, password, totp)
            wanted = None if path is None else os.fsencode(path).strip(b"/")
            wish = Wish(plan, run_number, None, wanted, to, overwrite, ca_file)
            result = restore_plan(signed_in, wish, teller)
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
