"""How far a restore is: files and bytes, the rate, and what that leaves to wait for."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from agent.names import duration_text, size_text
from agent.results import Restored

# What a small file costs beside its bytes, so that both can be added up to work done.
FILE_WEIGHT_BYTES = 20_000
RATE_SECONDS = 20.0


@dataclass(frozen=True)
class Totals:
    """How many files and bytes there are to bring back."""

    files: int
    size_bytes: int


@dataclass(frozen=True)
class Snapshot:
    """A restore at one moment; None where that can't be told."""

    files_done: int
    bytes_done: int
    expected: Totals | None
    bytes_per_second: float
    share_done: float | None
    seconds_left: float | None

    def words(self) -> str:
        """In a few words."""
        words = f"{self.files_done} files, {size_text(self.bytes_done)}"
        if self.expected is not None:
            words += f" of {size_text(self.expected.size_bytes)}"
        words += " restored"
        if self.bytes_per_second:
            words += f", {size_text(self.bytes_per_second)}/s"
        if self.seconds_left is not None:
            words += f", {duration_text(self.seconds_left)} left"
        return words

    def as_status(self) -> dict[str, Any]:
        """As a line of `--json`."""
        expected = self.expected
        return {
            "message_type": "status",
            "message": self.words(),
            "files_done": self.files_done,
            "files_total": expected.files if expected else None,
            "bytes_done": self.bytes_done,
            "bytes_total": expected.size_bytes if expected else None,
            "bytes_per_second": round(self.bytes_per_second),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
        }


class Progress:
    """What is done of a restore, and at which rate; asked by the thread that shows it."""

    def __init__(self, restored: Restored) -> None:
        self._restored = restored
        self._expected: Totals | None = None
        self._steps: deque[tuple[float, float, int]] = deque([(time.monotonic(), 0.0, 0)])

    def expect(self, totals: Totals) -> None:
        """Set what there is in all, once it is known."""
        self._expected = totals

    def snapshot(self) -> Snapshot:
        """The restore now; the rate is that of the last twenty seconds."""
        restored, expected = self._restored, self._expected
        files = restored.files + restored.files_already_there
        size = restored.bytes_written + restored.bytes_already_there
        work = float(size + FILE_WEIGHT_BYTES * files)
        moment = time.monotonic()
        self._steps.append((moment, work, size))
        while len(self._steps) > 2 and moment - self._steps[1][0] > RATE_SECONDS:
            self._steps.popleft()
        began, first_work, first_size = self._steps[0]
        seconds = max(moment - began, 0.001)
        share = left = None
        if expected is not None and expected.files:
            whole = expected.size_bytes + FILE_WEIGHT_BYTES * expected.files
            share = min(work / whole, 1.0)
            if work > first_work:
                left = max(whole - work, 0.0) * seconds / (work - first_work)
        rate = (size - first_size) / seconds
        return Snapshot(files, size, expected, rate, share, left)
