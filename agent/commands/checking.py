"""`check`: is everything in order before the night?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from agent.commands.shell import EPILOG, app, configuration_file, json_option, print_table
from agent.telling.failures import AgentError

if TYPE_CHECKING:
    from agent.checks import Finding

WORDS = {"fine": "ok", "warning": "warning", "wrong": "WRONG"}


@app.command(epilog=EPILOG)
@click.argument("plan", metavar="[PLAN]", required=False, help="Only this plan, else all.")
@json_option
@click.pass_context
def check(context: click.Context, plan: str | None, as_json: bool) -> None:
    """Look whether the next run can succeed: server, clock, token, folders, programs, timer.

    Copies nothing, and changes nothing at the server.
    Ends with 1 if something would make a run fail, with 3 if there are warnings.
    """
    from agent.checks import exit_code_of

    findings = []
    for finding in _look(context, plan):
        findings.append(finding)
        if as_json:
            click.echo(json.dumps(finding.as_line()))
    code = exit_code_of(findings)
    if as_json:
        levels = [finding.level for finding in findings]
        counts = {"wrong": levels.count("wrong"), "warnings": levels.count("warning")}
        click.echo(json.dumps({"message_type": "summary", **counts, "exit_code": code}))
    else:
        print_table(
            ("", "plan", "what", "how it is"),
            [(WORDS[f.level], f.plan or "", f.subject, f.sentence) for f in findings],
        )
    raise Exit(code)


def _look(context: click.Context, only: str | None) -> Iterator[Finding]:
    from agent import config
    from agent.checks import Finding, doubts, machine, rhythm, server
    from agent.copying.state import PlanState
    from agent.server import identity

    try:
        file = configuration_file(context)
        settings = config.load(file)
        plans = settings.plans if only is None else (settings.plan(only),)
    except config.ConfigurationWrong as error:
        yield from (Finding("wrong", "configuration", fault) for fault in error.faults)
        return
    except AgentError as error:
        yield Finding("wrong", "configuration", str(error))
        return
    yield Finding("fine", "configuration", f"{file} is valid.")
    names = {None, *(plan.name for plan in plans)}
    yield from (doubt for doubt in doubts.doubts(settings) if doubt.plan in names)
    found, known = machine.check_token(settings)
    yield found
    yield from server.check_server(settings, known)
    yield machine.check_state_folder(settings)
    agent_id = known.agent_id if isinstance(known, identity.Identity) else ""
    for plan in plans:
        yield from machine.check_programs(plan)
        yield from machine.check_folders(settings, plan)
        remembered = PlanState(settings.state_dir, plan.name).load(agent_id)
        yield rhythm.check_rhythm(plan, remembered.last, datetime.now(UTC))
