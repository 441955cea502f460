"""How far a run is: files and bytes done, the rate, and what that leaves to wait for."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from agent.delta import Counters
from agent.names import duration_text, size_text
from agent.tree import Tree

# What a small file costs beside its bytes, so that both can be added up to work done.
FILE_WEIGHT_BYTES = 20_000
RATE_SECONDS = 20.0
COUNT_AFTER_SECONDS = 1.0
COUNT_SHARE = 0.2


@dataclass(frozen=True)
class Totals:
    """How many files and bytes there are to look at, as far as is known."""

    files: int
    size_bytes: int


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment; None where that can't be told yet."""

    files_done: int
    bytes_done: int
    bytes_sent: int
    files_total: int | None
    bytes_total: int | None
    bytes_per_second: float
    share_done: float | None
    seconds_left: float | None

    def words(self) -> str:
        """In a few words."""
        seen = size_text(self.bytes_done)
        if self.bytes_total is not None:
            seen += f" of {size_text(self.bytes_total)}"
        words = f"{self.files_done} files, {seen} seen, {size_text(self.bytes_sent)} sent"
        if self.bytes_per_second:
            words += f", {size_text(self.bytes_per_second)}/s"
        if self.seconds_left is not None:
            words += f", {duration_text(self.seconds_left)} left"
        return words

    def as_status(self) -> dict[str, Any]:
        """As a line of `--json`."""
        left = None if self.seconds_left is None else round(self.seconds_left)
        return {
            "message_type": "status",
            "message": self.words(),
            "files_done": self.files_done,
            "files_total": self.files_total,
            "bytes_done": self.bytes_done,
            "bytes_total": self.bytes_total,
            "bytes_sent": self.bytes_sent,
            "bytes_per_second": round(self.bytes_per_second),
            "seconds_left": left,
        }


class Progress:
    """What is done of a run, and at which rate; asked by the thread that shows it."""

    def __init__(self, counters: Counters, expected: Totals | None = None) -> None:
        self._counters = counters
        self._expected = expected
        self._steps: deque[tuple[float, float, int]] = deque([(time.monotonic(), 0.0, 0)])

    def expect(self, totals: Totals) -> None:
        """Set what there is in all, once it is known."""
        self._expected = totals

    def snapshot(self) -> Snapshot:
        """The run now; the rate is that of the last twenty seconds."""
        counters, expected = self._counters, self._expected
        files = counters.files_total + counters.files_in_hand
        size = counters.bytes_protected + counters.bytes_in_hand
        work = float(size + files * FILE_WEIGHT_BYTES)
        now, steps = time.monotonic(), self._steps
        steps.append((now, work, size))
        while now - steps[0][0] > RATE_SECONDS and len(steps) > 2:
            steps.popleft()
        since, work_then, size_then = steps[0]
        seconds = max(now - since, 0.001)
        share = left = None
        if expected is not None:
            whole = float(expected.size_bytes + expected.files * FILE_WEIGHT_BYTES)
            # More than expected is only known to be more when it comes.
            share = min(work / whole, 0.99) if whole else 0.99
            if (work_rate := (work - work_then) / seconds) > 0:
                left = max(whole - work, 0.0) / work_rate
        return Snapshot(
            files_done=files,
            bytes_done=size,
            bytes_sent=counters.bytes_sent,
            files_total=None if expected is None else max(expected.files, files),
            bytes_total=None if expected is None else max(expected.size_bytes, size),
            bytes_per_second=max(size - size_then, 0) / seconds,
            share_done=share,
            seconds_left=left,
        )


@contextmanager
def counted(tree: Tree, on_counted: Callable[[Totals], None]) -> Iterator[None]:
    """Count a tree beside its first copy, in a fifth of one thread's time at most."""
    ended = threading.Event()

    def count() -> None:
        if ended.wait(COUNT_AFTER_SECONDS):
            return
        totals = _count(tree.roots, ended)
        if totals is not None:
            on_counted(totals)

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _count(roots: list[bytes], ended: threading.Event) -> Totals | None:
    """Everything below some folders, exclusions not considered; None when told to end."""
    files = size_bytes = 0
    folders = [b"/" + root for root in roots]
    while folders:
        began = time.perf_counter()
        try:
            with os.scandir(folders.pop()) as entries:
                for number, entry in enumerate(entries):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        files += 1
                        size_bytes += entry.stat(follow_symlinks=False).st_size
                    if number % 200 == 199:
                        ended.wait((time.perf_counter() - began) / COUNT_SHARE)
                        began = time.perf_counter()
        except OSError:
            continue
        if ended.wait((time.perf_counter() - began) / COUNT_SHARE):
            return None
    return Totals(files, size_bytes)
