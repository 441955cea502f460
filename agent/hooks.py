"""The technician's own programs around a run: before, after, and when it failed."""

from __future__ import annotations

import subprocess

from agent import config, processes
from agent.failures import AgentError
from agent.names import duration_text
from agent.processes import LastLines, ProgramMissing
from agent.telling import Teller
from agent.warned import RunWarning


class HookFailed(AgentError):
    """The program that must run before the copy did not end well, so nothing was copied."""

    code = "hook-failed"


class Hooks:
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
        if self._hooks.before and (fault := self._run("before", self._hooks.before)):
            raise HookFailed(f"Nothing was copied, for the hook before the copy failed: {fault}.")
        self._began = True

    def after(self, outcome: str) -> RunWarning | None:
        """Run the hook after the copy, once; a warning where it failed, which is told already."""
        if not self._began or self._ended:
            return None
        self._ended = True
        if not self._hooks.after:
            return None
        fault = self._run("after", self._hooks.after, COFFRE_OUTCOME=outcome)
        if fault is None:
            return None
        warning = RunWarning("hook-failed", f"The hook after the copy failed: {fault}.", fault)
        self._teller.say(warning.sentence, "warning", hook="after")
        return warning

    def on_error(self, reason_code: str, reason: str) -> None:
        """Run the hook of a failed run; its own failure is only told."""
        if not self._hooks.on_error:
            return
        fault = self._run(
            "on_error",
            self._hooks.on_error,
            COFFRE_OUTCOME="failed",
            COFFRE_REASON_CODE=reason_code,
            COFFRE_REASON=reason.replace("\0", ""),
        )
        if fault is not None:
            self._teller.say(f"The hook on error failed: {fault}.", "warning", hook="on_error")

    def _run(self, hook: str, argv: tuple[str, ...], **environ: str) -> str | None:
        """Run a hook to its end; why it failed. Its last lines go into the log."""
        self._teller.say(f"Hook {hook}: {argv[0]} begins.", "hook", hook=hook)
        environ = {**self._environ, **environ, "COFFRE_HOOK": hook}
        try:
            process = processes.start(argv, environ, stderr=subprocess.STDOUT)
        except ProgramMissing as error:
            return str(error)
        assert process.stdout is not None
        output = LastLines(process.stdout)
        try:
            status = process.wait(self._hooks.timeout_seconds)
            fault = f"{argv[0]} ended with status {status}" if status else None
        except subprocess.TimeoutExpired:
            took = duration_text(self._hooks.timeout_seconds)
            fault = f"{argv[0]} took longer than {took} and was stopped"
            processes.end(process)
        except BaseException:
            processes.end(process)
            raise
        for line in output.lines():
            self._teller.say(f"Hook {hook}: {line}", "hook", hook=hook)
        return fault
