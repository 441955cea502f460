"""The processes of one stack: started in their own sessions, recorded, ended without leftovers."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORD = "processes.json"
LOG_BYTES = 20_000_000
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


class Stopping(Exception):  # noqa: N818 - not a failure
    """Somebody asked for the end while something was starting."""


class StartFailed(Exception):  # noqa: N818 - named after what happened
    """A program ended, or wasn't ready in time; the message says which and where its log is."""


@dataclass(frozen=True)
class Program:
    """What to start: `stop_signal` asks it to end in good order, `litter` is removed after it."""

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    cwd: Path
    log: Path
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20
    litter: Sequence[Path] = ()


def start_time(pid: int) -> int | None:
    """Gives the process's start in clock ticks since boot, or None when it is gone or a zombie.

    Together with the pid this names one process for good, as pids are used again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replaces the file in one step, readable by its owner only unless told."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with open(draft, "w", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(text)
    draft.replace(path)


def end_with_parent() -> None:
    """Has the kernel send us SIGTERM when the process that started us ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Processes:
    """Starts programs and ends them in reverse order; a guard ends them if we are killed.

    `folder` keeps the record that `end_leftovers` reads.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stopping = threading.Event()
        self._running: dict[str, tuple[Program, subprocess.Popen[bytes]]] = {}
        self._lock = threading.Lock()
        self._owner = [os.getpid(), start_time(os.getpid())]
        self._guard = _start_guard(folder)

    def start(self, program: Program) -> subprocess.Popen[bytes]:
        """Starts the program with its output going to the end of its log."""
        program.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if program.log.exists() and program.log.stat().st_size > LOG_BYTES:
            program.log.replace(program.log.with_suffix(".log.old"))
        with self._lock, open(program.log, "ab") as log:
            if self.stopping.is_set():
                raise Stopping
            process = subprocess.Popen(
                list(program.argv),
                cwd=program.cwd,
                env=dict(program.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=program.user,
                group=program.user,
                extra_groups=[] if program.user else None,
            )
            self._running[program.name] = (program, process)
            self._write_record()
        return process

    def process(self, name: str) -> subprocess.Popen[bytes] | None:
        """Gives the running or dead process of that name."""
        entry = self._running.get(name)
        return entry[1] if entry else None

    def wait_ready(self, name: str, is_ready: Callable[[], bool], seconds: float = 90) -> None:
        """Waits until the check holds; raises StartFailed when the program ends or time is up."""
        program, process = self._running[name]
        deadline = time.monotonic() + seconds
        pause = 0.05
        while not is_ready() or process.poll() is not None:
            if process.poll() is not None:
                raise StartFailed(
                    f"{name} ended with status {process.returncode} while it was starting; "
                    f"the last lines of {program.log}:\n{tail(program.log)}"
                )
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"{name} wasn't ready after {seconds:.0f} seconds; "
                    f"the last lines of {program.log}:\n{tail(program.log)}"
                )
            if self.stopping.wait(pause):
                raise Stopping
            pause = min(pause * 1.3, 0.5)

    def dead(self) -> list[tuple[str, int]]:
        """Gives the programs that ended by themselves, with their status (negative: a signal)."""
        return [
            (name, process.returncode)
            for name, (_program, process) in list(self._running.items())
            if process.poll() is not None
        ]

    def restart(self, name: str) -> subprocess.Popen[bytes]:
        """Starts a program that ended once more, in the same way."""
        program, process = self._running[name]
        _kill_group(process.pid)
        return self.start(program)

    def stop(self, *names: str) -> None:
        """Ends the named programs together: asks, waits, then kills what is left of each group."""
        with self._lock:
            leaving = [self._running.pop(name) for name in names if name in self._running]
        for program, process in leaving:
            if process.poll() is None:
                process.send_signal(program.stop_signal)
        for program, process in leaving:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(program.stop_seconds)
            _kill_group(process.pid)
            process.wait()
            for path in program.litter:
                path.unlink(missing_ok=True)
        with self._lock:
            self._write_record()

    def close(self, *, at_once: bool = False) -> None:
        """Ends everything that still runs, then the guard; `at_once` kills without asking."""
        self.stopping.set()
        if at_once:
            for _program, process in self._running.values():
                _kill_group(process.pid)
        self.stop(*self._running)
        (self.folder / RECORD).unlink(missing_ok=True)
        if self._guard.stdin:
            self._guard.stdin.close()
        self._guard.wait()

    def _write_record(self) -> None:
        rows = [
            {
                "name": name,
                "pid": process.pid,
                "start_time": start_time(process.pid),
                "stop_signal": program.stop_signal.value,
                "stop_seconds": program.stop_seconds,
            }
            for name, (program, process) in self._running.items()
        ]
        record = {"owner": self._owner, "processes": rows}
        write_atomically(self.folder / RECORD, json.dumps(record, indent=1))


def _start_guard(folder: Path) -> subprocess.Popen[bytes]:
    """Starts the process that notices our death by the end of a pipe, and ends what we left."""
    return subprocess.Popen(
        [sys.executable, "-m", "devstack.guard", str(folder), str(os.getpid())],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_leftovers(folder: Path, owner_pid: int | None = None) -> list[str]:
    """Ends what a killed supervisor left running in this folder; gives the names that it ended.

    Told an `owner_pid`, it leaves alone what another supervisor has started since.
    """
    with open(folder / "leftovers.lock", "a") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        try:
            record = json.loads((folder / RECORD).read_text())
        except (OSError, ValueError):
            return []
        pid, started = record["owner"]
        if owner_pid not in (None, pid) or start_time(pid) == started:
            return []
        ended = _end(record["processes"])
        (folder / RECORD).unlink(missing_ok=True)
        return ended


def _end(rows: list[dict[str, Any]]) -> list[str]:
    alive = [
        row for row in rows if row["start_time"] and start_time(row["pid"]) == row["start_time"]
    ]
    for row in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(row["pid"], row["stop_signal"])
    for row in alive:
        deadline = time.monotonic() + row["stop_seconds"]
        while start_time(row["pid"]) == row["start_time"] and time.monotonic() < deadline:
            time.sleep(0.05)
        _kill_group(row["pid"])
    return [row["name"] for row in alive]


def tail(log: Path, lines: int = 20) -> str:
    """Gives the last lines of a log, indented."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return "    (no log)"
    return "\n".join("    " + line for line in text.splitlines()[-lines:])
