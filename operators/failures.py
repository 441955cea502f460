"""What ends a command early, each with its exit code: those of coffre-agent."""

from __future__ import annotations

from typing import Any

FAILED = 1
USAGE = 2
NOT_AUTHORISED = 21
UNREACHABLE = 22

SIGN_IN = "Sign in with `coffre login`, or set COFFRE_TOKEN."


class Failure(Exception):
    """Ends the command with `exit_code`; its text is the sentence that says why."""

    exit_code = FAILED


class UsageError(Failure):
    """The command line, a file or the environment is wrong; says how to put it right."""

    exit_code = USAGE


class NotAuthorised(Failure):
    """The portal doesn't accept our token or sign-in."""

    exit_code = NOT_AUTHORISED


class Unreachable(Failure):
    """The portal didn't answer, or somebody else did."""

    exit_code = UNREACHABLE


def refusal(status: int, problem: dict[str, Any]) -> Failure:
    """What an answer that is no success ends the command with; its sentence is the portal's."""
    said = str(problem.get("detail") or problem.get("title") or f"The portal answered {status}.")
    if status == 401:
        return NotAuthorised(f"{said} {SIGN_IN}")
    if status == 403:
        return NotAuthorised(said)
    if status in {502, 503, 504}:
        return Unreachable(said)
    return Failure(said)
