"""What a person at a terminal sees of a run, and what a file that breaks off costs."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.telling.counters import Counters
from agent.telling.progress import Totals, copying
from agent.walking.reading import TICK_NS
from tests.world.clients import Client
from tests.world.machines import ROOT, Machine


def run_at_a_terminal(machine: Machine) -> str:
    """All that `run` writes to a terminal of 120 columns."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        machine.command("run", "papers"),
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    seen = b""
    try:
        while select.select([ours], [], [], 60)[0]:
            seen += os.read(ours, 65536)
    except OSError:  # the terminal's other side was closed
        pass
    finally:
        os.close(ours)
    assert running.wait(60) == 0, seen
    assert b"\x1b[91m" not in seen, "red is for what is wrong"
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())


def test_a_terminal_shows_a_bar_with_rate_and_time_left(machine: Machine, papers: Path) -> None:
    machine.run()
    for number in range(40):
        (papers / f"scan {number}").write_bytes(os.urandom(1_000_000))
    shown = run_at_a_terminal(machine)
    assert "papers" in shown
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" in shown
    assert re.search(r"\d+ files, [\d.]+ [kMG]?B of [\d.]+ [kMG]?B seen", shown)
    assert re.search(r"[\d.]+ [kM]B/s", shown)
    assert re.search(r"[\d.]+ (s|min|h).* left", shown)
    assert "43 files, 40.0 MB protected: 40 new" in shown.splitlines()[-1]


def test_time_left_and_share_follow_from_what_is_done() -> None:
    counters = Counters()
    progress = copying(counters, Totals(1_000, 80_000_000))
    assert progress.snapshot().seconds_left is None
    counters.files_total, counters.bytes_protected = 250, 20_000_000
    seen = progress.snapshot()
    assert seen.share_done == pytest.approx(0.25)
    assert seen.seconds_left is not None
    assert seen.seconds_left > 0
    assert (seen.as_status()["files_total"], seen.as_status()["bytes_total"]) == (1_000, 80_000_000)
    counters.files_total, counters.bytes_protected = 3_000, 90_000_000
    seen = progress.snapshot()
    assert seen.share_done is not None
    assert seen.share_done < 1, "more than expected is no end"
    assert (seen.files_total, seen.bytes_total) == (3_000, 90_000_000)


@pytest.fixture
def dying_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk whose second half can be lost: the file `image` beside it holds it."""
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as opened:
        opened.truncate(16_000_000)
    commands = (
        ["mkfs.ext4", "-q", "-O", "^has_journal", str(image)],
        ["mount", "-o", "loop", str(image), str(disk)],
    )
    for command in commands:
        try:
            subprocess.run(command, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a disk of our own can only be made and mounted by root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_file_that_breaks_off_is_named_and_its_last_version_kept(
    client: Client, tmp_path: Path, dying_disk: Path
) -> None:
    """A real read error, in the middle of a file whose first part was read."""
    large = dying_disk / "large"
    large.write_bytes(b"first version")
    (dying_disk / "small").write_text("small")
    machine = client.machine(tmp_path / "machine", {"papers": {"folders": [str(dying_disk)]}})
    time.sleep(TICK_NS / 1e9)  # what is younger is read once more, by a disk that is dead then
    machine.run()
    large.write_bytes(os.urandom(12_000_000))
    subprocess.run(["sync"], check=True)
    subprocess.run(["mount", "-o", "remount,ro", dying_disk], check=True)
    os.truncate(tmp_path / "image", 8_000_000)
    Path("/proc/sys/vm/drop_caches").write_text("3")
    summary = machine.run(expect=3)
    (missed,) = summary["not_copied"]
    assert (missed["path"], missed["reason"]["code"]) == (str(large), "disk-error")
    assert (summary["files_total"], summary["files_changed"]) == (2, 0)
    client.restore(machine, tmp_path / "back")
    assert Path(f"{tmp_path}/back{large}").read_bytes() == b"first version"
    machine.run(expect=3)
    third = machine.run(expect=1)
    assert (third["outcome"], third["error"]["code"]) == ("failed", "missed-again")
    assert machine.run(expect=1)["outcome"] == "failed", "until it is read again"
