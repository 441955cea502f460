"""Which runs are unusual: looks like encryption, removal, or a dump that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from libs.shared.events import FigureName, JudgedFigure, MovedBytes
from libs.shared.reasons import Reason
from services.reporting.rules.usual.figures import (
    HISTORY_LENGTH,
    USUAL_FROM_RUNS,
    Dump,
    Figures,
    choose_like,
    find_usual,
    measure,
)

FEW_FILES = 10
"""Plans with fewer files change wholly when somebody works with them."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """From what on a run is unusual; shares are of the files that were there before.

    most: changed on one night, whatever nights before were like but for those of its weekday.
    some: changed on one night, where never half as many were. week: changed in seven runs.
    incompressible: what new content takes at least when it is encrypted. unlike: the usual one that
    is told from that, and how much must change then. removed, renamed: on one night.
    left: of the usual files and bytes. dump: of its usual size. over: times more than ever.
    """

    most: float = 0.5
    some: float = 0.1
    week: float = 0.3
    incompressible: float = 0.9
    unlike: float = 0.8
    few: float = 0.03
    removed: float = 0.25
    renamed: float = 0.25
    left: float = 0.5
    dump: float = 0.6
    over: float = 2.0


LIMITS = Bounds()
WEEK_RUNS = 7
LEAST_NEW = 0.05
"""How much content comes at least where files are encrypted, of what they were."""

SLIGHTLY = 1.25
"""How much more than on the same day of other weeks is more."""

CLEARLY = 0.8
"""Below how much of the least that ever was something is less than usual."""

SAME_AT_WORK, SAME_ALONE = 1, 3
"""For how many runs a dump may be the same; where other files don't tell whether one works."""

SURELY_NEVER = 20
"""After so many runs without it a dump is never the same."""

