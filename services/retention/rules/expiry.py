"""What of a plan's past may expire, and which losses hold that up (docs/decisions/0029)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from libs.shared.reasons import Reason

FEW_FILES = 10
"""Fewer files than this may all get new content in their places, as a few documents do."""

SETTLED_WINDOWS = 2
"""For how many windows content lies there before its loss counts whatever else is usual."""

SPREAD_SHARE = 2 / 3
"""What dies all along: no quarter of a window saw a larger share of it go."""

SETS_GRACE = timedelta(days=7)
"""How long a set of attributes stays that no version has: no commit takes nearly as long."""


def is_alive(subscription: str) -> bool:
    """Whether versions of a tenant may expire: a suspended or ended one keeps all it has."""
    return subscription in ("active", "ending")


@dataclass(frozen=True, slots=True)
class Window:
    """The time over which a plan is judged: what was superseded before `cutoff` may expire."""

    length: timedelta
    cutoff: datetime

    @property
    def settled_before(self) -> datetime:
        """What came before this was settled when the window began."""
        return self.cutoff - SETTLED_WINDOWS * self.length


def find_window(now: datetime, retention_days: int) -> Window:
    """Returns the window of a tenant that keeps superseded versions for so many days."""
    length = timedelta(days=max(retention_days, 1))
    return Window(length, now - length)


@dataclass(frozen=True, slots=True)
class KeptPoint:
    """A restore point of which nothing has expired, and how much it holds."""

    number: int
    committed_at: datetime
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Gone:
    """Files of restore points first_run to last_run whose content the newest one doesn't have.

    died: the last restore point that had that content, under whatever name.
    is_settled: it had come before the window's `settled_before`.
    in_place: its path has other content now, and not less than half as much.
    """

    first_run: int
    last_run: int
    died: int
    is_settled: bool
    in_place: bool
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Loss:
    """More than half of what a restore point had, and usually would still have, is gone."""

    since: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Amount:
    """Files, and their bytes."""

    files: int = 0
    size_bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.files + other.files, self.size_bytes + other.size_bytes)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.files - other.files, self.size_bytes - other.size_bytes)


def may_be_unusual(points: Sequence[KeptPoint], closed: Iterable[Gone]) -> bool:
    """Whether so much was superseded that it matters whether its content is still there."""
    return any(
        _is_most(amount, Amount(point.files, point.size_bytes))
        for point, amount in zip(points, _sum(points, closed), strict=True)
    )


def find_loss(
    points: Sequence[KeptPoint],
    gone: Sequence[Gone],
    window: Window,
    *,
    since: int = 0,
    oldest_kept: int = 0,
    accepted: int = 0,
) -> Loss | None:
    """Returns what of a plan's restore points is unusually gone from its newest.

    points: all there are, oldest first. since: settled content is missed from that one on.
    oldest_kept: what ended before it would expire now, so that young content is missed as well,
    unless such goes all along. accepted: what was gone in that run was accepted, or told already.
    """
    known = [one for one in gone if one.died < accepted]
    gone = [one for one in gone if one.died >= accepted]
    settled = [one for one in gone if one.is_settled]
    young = [one for one in gone if not one.is_settled]
    is_spread = _is_spread(young, points, window)
    sums = zip(
        points,
        _sum(points, known),
        _sum(points, settled),
        _sum(points, [one for one in settled if one.in_place]),
        _sum(points, young),
        _sum(points, [one for one in young if one.in_place]),
        _sum(points, [one for one in young if one.last_run < oldest_kept]),
        strict=True,
    )
    for point, told, old, old_in_place, new, new_in_place, expiring in sums:
        whole = Amount(point.files, point.size_bytes) - told
        few = FEW_FILES if new.files * 2 > whole.files else 1
        if point.number >= since:
            lost = _without_few(old, old_in_place)
            if lost.files >= few and (loss := _describe(point, lost, whole - new)):
                return loss
        is_due = point.number <= oldest_kept and point.committed_at >= window.settled_before
        if is_due and expiring.files and not is_spread:
            lost = _without_few(old + new, old_in_place + new_in_place)
            if loss := _describe(point, lost, whole):
                return loss
    return None


def _describe(point: KeptPoint, lost: Amount, whole: Amount) -> Loss | None:
    since = f"{point.committed_at:%Y-%m-%d}"
    if lost.files * 2 > whole.files:
        return Loss(point.number, Reason("files-lost", since, lost.files, whole.files))
    if lost.size_bytes * 2 > whole.size_bytes:
        return Loss(point.number, Reason("bytes-lost", since, lost.size_bytes, whole.size_bytes))
    return None


def _is_most(part: Amount, whole: Amount) -> bool:
    return part.files * 2 > whole.files or part.size_bytes * 2 > whole.size_bytes


def _without_few(lost: Amount, in_place: Amount) -> Amount:
    return lost - in_place if lost.files < FEW_FILES else lost


def _sum(points: Sequence[KeptPoint], gone: Iterable[Gone]) -> Iterator[Amount]:
    """How much of each restore point is among these."""
    numbers = [point.number for point in points]
    steps = [Amount()] * (len(points) + 1)
    for one in gone:
        amount = Amount(one.files, one.size_bytes)
        begins = bisect_left(numbers, one.first_run)
        ends = bisect_right(numbers, one.last_run)
        steps[begins] += amount
        steps[ends] -= amount
    return accumulate(steps[:-1])


def _is_spread(young: Sequence[Gone], points: Sequence[KeptPoint], window: Window) -> bool:
    """Whether content that had not lain there for long goes all along, as logs and dumps do."""
    numbers = [point.number for point in points]
    deaths: dict[datetime, Amount] = {}
    for one in young:
        at = points[min(bisect_right(numbers, one.died), len(points) - 1)].committed_at
        deaths[at] = deaths.get(at, Amount()) + Amount(one.files, one.size_bytes)
    total = sum(deaths.values(), Amount())
    span, moments = window.length / 4, sorted(deaths)
    recent, begins = Amount(), 0
    for at in moments:
        recent += deaths[at]
        while moments[begins] <= at - span:
            recent -= deaths[moments[begins]]
            begins += 1
        if (
            recent.files > total.files * SPREAD_SHARE
            or recent.size_bytes > total.size_bytes * SPREAD_SHARE
        ):
            return False
    return True
