"""How far a run or a restore is: files and bytes, the rate, and what that leaves to wait for."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from agent.platforms import SYSTEM, paths
from agent.telling.counters import Counters
from agent.telling.results import Restored
from libs.shared.words.plain import count_text, duration_text, size_text

# What a small file costs beside its bytes, so that both can be added up to work done.
FILE_WEIGHT_BYTES = 20_000
RATE_SECONDS = 20.0
COUNT_AFTER_SECONDS = 1.0
COUNT_SHARE = 0.2


@dataclass(frozen=True)
class Totals:
    """How many files and bytes there are, as far as is known."""

    files: int
    size_bytes: int

    @property
    def work(self) -> float:
        """Both added up."""
        return float(self.size_bytes + self.files * FILE_WEIGHT_BYTES)


@dataclass(frozen=True)
class Done:
    """What is done by now.

    verb: what was done to the files, in words that follow their size: "restored".
    more: further members of a status line.
    """

    totals: Totals
    verb: str
    more: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ProgressNow:
    """A run or a restore at one moment; None where that can't be told yet."""

    done: Done
    files_total: int | None
    bytes_total: int | None
    bytes_per_second: float
    share_done: float | None
    seconds_left: float | None

    def words(self) -> str:
        """In a few words."""
        totals = self.done.totals
        words = f"{count_text(totals.files, 'file')}, {size_text(totals.size_bytes)}"
        if self.bytes_total is not None:
            words += f" of {size_text(self.bytes_total)}"
        words += f" {self.done.verb}"
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
            "files_done": self.done.totals.files,
            "files_total": self.files_total,
            "bytes_done": self.done.totals.size_bytes,
            "bytes_total": self.bytes_total,
            **self.done.more,
            "bytes_per_second": round(self.bytes_per_second),
            "seconds_left": left,
        }


class Progress:
    """What is done, and at which rate; asked by the thread that shows it.

    most_share: what is shown at most while the end has not come.
    """

    def __init__(
        self,
        look: Callable[[], Done],
        expected: Totals | None = None,
        *,
        most_share: float = 1.0,
    ) -> None:
        self._look = look
        self._expected = expected
        self._most_share = most_share
        self._steps: deque[tuple[float, Totals]] = deque([(time.monotonic(), Totals(0, 0))])

    def expect(self, totals: Totals) -> None:
        """Set what there is in all, once it is known."""
        self._expected = totals

    def snapshot(self) -> ProgressNow:
        """How it is now; the rate is that of the last twenty seconds."""
        done, expected = self._look(), self._expected
        totals = done.totals
        now, steps = time.monotonic(), self._steps
        steps.append((now, totals))
        while now - steps[0][0] > RATE_SECONDS and len(steps) > 2:
            steps.popleft()
        since, then = steps[0]
        seconds = max(now - since, 0.001)
        share = left = None
        if expected is not None:
            whole = expected.work
            share = min(totals.work / whole, self._most_share) if whole else self._most_share
            if (work_rate := (totals.work - then.work) / seconds) > 0:
                left = max(whole - totals.work, 0.0) / work_rate
        return ProgressNow(
            done,
            files_total=None if expected is None else max(expected.files, totals.files),
            bytes_total=None if expected is None else max(expected.size_bytes, totals.size_bytes),
            bytes_per_second=max(totals.size_bytes - then.size_bytes, 0) / seconds,
            share_done=share,
            seconds_left=left,
        )


def copying(counters: Counters, expected: Totals | None = None) -> Progress:
    """How far a run is, by its counters."""

    def look() -> Done:
        files = counters.files_total + counters.files_in_hand
        size_bytes = counters.bytes_protected + counters.bytes_in_hand
        sent = counters.bytes_sent
        verb = f"seen, {size_text(sent)} sent"
        return Done(Totals(files, size_bytes), verb, {"bytes_sent": sent})

    # More than expected is only known to be more when it comes.
    return Progress(look, expected, most_share=0.99)


def restoring(restored: Restored) -> Progress:
    """How far a restore is, by what it has brought back."""

    def look() -> Done:
        files = restored.files + restored.files_already_there
        size_bytes = restored.bytes_written + restored.bytes_already_there
        return Done(Totals(files, size_bytes), "restored")

    return Progress(look)


@contextmanager
def counted(roots: list[bytes], on_counted: Callable[[Totals], None]) -> Iterator[None]:
    """Count what lies below some folders beside their first copy, in a fifth of a thread's time."""
    ended = threading.Event()

    def count() -> None:
        if ended.wait(COUNT_AFTER_SECONDS):
            return
        totals = _count(roots, ended)
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
    folders = [paths.system_path(os.fsdecode(root), SYSTEM) for root in roots]
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
