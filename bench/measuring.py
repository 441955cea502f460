"""What a program took: time, processor, peak memory; and the machine it ran on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil


class ProgramFailed(Exception):  # noqa: N818 - its text is the whole answer
    """A measured program ended with a failure; nothing that follows would mean anything."""


@dataclass(frozen=True)
class Took:
    """One execution of a program."""

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
    return Took(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, text)


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
