"""The technician's own programs around a run: before, after, and when it failed."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from typing import NamedTuple

from agent import config
from agent.programs import processes
from agent.programs.processes import LastLines, ProgramMissing
from agent.telling.failures import AgentError
from agent.telling.teller import Teller
from libs.shared.reasons import Reason
from libs.shared.words.explanations import say


class _Faults(NamedTuple):
    """What is said of a hook that ended badly, took too long, or could not be started."""

    failed: Reason
    timed_out: Reason
    not_started: Reason


_BEFORE = _Faults(Reason("hook-failed"), Reason("hook-timed-out"), Reason("hook-not-started"))
_AFTER = _Faults(
    Reason("after-hook-failed"), Reason("after-hook-timed-out"), Reason("after-hook-not-started")
)
_ON_ERROR = _Faults(
    Reason("error-hook-failed"), Reason("error-hook-timed-out"), Reason("error-hook-not-started")
)


class HookFailed(AgentError):
    """The program that must run before the copy did not end well, so nothing was copied."""


class RunHooks:
    """The hooks of one run; each runs once at most.

    `after` runs wherever `before` did its work, however the run ends:
    what was stopped before can be started again.
    """

    def __init__(self, hooks: config.Hooks, plan: str, teller: Teller) -> None:
        self._hooks = hooks
        self._teller = teller
        self._environ = {"COFFRE_PLAN": plan, "COFFRE_OUTCOME": ""}
        self._began = False
        self._ended = False

    def about(self, run_id: str, number: int) -> None:
        """Tell the hooks from now on which run it is."""
        self._environ |= {"COFFRE_RUN": run_id, "COFFRE_RUN_NUMBER": str(number)}

    def before(self) -> None:
        """Run the first hook; HookFailed where it does not end well."""
        if self._began:
            return
        if self._hooks.before and (fault := self._run("before", self._hooks.before, _BEFORE)):
            raise HookFailed(fault)
        self._began = True

    def after(self, outcome: str) -> Reason | None:
        """Run the hook after the copy, once; a warning where it failed, which is told already."""
        if not self._began or self._ended:
            return None
        self._ended = True
        if not self._hooks.after:
            return None
        fault = self._run("after", self._hooks.after, _AFTER, COFFRE_OUTCOME=outcome)
        return self._told(fault, "after")

    def on_error(self, failure: AgentError) -> Reason | None:
        """Run the hook of a failed run; a warning where it failed itself, told already."""
        if not self._hooks.on_error:
            return None
        fault = self._run(
            "on_error",
            self._hooks.on_error,
            _ON_ERROR,
            COFFRE_OUTCOME="failed",
            COFFRE_REASON_CODE=failure.reason.code,
            COFFRE_REASON=str(failure).replace("\0", ""),
        )
        return self._told(fault, "on_error")

    def _told(self, fault: Reason | None, hook: str) -> Reason | None:
        if fault is not None:
            self._teller.say(say(fault), "warning", hook=hook)
        return fault

    def _run(
        self, hook: str, argv: tuple[str, ...], faults: _Faults, **environ: str
    ) -> Reason | None:
        """Run a hook to its end; why it failed. Its last lines go into the log."""
        self._teller.say(f"Hook {hook}: {argv[0]} begins.", "hook", hook=hook)
        environ = {**self._environ, **environ, "COFFRE_HOOK": hook}
        try:
            process = processes.start(argv, environ, stderr=subprocess.STDOUT)
        except ProgramMissing as error:
            return replace(faults.not_started, subject=error.program, detail=error.words)
        assert process.stdout is not None
        output = LastLines(process.stdout)
        try:
            status = process.wait(self._hooks.timeout_seconds)
            fault = replace(faults.failed, subject=argv[0], amount=status) if status else None
        except subprocess.TimeoutExpired:
            limit = math.ceil(self._hooks.timeout_seconds)
            fault = replace(faults.timed_out, subject=argv[0], limit=limit)
            processes.end(process)
        except BaseException:
            processes.end(process)
            raise
        for line in output.lines():
            self._teller.say(f"Hook {hook}: {line}", "hook", hook=hook)
        return fault
