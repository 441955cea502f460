"""What can end a command early, each with the exit code that it has."""

from __future__ import annotations

from typing import Any

from libs.shared import reasons
from libs.shared.protocol import ProtocolVersion
from libs.shared.reasons import Reason

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
    """Ends the command with `exit_code`, and tells why.

    sentence: what to say where the reason's own explanation is not enough.
    """

    exit_code = FAILED

    def __init__(self, reason: Reason, sentence: str = "") -> None:
        super().__init__(reason, sentence)
        self.reason = reason
        self._sentence = sentence

    def __str__(self) -> str:
        from agent.telling import sentences  # noqa: PLC0415 - costs start-up time, and most commands end well

        return self._sentence or sentences.in_full(self.reason)


class UsageError(AgentError):
    """The command line or the configuration is wrong; says how to put it right."""

    exit_code = USAGE

    def __init__(self, sentence: str) -> None:
        super().__init__(Reason("usage"), sentence)


class NotAuthorised(AgentError):
    """The server does not accept our token or sign-in; says what to do.

    detail: what the server said.
    """

    exit_code = NOT_AUTHORISED

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(Reason("not-authorised", detail=detail), sentence)


class GrowthBlocked(AgentError):
    """The contracted volume is used up and growth is blocked."""

    exit_code = GROWTH_BLOCKED


class Unreachable(AgentError):
    """The server did not answer within our patience."""

    exit_code = UNREACHABLE


class StateUnusable(AgentError):
    """What must be remembered of the last run can't be had, and without it nothing is compared."""


class Interrupted(AgentError):
    """Somebody asked us to stop."""

    exit_code = INTERRUPTED


class AlreadyRunning(AgentError):
    """Another run of the same plan, or a restore into the same folder, holds the lock."""

    exit_code = ALREADY_RUNNING


class Problem(AgentError):
    """An answer that is no success: RFC 9457 members, or what could be made of it.

    A refusal that can end a run brings its reason with it.
    """

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("type", "")).rpartition(":")[2] or f"http-{status}"
        self.detail = str(document.get("detail") or document.get("title") or f"HTTP {status}")
        self.document = document
        told = reasons.read(document.get("reason"))
        if told is not None and told.code == self.code:
            super().__init__(told)
        else:
            reason = Reason("server-refused", self.code, status, detail=self.detail)
            super().__init__(reason, self.detail)
        if self.code == ProtocolVersion.code:
            # No try of ours will be taken until somebody installs another agent.
            self.exit_code = USAGE


def final(error: AgentError, if_unauthorised: str) -> AgentError:
    """The failure that an error ends a command with: refusals that have their own exit code.

    if_unauthorised: the sentence that says what to do about a 401.
    """
    if isinstance(error, Problem) and error.status == 401:
        return NotAuthorised(f"{error.detail} {if_unauthorised}", error.detail)
    if isinstance(error, Problem) and error.reason.code == "growth-blocked":
        return GrowthBlocked(error.reason)
    return error
