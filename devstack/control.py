"""`run down`, `status`, `logs` and the detached start: what speaks to a running supervisor."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from devstack import clock as clocks
from devstack import say, stack, supervisor
from devstack.processes import end_leftovers, start_time, tail
from devstack.servers import ROOT

STOP_SECONDS = 90


def state(folder: Path) -> dict[str, Any] | None:
    """Gives what the living supervisor of this folder says of itself, or None."""
    try:
        told: dict[str, Any] = json.loads((folder / supervisor.STATE).read_text())
    except (OSError, ValueError):
        return None
    return told if start_time(told["pid"]) == told["start_time"] else None


def up_detached(folder: Path, arguments: list[str]) -> int:
    """Starts a supervisor in the background; returns once it is ready or has failed."""
    if is_locked(folder):
        return supervisor.tell_where(folder)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "logs" / "supervisor.log"
    log.parent.mkdir(exist_ok=True, mode=0o700)
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "devstack", "up", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with open(log, encoding="utf-8", errors="replace") as reader:
        while True:
            told = state(folder)
            status = process.poll()
            print(reader.read(), end="", flush=True)
            if status is not None:
                say.failure(f"Coffre didn't start; all it said is in {log}")
                return status or 1
            if told and told["pid"] == process.pid and told["state"] == "ready":
                print(reader.read(), end="", flush=True)
                say.line("It runs in the background; `./run down` stops it.")
                process.returncode = 0  # it goes on without us
                return 0
            try:
                time.sleep(0.2)
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)


def is_locked(folder: Path) -> bool:
    """Says whether a supervisor holds the folder."""
    try:
        with open(folder / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def down(folder: Path) -> int:
    """Ends the installation of the folder and waits until it has ended."""
    told = state(folder)
    if told is None:
        left = end_leftovers(folder) if folder.exists() else []
        (folder / supervisor.STACK).unlink(missing_ok=True)
        say.line(f"Ended what was left: {', '.join(left)}." if left else "Coffre isn't running.")
        return 0
    say.line("Stopping…")
    with contextlib.suppress(ProcessLookupError):
        os.kill(told["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_locked(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    if is_locked(folder):
        say.failure(f"process {told['pid']} doesn't end; look at `./run logs`.")
        return 1
    say.line("Coffre has stopped; its data stays in " + str(folder))
    return 0


def status(folder: Path) -> int:
    """Prints each service's state; 0 when all are ready, 1 when not, 3 when nothing runs."""
    told = state(folder)
    if told is None:
        say.line("Coffre isn't running. `./run up` starts it.")
        return 3
    try:
        described = json.loads((folder / supervisor.STACK).read_text())
    except (OSError, ValueError):
        say.line("Coffre is starting or stopping; `./run logs` shows what it does.")
        return 1
    every_one = True
    say.line(f"Coffre runs (supervisor process {told['pid']}).")
    for name, service in described["services"].items():
        ready = stack.is_ready(service["url"])
        every_one = every_one and ready
        word = say.paint("ready", "good") if ready else say.paint("not ready", "bad")
        say.line(
            f"  {name:<10} {word}  {service['url']}  process {service['pid']}"
            f"  metrics {service['monitor_url']}/metrics"
        )
    supervisor.print_summary(described)
    return 0 if every_one else 1


def clock(folder: Path, when: str | None) -> int:
    """Says which time the running installation has, or moves it."""
    told = state(folder)
    if told is None or told["state"] != "ready":
        say.line("Coffre isn't running. `./run up` starts it.")
        return 3
    if when is not None:
        return clocks.order(folder, when)
    say.line(clocks.describe(stack.read_offset(folder)))
    return 0


def logs(folder: Path, service: str | None, *, follow: bool) -> int:
    """Prints the last lines of one log or of all, and what is added if asked to follow."""
    every = {path.stem: path for path in sorted((folder / "logs").glob("*.log"))}
    if not every:
        say.line("There are no logs yet. `./run up` starts Coffre.")
        return 3
    if service is not None and service not in every:
        say.failure(f"there is no log of {service!r}; there are: {', '.join(every)}")
        return 2
    chosen = [every[service]] if service else list(every.values())
    for path in chosen:
        if len(chosen) > 1:
            say.line(say.paint(f"== {path.stem}", "strong"))
        say.line(tail(path, 100 if service else 10).replace("    ", "", 1).replace("\n    ", "\n"))
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            subprocess.run(["tail", "-q", "-n", "0", "-F", *map(str, chosen)], check=False)
    return 0
