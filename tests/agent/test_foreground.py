"""`coffre-agent loop`: plans started by their schedule where nothing else starts them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.timers.foreground import next_due
from tests.world.machines import ROOT, Machine
from tests.world.waiting import wait_for


@pytest.mark.parametrize(
    ("after", "due"),
    [
        ("2027-03-27T01:30:00+00:00", "2027-03-28T01:00:00+00:00"),  # the hour that is skipped
        ("2027-10-30T02:00:00+00:00", "2027-10-31T00:00:00+00:00"),  # that comes twice: the first
        ("2027-10-31T00:00:00+00:00", "2027-11-01T01:00:00+00:00"),  # and not the second
    ],
)
def test_a_plan_is_due_once_in_each_night(after: str, due: str) -> None:
    plan: Any = SimpleNamespace(schedule="0 2 * * *", timezone="Europe/Paris")
    assert next_due(plan, datetime.fromisoformat(after)) == datetime.fromisoformat(due)


def test_a_loop_makes_the_first_run_and_ends_in_good_order(machine: Machine) -> None:
    def last_run() -> Any:
        return json.loads(machine.agent("status", "--json").stdout)["last_run"]

    with _loop(machine) as loop:
        assert loop.stdout is not None
        said = next(line for line in loop.stdout if "ended with" in line)
        loop.send_signal(signal.SIGTERM)
        assert loop.wait(60) == 0
    assert "papers: ended with status 0; next at" in said
    first = last_run()
    assert first["outcome"] == "succeeded"

    with _loop(machine) as loop:  # nothing was due since: it waits
        wait_for("its readiness for a signal", lambda: _minds(loop.pid, signal.SIGTERM))
        with pytest.raises(subprocess.TimeoutExpired):
            loop.wait(1)
        loop.send_signal(signal.SIGTERM)
        assert loop.wait(60) == 0
    assert last_run() == first


def test_a_loop_says_what_is_wrong_with_its_configuration(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"papers": {"folders": ["/nowhere"]}}, "http://127.0.0.1:1")
    ended = machine.agent("loop")
    assert ended.returncode == 21, ended
    assert "enrol" in ended.stderr


def _loop(machine: Machine) -> subprocess.Popen[str]:
    return subprocess.Popen(
        machine.command("loop"),
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


def _minds(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    [caught] = re.findall(r"(?m)^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text())
    return bool(int(caught, 16) >> (number - 1) & 1)
