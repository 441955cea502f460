"""What a program took: time, processor, peak memory; and the machine it ran on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_SECONDS = 0.05
FAMILY_LOOK_SECONDS = 0.5
"""Less often: telling the share of each process holds all of them up."""


class ProgramFailed(Exception):  # noqa: N818 - its text is the whole answer
    """A measured program ended with a failure; nothing that follows would mean anything."""


@dataclass(frozen=True)
class Took:
    """One execution of a program, with the processes that it starts."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def run(command: list[str], environ: Mapping[str, str], log: Path) -> Took:
    """Run a program to its end; ProgramFailed unless it succeeds."""
    with open(log, "ab") as errors, open(log.with_suffix(".out"), "w+b") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=dict(environ)
        )
        watched = _Memory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode not in (0, 3):
        said = log.read_text(errors="replace")[-2000:]
        raise ProgramFailed(
            f"{' '.join(command)} ended with {process.returncode}:\n{said}{text[-2000:]}"
        )
    return Took(seconds, usage.ru_utime + usage.ru_stime, watched.end(), text)


class _Memory:
    """Looks at a program's memory while it runs.

    The system's own record of a peak begins with what the parent had at the fork, which may be
    more than the program ever needs.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """The peak: of the program's own resident memory, or of the share of all its processes."""
        self._ended.set()
        self._thread.join()
        return self._peak_bytes

    def _watch(self) -> None:
        due = time.monotonic() + FAMILY_LOOK_SECONDS
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self._peak_bytes = max(self._peak_bytes, peak_bytes(self._pid))
                if time.monotonic() < due:
                    continue
                due = time.monotonic() + FAMILY_LOOK_SECONDS
                family = [self._pid, *_children_of(self._pid)]
                if len(family) > 1:
                    together = sum(map(_proportional_bytes, family))
                    self._peak_bytes = max(self._peak_bytes, together)
            except OSError:  # a process has just ended
                continue


def _children_of(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _proportional_bytes(pid: int) -> int:
    """Resident memory, of which what several processes share counts in parts."""
    found = re.search(r"Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(found[1]) * 1024 if found else 0


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Processor time that these processes, and children they waited for, have used so far."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def reset_peak(pid: int) -> None:
    """Begin to count a process's peak memory anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_bytes(pid: int) -> int:
    """The largest resident memory of a process since `reset_peak`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def describe_machine() -> str:
    """Processor, cores, memory and system in one line."""
    models = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    model = models[0] if models else platform.machine()
    memory = psutil.virtual_memory().total / 1e9
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.platform())
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GB of memory, {system}, "
        f"Python {platform.python_version()}"
    )


def versions() -> str:
    """restic and rclone, as they name themselves."""
    said = [
        subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()[0]
        for command in (["restic", "version"], ["rclone", "version"])
    ]
    return f"{said[0].partition(' compiled')[0]} over `rclone serve restic` ({said[1]})"
