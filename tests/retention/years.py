"""A plan's life of months, run by run, judged and expired each day by the rules alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.retention import rules
from services.retention.rules.expiry import Gone, KeptPoint, Loss

BEGINNING = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
DAYS = 30


@dataclass(frozen=True)
class Content:
    """What a file holds; age_days: by its date, when it came in the first copy."""

    name: str
    size: int = 1_000
    age_days: float = 0.0


@dataclass(eq=False)
class Version:
    """A file's content from one run to another, as the catalogue has it."""

    path: str
    content: Content
    first_run: int
    born: datetime
    last_run: int | None = None


@dataclass
class Life:
    """One plan with a run a day; what has expired, and what holds it."""

    days: int = DAYS
    versions: list[Version] = field(default_factory=list)
    current: dict[str, Version] = field(default_factory=dict)
    points: list[KeptPoint] = field(default_factory=list)
    expired: list[Version] = field(default_factory=list)
    held: Loss | None = None
    accepted: int = 0
    kept_from: int = 0

    def day(self, tree: Mapping[str, Content], *, at: float | None = None) -> None:
        """A run that finds this tree, `at` days after the beginning (the next day), then expiry."""
        before = (self.points[-1].committed_at - BEGINNING).days if self.points else -1
        now = BEGINNING + timedelta(days=before + 1 if at is None else at)
        number = self.points[-1].number + 1 if self.points else 1
        for path, version in list(self.current.items()):
            if tree.get(path) != version.content:
                version.last_run = number - 1
                del self.current[path]
        for path in tree.keys() - self.current.keys():
            content = tree[path]
            born = now - timedelta(days=content.age_days if number == 1 else 0)
            self.current[path] = Version(path, content, number, born)
            self.versions.append(self.current[path])
        size_bytes = sum(content.size for content in tree.values())
        self.points.append(KeptPoint(number, now, len(tree), size_bytes))
        self.expire(now)

    def gone(self, window: rules.expiry.Window) -> list[Gone]:
        """What is nowhere now, as the store finds it; files are single chunks here."""
        here = {version.content for version in self.current.values()}
        lost = [v for v in self.versions if v.last_run is not None and v.content not in here]
        died: dict[Content, int] = {}
        for version in lost:
            assert version.last_run is not None
            died[version.content] = max(died.get(version.content, 0), version.last_run)
        counted: Counter[tuple[int, int, int, bool, bool]] = Counter()
        sizes: Counter[tuple[int, int, int, bool, bool]] = Counter()
        for version in lost:
            assert version.last_run is not None
            now_there = self.current.get(version.path)
            key = (
                version.first_run,
                version.last_run,
                died[version.content],
                version.born < window.settled_before,
                now_there is not None and now_there.content.size * 2 >= version.content.size,
            )
            counted[key] += 1
            sizes[key] += version.content.size
        return [Gone(*key, files, sizes[key]) for key, files in counted.items()]

    def expire(self, now: datetime) -> None:
        """Judges, and unless held forgets what was superseded before the window."""
        window = rules.expiry.find_window(now, self.days)
        gone = self.gone(window)
        early = [point.number for point in self.points if point.committed_at <= window.cutoff]
        oldest_kept = max(early, default=0)
        if self.held is None:
            self.held = rules.expiry.find_loss(
                self.points[-2:], gone, window, since=0, accepted=self.accepted
            ) or rules.expiry.find_loss(
                self.points,
                gone,
                window,
                since=self.kept_from,
                oldest_kept=oldest_kept,
                accepted=self.accepted,
            )
        if self.held is not None or not oldest_kept:
            return
        self.kept_from = oldest_kept
        going = [v for v in self.versions if v.last_run is not None and v.last_run < oldest_kept]
        self.points = [
            point
            for point in self.points
            if not any(v.first_run <= point.number <= (v.last_run or 0) for v in going)
        ]
        self.versions = [v for v in self.versions if v not in going]
        self.expired += going

    def clear(self) -> None:
        """An operator says that it was meant."""
        assert self.held is not None
        self.accepted = self.points[-1].number
        self.held = None
