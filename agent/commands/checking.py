"""`check`: is everything in order before the night?"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from agent.commands.shell import app, complete_plan, configuration_file, json_option, print_wrapped
from agent.telling.failures import AgentError

if TYPE_CHECKING:
    from agent.checks import Finding
    from agent.config import Config, Plan

WORDS = {"fine": "ok", "warning": "warning", "wrong": "WRONG"}


@app.command()
@click.argument(
    "plan",
    shell_complete=complete_plan,
    metavar="[PLAN]",
    required=False,
    help="Only this plan, else all.",
)
@json_option
@click.pass_context
def check(context: click.Context, plan: str | None, as_json: bool) -> None:
    """Look whether the next run can succeed: server, clock, token, folders, programs, timer.

    Copies nothing, and changes nothing at the server.
    Ends with 1 if something would make a run fail, with 3 if there are warnings.
    """
    raise Exit(show(_look(context, plan), as_json))


def show(findings: Iterable[Finding], as_json: bool = False) -> int:
    """Tell what was found, as it is found; gives the exit code."""
    from agent.checks import exit_code_of

    told: list[Finding] = []
    for finding in findings:
        if as_json:
            click.echo(json.dumps(finding.as_line()))
        else:
            if finding.plan is not None and (not told or told[-1].plan != finding.plan):
                click.echo(f"\n{finding.plan}")
            print_wrapped(f"{WORDS[finding.level]:<8} {finding.subject}  ", finding.sentence)
        told.append(finding)
    code = exit_code_of(told)
    if as_json:
        levels = [finding.level for finding in told]
        counts = {"wrong": levels.count("wrong"), "warnings": levels.count("warning")}
        click.echo(json.dumps({"message_type": "summary", **counts, "exit_code": code}))
    return code


def look(settings: Config, plans: Iterable[Plan]) -> Iterator[Finding]:
    """All that is looked at, the machine's first, then plan by plan."""
    from agent.checks import doubts, machine, rhythm, server
    from agent.copying.state import PlanState
    from agent.server import identity

    plans = list(plans)
    found, known = machine.check_token(settings)
    yield found
    yield from server.check_server(settings, known)
    yield machine.check_state_folder(settings)
    doubtful = list(doubts.doubts(settings))
    yield from (doubt for doubt in doubtful if doubt.plan is None)
    agent_id = known.agent_id if isinstance(known, identity.Identity) else ""
    for plan in plans:
        yield from (doubt for doubt in doubtful if doubt.plan == plan.name)
        yield from machine.check_programs(plan)
        yield from machine.check_folders(settings, plan)
        remembered = PlanState(settings.state_dir, plan.name).load(agent_id)
        yield rhythm.check_rhythm(plan, remembered.last, datetime.now(UTC))
        yield _timer(settings, plan)


def _timer(settings: Config, plan: Plan) -> Finding:
    from agent.checks import Finding
    from agent.timers import installed

    starter = installed.starter_of(settings, plan)
    if starter is not None:
        return Finding("fine", "timer", f"{starter} starts it.", plan.name)
    call = f"coffre-agent timer {shlex.join([plan.name])} --install"
    return Finding("warning", "timer", f"No timer starts this plan: {call}", plan.name)


def _look(context: click.Context, only: str | None) -> Iterator[Finding]:
    from agent import config
    from agent.checks import Finding

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
    yield from look(settings, plans)