RESTS = 0.3
"""Below how much of the usual work nobody works: a dump may stay as it is."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of a run: what is unusual, worst first, and figures beside the usual."""

    verdicts: tuple[Reason, ...] = ()
    figures: tuple[JudgedFigure, ...] = ()
    moved: tuple[MovedBytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """A run before; is_accepted: it was unusual, and somebody said that it was meant."""

    figures: Figures
    is_good: bool = True
    is_unusual: bool = False
    is_accepted: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """The plan's runs before, newest first, each as far as it tells what is usual.

    level: those since somebody last said that an unusual one was meant, that one included.
    pace: all that weren't unusual; with that one as well while too few came since to say more.
    accepted: all that were meant. recent: all since the last of these. whole: all there are.
    """

    level: Sequence[Figures]
    pace: Sequence[Figures]
    accepted: Sequence[Figures]
    recent: Sequence[Figures]
    whole: Sequence[Figures]

    def find_meant(self, of: Callable[[Figures], float]) -> float:
        """How much was meant twice: that is usual from then on."""
        meant = sorted((of(one) for one in self.accepted), reverse=True)
        return meant[1] if len(meant) > 1 else 0.0

    def find_most(self, of: Callable[[Figures], float]) -> float:
        """The most that is usual of any day."""
        return max([of(one) for one in self.pace] + [self.find_meant(of)])


def choose_history(past: Sequence[Past]) -> History:
    """What the runs before tell; past: newest first."""
    last = next((at for at, one in enumerate(past) if one.is_accepted), len(past))
    usual = [one.is_good and not one.is_unusual for one in past]
    has_few = sum(usual[:last]) < USUAL_FROM_RUNS
    found = list(zip(range(len(past)), past, usual, strict=True))
    return History(
        level=[
            one.figures for at, one, is_usual in found if at == last or (at < last and is_usual)
        ],
        pace=[one.figures for at, one, is_usual in found if is_usual or (at == last and has_few)],
        accepted=[one.figures for one in past if one.is_accepted],
        recent=[one.figures for one in past[:last]],
        whole=[one.figures for one in past],
    )


def judge(now: Figures, history: History, limits: Bounds = LIMITS) -> Judgement:
    """Judges a run by those before it."""
    verdicts = (
        *_judge_change(now, history, limits),
        *_judge_removal(now, history, limits),
        *_judge_dumps(now, history, limits),
    )
    figures = tuple(compare(now, history.level))
    return Judgement(verdicts, figures, tuple(compare_moved(now, history.level)))


def _judge_change(now: Figures, history: History, limits: Bounds) -> Iterator[Reason]:
    """Most files with other content that can't be compressed, or with one new ending."""
    first_copied = [one for one in history.pace if one.files_before]
    if now.files_before < FEW_FILES or len(first_copied) < USUAL_FROM_RUNS:
        return
    most = history.find_most(lambda one: one.share_renamed)
    if now.share_renamed >= limits.renamed and now.share_renamed > limits.over * most:
        yield Reason("mass-rename", now.ending, now.files_renamed, now.files_before)
    is_encrypted = (
        now.share_packed >= limits.incompressible
        and now.new_bytes >= LEAST_NEW * now.bytes_replaced
    )
    if is_encrypted and _is_much(now, history, limits):
        turned = round(now.share_changed * now.files_before)
        yield Reason("mass-change", "", turned, now.files_before)


def _is_much(now: Figures, history: History, limits: Bounds) -> bool:
    share = now.share_changed
    like = choose_like(now.weekday, history.pace)
    most = max(_share_changed(one) for one in like)
    most = max(most, history.find_meant(_share_changed))
    if share >= limits.most and share > SLIGHTLY * most:
        return True
    if share >= limits.some and share > limits.over * most:
        return True
    return _is_unlike(now, history, limits) or _is_much_of_a_week(now, history, limits)


def _share_changed(one: Figures) -> float:
    return one.share_changed


def _is_unlike(now: Figures, history: History, limits: Bounds) -> bool:
    """Few files more than usual, of a plan whose content can usually be compressed."""
    like = choose_like(now.weekday, history.pace)
    packed = measure([one for one in like if one.new_bytes], lambda one: one.share_packed)
    changed = measure(like, lambda one: one.share_changed)
    if packed is None or changed is None or packed.median > limits.unlike:
        return False
    share = now.share_changed
    is_more = share > max(limits.few, changed.median + 6 * 1.4826 * changed.spread)
    return is_more and now.share_packed > max(one.share_packed for one in like)


def _is_much_of_a_week(now: Figures, history: History, limits: Bounds) -> bool:
    """Much in seven runs, of which none alone has to be conspicuous."""
    week = [now, *history.recent[: WEEK_RUNS - 1]]
    total = sum(one.share_changed for one in week)
    meant = history.find_meant(_share_changed)
    before = {one.number: min(one.share_changed, meant) for one in history.accepted}
    before |= {one.number: one.share_changed for one in history.pace}
    shares = [before[number] for number in sorted(before) if number < week[-1].number]
    if now.share_changed < limits.few or total < limits.week or len(shares) < WEEK_RUNS:
        return False
    weeks = [sum(shares[at : at + WEEK_RUNS]) for at in range(len(shares) - WEEK_RUNS + 1)]
    return total > limits.over * max(weeks)


def _judge_removal(now: Figures, history: History, limits: Bounds) -> Iterator[Reason]:
    """Files that went on one night, or over some; and bytes."""
    like = choose_like(now.weekday, history.level)
    files = measure(like, lambda one: one.files)
    if now.files_before >= FEW_FILES and len(history.pace) >= USUAL_FROM_RUNS:
        most = history.find_most(lambda one: one.share_removed)
        if now.share_removed >= limits.removed and now.share_removed > limits.over * most:
            usual = max(now.files_before, round(files.median) if files else 0)
            yield Reason("mass-removal", "", now.files, usual)
            return
    if files is not None and files.median >= FEW_FILES:
        least = min(one.files for one in like)
        if now.files < limits.left * files.median and now.files < CLEARLY * least:
            yield Reason("mass-removal", "", now.files, round(files.median))
            return
    size = measure(like, lambda one: one.size_bytes)
    if size is not None:
        least = min(one.size_bytes for one in like)
        if now.size_bytes < limits.left * size.median and now.size_bytes < CLEARLY * least:
            yield Reason("volume-shrunken", "", now.size_bytes, round(size.median))


def _judge_dumps(now: Figures, history: History, limits: Bounds) -> Iterator[Reason]:
    """Dumps that are empty or much smaller, or the same again and again while others work."""
    like = choose_like(now.weekday, history.level)
    for dump in now.dumps:
        sizes = [found.size_bytes for found in _find_dump(dump, like)]
        usual = find_usual(sizes)
        if (
            usual is not None
            and dump.size_bytes < limits.dump * usual.median
            and dump.size_bytes < CLEARLY * min(sizes)
        ):
            yield Reason("dump-shrunken", dump.name, dump.size_bytes, round(usual.median))
        elif dump.same_for > (most := _find_most_same(now, dump, history, limits)):
            yield Reason("dump-identical", dump.name, dump.same_for, round(most))


def _find_most_same(now: Figures, dump: Dump, history: History, limits: Bounds) -> float:
    """For how many runs in a row a dump may be the same by now."""
    this_time = _find_dump(dump, history.whole)[: dump.same_for]
    before = _find_dump(dump, history.whole)[dump.same_for :]
    was_meant = len(history.recent) < len(this_time)
    if len(before) < USUAL_FROM_RUNS or was_meant:
        return dump.same_for
    longest = max(found.same_for for found in before)
    work = measure(choose_like(now.weekday, history.pace), lambda one: one.files_touched)
    if work is None or work.median < FEW_FILES:
        least = SAME_ALONE if longest or len(before) < SURELY_NEVER else SAME_AT_WORK
        return max(least, limits.over * longest)
    if now.files_touched < RESTS * work.median:
        return dump.same_for
    return max(SAME_AT_WORK, limits.over * longest)


def _find_dump(dump: Dump, history: Sequence[Figures]) -> list[Dump]:
    return [found for one in history for found in one.dumps if found.name == dump.name]


def compare(now: Figures, level: Sequence[Figures]) -> Iterator[JudgedFigure]:
    """The figures of a run beside the usual ones."""
    like = choose_like(now.weekday, level)
    came = [one for one in like if one.new_bytes]
    yield _compare("files", now, like, lambda one: one.files, 0.1)
    yield _compare("size_bytes", now, like, lambda one: one.size_bytes, 0.1)
    yield _compare("new_bytes", now, like, lambda one: one.new_bytes, 9)
    yield _compare("changed", now, like, lambda one: 1_000 * one.share_changed, 9, 50)
    yield _compare("removed", now, like, lambda one: 1_000 * one.share_removed, 9, 50)
    yield _compare("seconds", now, like, lambda one: one.seconds, 2, 600)
    packed = came if now.new_bytes else []
    yield _compare("packed", now, packed, lambda one: 1_000 * one.share_packed, 1)


def compare_moved(now: Figures, level: Sequence[Figures]) -> Iterator[MovedBytes]:
    """What was read and sent beside the usual, as far as it is known."""
    like = choose_like(now.weekday, level)
    yield from _compare_moved("read", now.bytes_read, [one.bytes_read for one in like])
    yield from _compare_moved("sent", now.bytes_sent, [one.bytes_sent for one in like])


def _compare_moved(
    name: Literal["read", "sent"], now: int | None, history: Sequence[int | None]
) -> Iterator[MovedBytes]:
    if now is None:
        return
    usual = find_usual([one for one in history if one is not None])
    median, spread = (round(usual.median), round(usual.spread)) if usual else (None, None)
    yield MovedBytes(name=name, now=now, usual=median, spread=spread)


def _compare(
    name: FigureName,
    now: Figures,
    history: Sequence[Figures],
    of: Callable[[Figures], float],
    least_share: float,
    least: float = 0,
) -> JudgedFigure:
    """least: below which a figure is never unusual."""
    usual = measure(history[:HISTORY_LENGTH], of)
    figure = of(now)
    return JudgedFigure(
        name=name,
        now=round(figure),
        usual=round(usual.median) if usual else None,
        spread=round(usual.spread) if usual else None,
        is_unusual=usual is not None and figure >= least and usual.is_far(figure, least_share),
    )
