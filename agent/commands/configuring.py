"""`config`: writes a configuration to begin with, and says what is wrong with one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from click.exceptions import Exit

from agent.commands.shell import app, configuration_file, end, json_option, print_table
from agent.telling import failures
from agent.telling.failures import AgentError, UsageError
from libs.shared.words.plain import count_text


@app.group(
    "config", help="Write a configuration to begin with, or check one.", no_args_is_help=True
)
def commands() -> None:
    pass


@commands.command()
@click.option(
    "--output", type=Path, metavar="FILE", help="Write it there, if nothing is there yet."
)
@click.option(
    "--server",
    metavar="URL",
    default="https://coffre.example",
    show_default=True,
    help="The address of the server.",
)
def generate(output: Path | None, server: str) -> None:
    """Print a valid configuration with every key explained."""
    from agent.config.example import First, example

    text = example(First(server))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        write_new(output, text)
    except FileExistsError:
        end(UsageError(f"{output} is there already and stays as it is. Name another file."))
    except OSError as error:
        end(UsageError(f"{output} can't be written: {error.strerror}."))
    click.echo(f"Written to {output}. Change what it says, then: coffre-agent config validate")


def write_new(file: Path, text: str) -> None:
    """Write a file that isn't there yet; FileExistsError, OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened:
        opened.write(text)


@commands.command()
@json_option
@click.pass_context
def validate(context: click.Context, as_json: bool) -> None:
    """Say all that is wrong with the configuration, and what may not be meant.

    Ends with 2 if something is wrong, with 3 if there are warnings.
    """
    from agent import config
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
            click.echo(f"{file} is valid: {count_text(len(settings.plans), 'plan')}.")
    is_wrong = any(finding.level == "wrong" for finding in findings)
    code = failures.USAGE if is_wrong else failures.WARNINGS if findings else failures.SUCCEEDED
    if as_json:
        for finding in findings:
            click.echo(json.dumps(finding.as_line()))
        click.echo(json.dumps({"message_type": "summary", "exit_code": code}))
    elif is_wrong:
        for finding in findings:
            click.echo(finding.sentence, err=True)
    elif findings:
        click.echo(f"{file} is valid.")
        rows = [(finding.plan or "", finding.subject, finding.sentence) for finding in findings]
        print_table(("plan", "what", "look at this"), rows)
    raise Exit(code)
