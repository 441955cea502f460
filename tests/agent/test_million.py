"""A campaign: a million files in one folder, on the agent's side and on the server's."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.world.clients import Client
from tests.world.machines import ROOT, Machine
from tests.world.waiting import wait_for

FILES = 1_000_000
MOST_BYTES = 150 * 1024 * 1024


def run_measured(machine: Machine) -> tuple[str, float, int]:
    """Runs the plan; gives the last line, the seconds, and the most memory in bytes."""
    began = time.monotonic()
    running = subprocess.Popen(
        machine.command("run", "papers", "--json"), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    lines = running.stdout.read().splitlines()
    running.stdout.close()
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0, lines[-1]
    return lines[-1], time.monotonic() - began, usage.ru_maxrss * 1024


def memory_of(pid: int) -> int:
    """The most memory that a process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_files_in_one_folder(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "wide"
    folder.mkdir()
    opened = os.open(folder, os.O_RDONLY)
    for number in range(FILES):
        os.close(os.open(f"file number {number:07d}", os.O_CREAT | os.O_WRONLY, dir_fd=opened))
    os.close(opened)
    machine = client.machine(
        tmp_path / "machine", {"papers": {"folders": [str(folder)]}}, patience="5 min"
    )
    ingest = client.house.processes["ingest"].pid
    idle_bytes = memory_of(ingest)

    last, seconds, most = run_measured(machine)
    print(f"first copy: {seconds:.0f} s, agent {most / 1e6:.0f} MB")
    assert f'"files_new": {FILES}' in last
    assert most < MOST_BYTES
    last, seconds, most = run_measured(machine)
    print(f"unchanged: {seconds:.0f} s, agent {most / 1e6:.0f} MB")
    assert '"files_changed": 0' in last
    assert most < MOST_BYTES
    (folder / "file number 0500000").unlink()
    (folder / "one more").touch()
    for file in (machine.folder / "state" / "plans").iterdir():
        file.unlink()
    last, seconds, most = run_measured(machine)
    print(f"without memory, one new, one removed: {seconds:.0f} s, agent {most / 1e6:.0f} MB")
    assert '"files_new": 1, "files_changed": 0, "files_removed": 1' in last
    assert most < MOST_BYTES
    server_bytes = memory_of(ingest)
    print(f"ingest: {server_bytes / 1e6:.0f} MB, {idle_bytes / 1e6:.0f} MB at its start")
    assert server_bytes < 400 * 1024 * 1024
    wait_for("all events", client.house.all_delivered)
