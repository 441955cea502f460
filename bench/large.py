"""A large file of which a little changed: how much of it is sent again."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import BinaryIO

from bench.coffre import Client, Installation

SIZE_BYTES = 10 * 1000**3
CHANGED_PERCENT = 1
_BLOCK_BYTES = 1_000_000


def measure(
    installation: Installation, folder: Path, size_bytes: int = SIZE_BYTES
) -> dict[str, float]:
    """Copies the file, overwrites 1 % in its middle, copies it again."""
    tree = folder / "large"
    tree.mkdir(parents=True)
    file = tree / "database.img"
    with open(file, "wb") as target:
        _fill(target, size_bytes, seed=1)
    client = Client(installation, folder / "large-client", tree)
    first, summary = client.run()
    changed_bytes = size_bytes * CHANGED_PERCENT // 100
    with open(file, "r+b") as target:
        target.seek(size_bytes // 2)
        _fill(target, changed_bytes, seed=2)
    second, again = client.run()
    shutil.rmtree(tree)
    return {
        "bytes": size_bytes,
        "first_seconds": first.seconds,
        "second_seconds": second.seconds,
        "first_sent_bytes": summary["bytes_sent"],
        "second_sent_bytes": again["bytes_sent"],
        "share_sent": again["bytes_sent"] / summary["bytes_sent"],
        "peak_bytes": max(first.peak_bytes, second.peak_bytes),
    }


def _fill(target: BinaryIO, size_bytes: int, seed: int) -> None:
    """Blocks that are all different, and become a tenth of their size when compressed."""
    chance = random.Random(seed)
    left = size_bytes
    while left > 0:
        block = chance.randbytes(_BLOCK_BYTES // 10) * 10
        left -= target.write(block[:left])
