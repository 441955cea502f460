"""The technician's own programs around a run."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from agent import config
from agent.programs.hooks import HookFailed, RunHooks
from agent.telling.failures import AgentError
from agent.telling.teller import Teller
from libs.shared.reasons import Reason

NOTE = (
    "import json, os, sys; open(sys.argv[1], 'a').write(json.dumps("
    "{k: v for k, v in os.environ.items() if k.startswith('COFFRE_') and 'TEST' not in k})"
    " + '\\n'); print('noted')"
)


def noting(tmp_path: Path) -> tuple[str, ...]:
    """A hook that notes what it was told."""
    return (sys.executable, "-c", NOTE, str(tmp_path / "notes"))


def script(text: str) -> tuple[str, ...]:
    """A hook of a few words."""
    return (sys.executable, "-c", text)


def notes(tmp_path: Path) -> list[dict[str, str]]:
    """What the hooks were told."""
    file = tmp_path / "notes"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def teller() -> Teller:
    """What is told of the run."""
    return Teller(as_json=False, title="")


def test_each_hook_runs_once_and_knows_what_it_is_about(tmp_path: Path, teller: Teller) -> None:
    argv = noting(tmp_path)
    hooks = RunHooks(config.Hooks(argv, argv, argv, 10), "papers", teller)
    hooks.about("a-run", 7)
    hooks.before()
    hooks.before()
    assert hooks.after("succeeded") is None
    assert hooks.after("failed") is None
    assert hooks.on_error(AgentError(Reason("dump-failed", "books", 1))) is None
    every = {"COFFRE_PLAN": "papers", "COFFRE_RUN": "a-run", "COFFRE_RUN_NUMBER": "7"}
    assert notes(tmp_path) == [
        {**every, "COFFRE_HOOK": "before", "COFFRE_OUTCOME": ""},
        {**every, "COFFRE_HOOK": "after", "COFFRE_OUTCOME": "succeeded"},
        {
            **every,
            "COFFRE_HOOK": "on_error",
            "COFFRE_OUTCOME": "failed",
            "COFFRE_REASON_CODE": "dump-failed",
            "COFFRE_REASON": "Databases without a good dump: books. All else was backed up."
            " See above why. The last good dump of each is kept.",
        },
    ]
    assert teller.log_tail().count("Hook after: noted") == 1


@pytest.mark.parametrize(
    ("argv", "limit", "how", "why"),
    [
        (script("import sys; print('no disk'); sys.exit(3)"), 60, "failed", "ended with status 3"),
        (script("import time; time.sleep(60)"), 0.5, "timed-out", "took longer than 1.0 s and was"),
        (("no-such-program",), 60, "not-started", "no-such-program can't be started: No such file"),
    ],
)
def test_a_hook_that_fails_before_the_copy_stops_it_and_after_it_warns(
    tmp_path: Path, teller: Teller, argv: tuple[str, ...], limit: float, how: str, why: str
) -> None:
    began = time.monotonic()
    hooks = RunHooks(config.Hooks(argv, noting(tmp_path), (), limit), "papers", teller)
    with pytest.raises(HookFailed) as failed:
        hooks.before()
    assert failed.value.reason.code == f"hook-{how}"
    assert why in str(failed.value)
    assert hooks.after("failed") is None
    assert notes(tmp_path) == [], "what was not begun is not ended"
    late = RunHooks(config.Hooks((), argv, argv, limit), "papers", teller)
    late.before()
    warning = late.after("succeeded")
    assert warning is not None
    assert (warning.code, warning.subject) == (f"after-hook-{how}", argv[0])
    assert f"The program to run after the backup failed: {argv[0]}" in teller.log_tail()
    warning = late.on_error(AgentError(Reason("incomplete")))
    assert warning is not None
    assert warning.code == f"error-hook-{how}"
    assert teller.log_tail().count(why) == 2
    assert time.monotonic() - began < 50, "none of them was waited for"
    assert ("no disk" in teller.log_tail()) == ("status" in why)


def test_a_hook_may_leave_a_service_running(tmp_path: Path, teller: Teller) -> None:
    start = (
        "import subprocess, sys; print('up', flush=True);"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)']);"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))"
    )
    hooks = RunHooks(config.Hooks(before=script(start), timeout_seconds=200), "papers", teller)
    began = time.monotonic()
    hooks.before()
    assert time.monotonic() - began < 50, "it holds the output open, and nobody waits for it"
    assert "Hook before: up" in teller.log_tail()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # it is there
