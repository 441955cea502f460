"""A run in figures, and what is usual for each of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from libs.shared.events import RunFinished

HISTORY_LENGTH = 30
"""From how many of the last good runs the usual is found."""

DURATIONS = 10
"""From how many runs it is known how long one takes."""

LOOKED_BACK = 70
"""How many are looked at: ten weeks of nights, so that a weekday has some, and a month its end."""

USUAL_FROM_RUNS = 3
WEEKDAY_FROM_RUNS, WEEKDAY_RUNS = 4, 10
"""From how many runs of a weekday on only these count, and how many at most."""

NIGHT = timedelta(hours=6)
"""Until when it is still the day before: nightly runs begin before midnight or after."""


class Dump(BaseModel):
    """A dump of a run; same_for: for how many runs in a row its content has been the same."""

    model_config = ConfigDict(frozen=True)

    name: str
    size_bytes: int
    same_for: int


class Figures(BaseModel):
    """What of a run is compared; counted by ingest, against the restore point before.

    weekday: 0 for a Monday, in the plan's zone. bytes_replaced: of what was changed or removed.
    bytes_read, bytes_sent: None where that isn't known, as of runs of an earlier release.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    weekday: int
    seconds: int
    files: int
    size_bytes: int
    files_new: int
    files_changed: int
    files_removed: int
    bytes_replaced: int
    new_bytes: int
    packed_bytes: int
    ending: str = ""
    files_renamed: int = 0
    dumps: tuple[Dump, ...] = ()
    bytes_read: int | None = None
    bytes_sent: int | None = None

    @property
    def files_before(self) -> int:
        """How many files the restore point before had."""
        return self.files - self.files_new + self.files_removed

    @property
    def share_changed(self) -> float:
        """Which part of the files got other content, under their name or another.

        Files that went while others came count as far as there is new content for these: what was
        moved has none.
        """
        left_bytes = self.new_bytes - self.files_changed * self.file_bytes
        came = max(round(left_bytes / self.file_bytes), 0)
        turned = self.files_changed + min(self.files_removed, self.files_new, came)
        return self._share(turned)

    def _share(self, files: int) -> float:
        """Of the files before; 0 for a first copy."""
        return files / self.files_before if self.files_before > 0 else 0.0

    @property
    def file_bytes(self) -> float:
        """How large a file is on average, at least a byte."""
        return max(self.size_bytes / max(self.files, 1), 1)

    @property
    def files_touched(self) -> int:
        """How many files but dumps came, changed or went."""
        dumps = sum(not dump.same_for for dump in self.dumps)
        return max(self.files_new + self.files_changed + self.files_removed - dumps, 0)

    @property
    def share_removed(self) -> float:
        """Which part of the files went without others that came."""
        return self._share(max(self.files_removed - self.files_new, 0))

    @property
    def share_renamed(self) -> float:
        """Which part of the files lies there under one new ending."""
        return self._share(self.files_renamed)

    @property
    def share_packed(self) -> float:
        """What new content takes compressed; 1 cannot be compressed, 0 where nothing is new."""
        return self.packed_bytes / self.new_bytes if self.new_bytes else 0.0


def read_run(run: RunFinished, timezone: str, before: Figures | None) -> Figures | None:
    """A run's figures; None where it made no restore point, or isn't counted.

    before: those of the restore point before.
    """
    counted = run.counted
    if counted is None:
        return None
    same = {dump.name: dump.same_for for dump in before.dumps} if before else {}
    return Figures(
        number=run.number,
        weekday=find_weekday(run.started_at, timezone),
        seconds=max(round((run.finished_at - run.started_at).total_seconds()), 0),
        files=counted.files_total,
        size_bytes=counted.bytes_protected,
        files_new=counted.files_new,
        files_changed=counted.files_changed,
        files_removed=counted.files_removed,
        bytes_replaced=counted.bytes_replaced,
        new_bytes=counted.new_bytes,
        packed_bytes=counted.packed_bytes,
        ending=counted.ending,
        files_renamed=counted.files_renamed,
        dumps=tuple(
            Dump(
                name=one.name,
                size_bytes=one.size_bytes,
                same_for=same.get(one.name, 0) + 1 if one.is_same else 0,
            )
            for one in counted.dumps
        ),
        bytes_read=run.bytes_read,
        bytes_sent=run.bytes_sent,
    )


def find_weekday(moment: datetime, timezone: str) -> int:
    """The weekday that a run belongs to, 0 for a Monday; a night belongs to the day before."""
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    return (moment.astimezone(zone) - NIGHT).weekday()


@dataclass(frozen=True, slots=True)
class Usual:
    """The middle of a plan's last runs, how far they commonly lie from it, and at most."""

    median: float
    spread: float
    reach: float

    def is_far(self, figure: float, least_share: float) -> bool:
        """Whether a figure lies further away than any that is usual.

        least_share: of the median, for plans whose runs are all alike.
        """
        far = max(6 * 1.4826 * self.spread, least_share * self.median, 1.5 * self.reach)
        return abs(figure - self.median) > far


def find_usual(history: Sequence[float]) -> Usual | None:
    """Says what is usual from the figures of earlier runs; None when they are too few.

    The spread is the median distance from the median: one strange run doesn't move it.
    """
    if len(history) < USUAL_FROM_RUNS:
        return None
    median = statistics.median(history)
    distances = [abs(figure - median) for figure in history]
    return Usual(median, statistics.median(distances), max(distances))


def choose_like(weekday: int, history: Sequence[Figures]) -> Sequence[Figures]:
    """The runs, newest first, with which one of this weekday is compared."""
    same = [one for one in history if one.weekday == weekday][:WEEKDAY_RUNS]
    return same if len(same) >= WEEKDAY_FROM_RUNS else history[:HISTORY_LENGTH]


def measure(history: Sequence[Figures], of: Callable[[Figures], float]) -> Usual | None:
    """What is usual of one figure."""
    return find_usual([of(one) for one in history])
