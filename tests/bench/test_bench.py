"""The bench itself: it measures real files, counts them right, and says what it saw."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import measuring, results, tree
from bench.copy import Side
from bench.measuring import Took


def test_a_tree_is_gathered_once_and_is_what_was_there(tmp_path: Path) -> None:
    root = tmp_path / "machine"
    (root / "empty").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"12345")
    (root / "link").symlink_to("a.txt")
    with open(root / "huge", "wb") as huge:
        huge.truncate(tree.LARGEST_FILE_BYTES + 1)

    gathered = tree.gather(tmp_path / "tree", [root])
    assert (gathered.files, gathered.size_bytes) == (1, 5)
    copied = gathered.folder / str(root).strip("/")
    assert (copied / "a.txt").read_bytes() == b"12345"
    assert (copied / "link").readlink() == Path("a.txt")
    assert (copied / "empty").is_dir()
    assert not (copied / "huge").exists()

    (root / "later").write_bytes(b"x")
    assert tree.gather(tmp_path / "tree", [root]) == gathered


def test_a_program_is_measured_and_a_failing_one_stops_all(tmp_path: Path) -> None:
    hungry = "x = bytearray(60_000_000); sum(range(9_000_000)); print('done')"
    ballast = b"x" * 200_000_000
    took = measuring.run([sys.executable, "-c", hungry], {}, tmp_path / "log")
    assert took.output == "done\n"
    assert 60_000_000 < took.peak_bytes < len(ballast)
    assert took.cpu_seconds > 0
    assert took.seconds > 0
    with pytest.raises(measuring.ProgramFailed, match="ended with 1"):
        measuring.run([sys.executable, "-c", "raise SystemExit(1)"], {}, tmp_path / "log")


def test_the_memory_of_a_program_s_workers_counts(tmp_path: Path) -> None:
    worker = "x = bytearray(60_000_000); import time; time.sleep(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}])"
    took = measuring.run([sys.executable, "-c", parent], {}, tmp_path / "log")
    assert took.peak_bytes > 60_000_000


def test_the_page_tells_ratios() -> None:
    def side(factor: float) -> Side:
        took = [Took(10 * factor, 5 * factor, int(1e8 * factor), "")]
        cpu = {"first": {"server": 3.0}, "restore": {"server": 1.0}}
        return Side(took, took, took, [int(1e9 * factor)], [int(2e8)], [14], cpu)

    page = results.render(
        {
            "machine": "a machine",
            "tree": "a tree",
            "versions": "restic",
            "rounds": 3,
            "ours": side(1.0),
            "theirs": side(2.5),
            "uploads": {
                "ingest_bytes_per_second": 9e7,
                "direct_bytes_per_second": 1e8,
                "ratio": 0.9,
            },
            "line": {
                "files": 20_000,
                "bytes": 2e8,
                "near_seconds": 9.0,
                "far_seconds": 10.0,
                "ratio": 0.9,
            },
            "large": {
                "bytes": 1e10,
                "first_seconds": 60.0,
                "second_seconds": 30.0,
                "share_sent": 0.0123,
                "peak_bytes": 1e8,
            },
            "crowd": {
                "agents": 50,
                "sent_bytes": 1e9,
                "seconds": 30.0,
                "failed": 0,
                "ingest_bytes": 3e8,
            },
            "catalogue": {
                "versions": 10_000_000,
                "paths": 4_000_000,
                "bytes_per_version": 200.0,
                "name_bytes_per_version": 60.0,
                "times_ms": {"a folder": (1.0, 12.0)},
            },
            "months": {"tenants": 1_000, "months": 36, "next_seconds": 4.0},
            "events": {"events_per_second": 3000, "raw_per_second": 4000, "ratio": 0.75},
            "counted": {
                "events": 1_100_000,
                "events_per_second": 1200,
                "tenants": 1000,
                "tenants_wrong": 0,
            },
            "mails": {
                "mails": 20_000,
                "ours_per_second": [700, 800],
                "raw_per_second": [1000],
                "ratio": 0.75,
                "p99_seconds": 0.42,
                "many": 5_000,
                "many_in_seconds": 60.0,
                "many_last_seconds": 7.5,
            },
        }
    )
    assert "| First copy | 10.0 s | 25.0 s | 2.50 times as fast | 2 times |" in page
    assert "| Stored | 1,000 MB | 2,500 MB | 0.400 times the size | ≤ 1.05 times |" in page
    assert "0.90" in page
    assert "| 800/s | 1,000/s | 0.75 | ≥ 0.7 |" in page
    assert "| 0.42 s | < 1 s |" in page
    assert "| 1.23 % | ≤ 2 % |" in page
    assert "| a folder | 1.0 ms | 12.0 ms | < 100 ms |" in page
    assert "server 3.0" in page
