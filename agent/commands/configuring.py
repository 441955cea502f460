"""`config`: writes a configuration to begin with, and says what is wrong with one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from agent import config, failures
from agent.commands.shell import EPILOG, AsJson, app, configuration_file, end, print_table
from agent.failures import AgentError, UsageError

commands = typer.Typer(
    help="Write a configuration to begin with, or check one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(commands, name="config")


@commands.command(epilog=EPILOG)
def generate(
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it there, if nothing is there yet."),
    ] = None,
    server: Annotated[
        str, typer.Option(metavar="URL", help="The address of the server.")
    ] = "https://coffre.example",
) -> None:
    """Print a valid configuration with every key explained."""
    from agent.config.example import example

    text = example(server)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        _write_new(output, text)
    except FileExistsError:
        end(UsageError(f"{output} is there already and stays as it is. Name another file."))
    except OSError as error:
        end(UsageError(f"{output} can't be written: {error.strerror}."))
    typer.echo(f"Written to {output}. Change what it says, then: coffre-agent config validate")


def _write_new(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened:
        opened.write(text)


@commands.command(epilog=EPILOG)
def validate(context: typer.Context, as_json: AsJson = False) -> None:
    """Say all that is wrong with the configuration, and what may not be meant.

    Ends with 2 if something is wrong, with 3 if there are warnings.
    """
    from agent.checks import Finding, doubts

    try:
        file = configuration_file(context)
        settings = config.load(file)
    except config.ConfigurationWrong as error:
        findings = [Finding("wrong", "configuration", fault) for fault in error.faults]
    except AgentError as error:
        end(error)
    else:
        findings = list(doubts.doubts(settings))
        if not findings and not as_json:
            typer.echo(f"{file} is valid: {len(settings.plans)} plans.")
    is_wrong = any(finding.level == "wrong" for finding in findings)
    code = failures.USAGE if is_wrong else failures.WARNINGS if findings else failures.SUCCEEDED
    if as_json:
        for finding in findings:
            typer.echo(json.dumps(finding.as_line()))
        typer.echo(json.dumps({"message_type": "summary", "exit_code": code}))
    elif is_wrong:
        for finding in findings:
            typer.echo(finding.sentence, err=True)
    elif findings:
        typer.echo(f"{file} is valid.")
        rows = [(finding.plan or "", finding.subject, finding.sentence) for finding in findings]
        print_table(("plan", "what", "look at this"), rows)
    raise typer.Exit(code)
