"""What a program took: time, processor, peak memory; and the machine it ran on."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
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


@dataclass(frozen=True)
class Cores:
    """Where a client's programs run, and where all servers do; None: wherever there is room."""

    client: frozenset[int] | None = None
    servers: frozenset[int] | None = None


ANYWHERE = Cores()


def one_each() -> Cores:
    """A core for the client and another for all servers; ProgramFailed where there is but one."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise ProgramFailed("client and servers can't have a core each: this machine has one")
    return Cores(frozenset(allowed[:1]), frozenset(allowed[1:2]))


@contextmanager
def starting_on(cores: frozenset[int] | None) -> Iterator[None]:
    """What is started meanwhile stays on these cores, with all that it starts itself."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(
    command: list[str],
    environ: Mapping[str, str],
    log: Path,
    cores: frozenset[int] | None = None,
) -> Took:
    """Run a program to its end; ProgramFailed unless it succeeds."""
    with open(log, "ab") as errors, open(log.with_suffix(".out"), "w+b") as output:
        started = time.perf_counter()
        with starting_on(cores):
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


def touch_memory(size_bytes: int = 1 << 30) -> float:
    """Processor seconds that so much fresh memory costs at its first use, in pages of 4 KiB.

    The host of a virtual machine may have taken it back, and that differs between machines that
    look the same.
    """
    with mmap.mmap(-1, size_bytes) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        room = ctypes.c_char.from_buffer(memory)
        started = time.thread_time()
        ctypes.memset(ctypes.addressof(room), 1, size_bytes)
        taken = time.thread_time() - started
        del room
    return taken


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


def describe_run(*, is_small: bool) -> str:
    """When and on what something was measured; is_small: that it was little."""
    size = " **A quick look at little, and no figure to be held to.**" if is_small else ""
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {describe_machine()};"
        f" load just before: {os.getloadavg()[0]:.1f}.{size}"
    )


def versions() -> str:
    """restic and rclone, as they name themselves."""
    said = [
        subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()[0]
        for command in (["restic", "version"], ["rclone", "version"])
    ]
    return f"{said[0].partition(' compiled')[0]}, {said[1]}"
