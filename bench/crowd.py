"""Fifty agents that push at once: whether all succeed, and what ingest needs meanwhile."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import measuring
from bench.coffre import Client, Installation

AGENTS = 50
FILES = 200
FILE_BYTES = 40_000
LARGE_FILE_BYTES = 12_000_000


def measure(installation: Installation, folder: Path) -> dict[str, float]:
    """One first copy each, all started together; ProgramFailed if a single one fails."""
    clients = [_enrol(installation, folder / f"crowd-{number}", number) for number in range(AGENTS)]
    measuring.reset_peak(installation.ingest_pid)
    began = time.perf_counter()
    with ThreadPoolExecutor(AGENTS) as threads:
        summaries = [summary for _, summary in threads.map(Client.run, clients)]
    seconds = time.perf_counter() - began
    sent_bytes = sum(summary["bytes_sent"] for summary in summaries)
    failed = sum(summary["outcome"] != "succeeded" for summary in summaries)
    return {
        "agents": AGENTS,
        "failed": failed,
        "seconds": seconds,
        "sent_bytes": sent_bytes,
        "ingest_bytes": measuring.peak_bytes(installation.ingest_pid),
    }


def _enrol(installation: Installation, folder: Path, number: int) -> Client:
    """A client of its own, with files that can't be compressed."""
    chance = random.Random(number)
    tree = folder / "files"
    tree.mkdir(parents=True)
    for name in range(FILES):
        (tree / f"{name:03}.bin").write_bytes(chance.randbytes(FILE_BYTES))
    (tree / "large.bin").write_bytes(chance.randbytes(LARGE_FILE_BYTES))
    return Client(installation, folder / "client", tree)
