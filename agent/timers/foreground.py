"""Starting plans by their schedules from the foreground, where nothing else does: a container."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from agent.config import Plan

LOOK = timedelta(seconds=20)
"""How long it sleeps at most: a machine's clock may be set, and a laptop may sleep."""

LOOK_AT_RUN = timedelta(seconds=1)
"""How long it sleeps at most while a run goes on, whose end is told."""


class Foreground:
    """Starts each plan when it is due, as a process of its own, until it is told to stop.

    argv: how a plan is started. last: when its last run began; a plan that was due since then,
    or that never ran, starts at once.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        argv: Mapping[str, Sequence[str]],
        last: Mapping[str, datetime | None],
        say: Callable[[str], None],
    ) -> None:
        self._plans = plans
        self._argv = argv
        self._say = say
        self._stopping = threading.Event()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        now = datetime.now(UTC)
        self._due = {
            plan.name: now if (began := last[plan.name]) is None else next_due(plan, began)
            for plan in plans
        }

    def run(self) -> None:
        """Returns after SIGTERM or SIGINT, once the runs under way have ended in good order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        while not self._stopping.is_set():
            now = datetime.now(UTC)
            self._tell_ended()
            for plan in self._plans:
                if self._due[plan.name] <= now:
                    self._start(plan, now)
            look = now + (LOOK_AT_RUN if self._running else LOOK)
            pause = min(*self._due.values(), look) - datetime.now(UTC)
            self._stopping.wait(max(pause.total_seconds(), 0.2))
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()
        self._tell_ended()

    def _start(self, plan: Plan, now: datetime) -> None:
        self._due[plan.name] = next_due(plan, now)
        if plan.name in self._running:
            self._say(f"{plan.name}: due, but the run before it still goes on.")
            return
        self._running[plan.name] = subprocess.Popen(self._argv[plan.name])

    def _tell_ended(self) -> None:
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                del self._running[name]
                due = self._due[name].astimezone().isoformat(timespec="minutes")
                self._say(f"{name}: ended with status {process.returncode}; next at {due}.")


def next_due(plan: Plan, after: datetime) -> datetime:
    """When a plan starts next after an aware time, as the service expects it."""
    for turn in CronSim(plan.schedule, after.astimezone(ZoneInfo(plan.timezone))):
        # A wall's time that comes twice is asked about from its first time on.
        if (moment := turn.astimezone(UTC)) > after:
            return moment
    raise AssertionError("cronsim has no last turn")
