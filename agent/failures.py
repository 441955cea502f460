"""What can end a command early, each with the exit code that it has."""

from __future__ import annotations

from typing import Any

from libs.shared.protocol import ProtocolVersion

SUCCEEDED = 0
FAILED = 1
USAGE = 2
WARNINGS = 3
GROWTH_BLOCKED = 20
NOT_AUTHORISED = 21
UNREACHABLE = 22
ALREADY_RUNNING = 23
INTERRUPTED = 24

ENROL_FIRST = (
    "Ask your provider for an enrolment code, then run: "
    "coffre-agent --config FILE enrol --server URL --code CODE"
)


class AgentError(Exception):
    """A sentence that says what went wrong and what to do; ends the command with `exit_code`."""

    exit_code = FAILED
    code = "failed"


class UsageError(AgentError):
    """The command line or the configuration is wrong."""

    exit_code = USAGE
    code = "usage"


class NotAuthorised(AgentError):
    """The server does not accept our token or sign-in."""

    exit_code = NOT_AUTHORISED
    code = "not-authorised"


class GrowthBlocked(AgentError):
    """The contracted volume is used up and growth is blocked."""

    exit_code = GROWTH_BLOCKED
    code = "growth-blocked"


class Unreachable(AgentError):
    """The server did not answer within our patience."""

    exit_code = UNREACHABLE
    code = "server-unreachable"


class FolderMissing(AgentError):
    """A folder that the plan promises to copy is gone or can't be read."""

    code = "folder-missing"


class StateUnusable(AgentError):
    """The state folder can't be written, and without it nothing can be compared."""

    code = "state-unusable"


class Interrupted(AgentError):
    """Somebody asked us to stop."""

    exit_code = INTERRUPTED
    code = "interrupted"


class AlreadyRunning(AgentError):
    """Another run of the same plan holds the lock."""

    exit_code = ALREADY_RUNNING
    code = "already-running"


class Problem(AgentError):
    """An answer that is no success: RFC 9457 members, or what could be made of it."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("type", "")).rpartition(":")[2] or f"http-{status}"
        self.detail = str(document.get("detail") or document.get("title") or f"HTTP {status}")
        self.document = document
        super().__init__(self.detail)
        if self.code == ProtocolVersion.code:
            # No try of ours will be taken until somebody installs another agent.
            self.exit_code = USAGE


def final(error: AgentError, if_unauthorised: str) -> AgentError:
    """The failure that an error ends a command with: refusals that have their own exit code.

    if_unauthorised: the sentence that says what to do about a 401.
    """
    if isinstance(error, Problem) and error.status == 401:
        return NotAuthorised(f"{error.detail} {if_unauthorised}")
    if isinstance(error, Problem) and error.code == "growth-blocked":
        return GrowthBlocked(error.detail)
    return error
