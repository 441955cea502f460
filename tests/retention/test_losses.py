"""What is judged a loss: never the turnover of an ordinary year, always a genuine loss."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.retention.years import DAYS, Content, Life

Tree = dict[str, Content]
Year = Callable[[random.Random], Iterator[Tree]]


def rotating(keep: int, *, full: bool, a_day: int = 1) -> Year:
    """Logs under new names each day, kept for so many days; `full`: there since long ago."""

    def year(chance: random.Random) -> Iterator[Tree]:
        for day in range(400):
            oldest = day - keep + 1
            born = range(oldest if full else max(oldest, 0), day + 1)
            yield {
                f"log {at}.{n}": Content(f"log {at}.{n}", 500 + (at * 37 + n) % 1_000, max(-at, 0))
                for at in born
                for n in range(a_day)
            }

    return year


def dumping(count: int, every: int) -> Year:
    """Dumps of the same names, with new content every so many days."""

    def year(chance: random.Random) -> Iterator[Tree]:
        for day in range(400):
            yield {
                f"dump {n}": Content(f"dump {n} of {day // every}", 10_000 * (n + 1), day % every)
                for n in range(count)
            }

    return year


def office(chance: random.Random) -> Iterator[Tree]:
    """Documents that are written, edited, renamed and thrown away, as people do."""
    tree = {f"doc {n}": Content(f"doc {n}", chance.randrange(1, 50_000), 400) for n in range(300)}
    count = 0
    for _ in range(400):
        for _ in range(chance.randrange(6)):
            count += 1
            tree[f"new {count}"] = Content(f"new {count}", chance.randrange(1, 50_000))
        for path in chance.sample(sorted(tree), chance.randrange(4)):
            count += 1
            tree[path] = Content(f"edit {count}", tree[path].size)
        for path in chance.sample(sorted(tree), chance.randrange(3)):
            tree[f"moved {count}/{path}"] = tree.pop(path)
        for path in chance.sample(sorted(tree), chance.randrange(3)):
            del tree[path]
        yield dict(tree)


def moving(chance: random.Random) -> Iterator[Tree]:
    """All documents are moved to another folder, twice a year."""
    for day in range(400):
        folder = day // 180
        yield {f"{folder}/doc {n}": Content(f"doc {n}", 900, 400) for n in range(200)}


def together(*years: Year) -> Year:
    """Several folders in one plan."""

    def year(chance: random.Random) -> Iterator[Tree]:
        for trees in zip(*(one(chance) for one in years), strict=True):
            yield {
                f"{n}/{path}": content
                for n, tree in enumerate(trees)
                for path, content in tree.items()
            }

    return year


ORDINARY: dict[str, Year] = {
    "office": office,
    "moves": moving,
    "few dumps nightly": dumping(3, 1),
    "many dumps nightly": dumping(25, 1),
    "many dumps weekly": dumping(25, 7),
    "office and dumps": together(office, dumping(12, 1)),
    "office and logs": together(office, rotating(14, full=True, a_day=40)),
    "logs of 60 days": rotating(60, full=True, a_day=2),
}


@pytest.mark.parametrize("days", [220, pytest.param(300, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_year_is_never_held(name: str, days: int) -> None:
    life = Life()
    for tree in islice(ORDINARY[name](random.Random(name)), days):
        life.day(tree)
        assert life.held is None, (len(life.points), life.held)
    assert life.expired


@pytest.mark.parametrize("keep", [1, 2, 3, 5, 8, 9, 10, 11, 15, 19, 20, 21, 25, 30, 40, 100])
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("a_day", [1, 6])
def test_logs_may_be_kept_for_however_long(keep: int, full: bool, a_day: int) -> None:
    """Longer or shorter than the window, of ten days here; on a new server or on an old one."""
    life = Life(days=10)
    for tree in islice(rotating(keep, full=full, a_day=a_day)(random.Random(keep)), keep + 40):
        life.day(tree)
        assert life.held is None, (len(life.points), life.held)
    assert life.expired


GENUINE = {
    f"doc {n}": Content(f"genuine {n}", 1_000 + 211 * (n % 19), age_days=120) for n in range(60)
}
STEPS = ("junk", "churn", "remove", "encrypt", "truncate", "move", "copy", "rest")


@dataclass
class Attacker:
    """A machine taken over: what it makes of a plan's tree, a step at a time."""

    tree: Tree
    chance: random.Random
    count: int = 0

    def take(self, step: str, share: float) -> None:
        """One step; `share` of the paths that still have genuine content are concerned."""
        self.count += 1
        genuine = sorted(path for path, one in self.tree.items() if one in GENUINE.values())
        some = self.chance.sample(genuine, round(len(genuine) * share))
        match step:
            case "junk":
                for n in range(round(600 * share)):
                    self.tree[f"junk {self.count}.{n}"] = Content(f"junk {self.count}.{n}", 5_000)
            case "churn":
                for path in [path for path in self.tree if path.startswith("junk")]:
                    self.tree[path] = Content(f"{path} again {self.count}", 5_000)
            case "remove":
                for path in some:
                    del self.tree[path]
            case "encrypt" | "truncate":
                size = 1_000 if step == "encrypt" else 1
                for path in some:
                    self.tree[path] = Content(f"{step} {path} {self.count}", size)
            case "move" | "copy":
                for path in some:
                    self.tree[f"{step} {self.count} {path}"] = self.tree[path]
                    if step == "move":
                        del self.tree[path]


ATTACKS = (
    st.lists(st.tuples(st.sampled_from(STEPS), st.floats(0.05, 1)), min_size=1, max_size=10),
    st.integers(0, 2**32),
    st.integers(0, 200),
    st.sampled_from([1, 2, 3]),
)


@given(*ATTACKS)
@settings(max_examples=50, deadline=None)
def test_no_order_and_no_pace_of_an_attack_loses_genuine_content(
    steps: list[tuple[str, float]], seed: int, quiet_days: int, pause: int
) -> None:
    check_attack(steps, seed, quiet_days, pause)


@pytest.mark.long
@given(*ATTACKS)
@settings(max_examples=500, deadline=None)
def test_none_of_hundreds_of_attacks_loses_genuine_content(
    steps: list[tuple[str, float]], seed: int, quiet_days: int, pause: int
) -> None:
    check_attack(steps, seed, quiet_days, pause)


def check_attack(steps: list[tuple[str, float]], seed: int, quiet_days: int, pause: int) -> None:
    """Within a window; on a plan of this day, or one that was quiet for months."""
    attacker, life = Attacker(dict(GENUINE), random.Random(seed)), Life()
    life.day(attacker.tree)
    life.day(attacker.tree, at=quiet_days + 1)
    at = quiet_days + 1
    for step, share in steps:
        at += pause
        attacker.take(step, share)
        life.day(attacker.tree, at=at)
    for day in range(at + 1, at + 2 * DAYS, 3):
        life.day(attacker.tree, at=day)
    left = {content for content in attacker.tree.values() if content in GENUINE.values()}
    sizes = sum(content.size for content in left), sum(one.size for one in GENUINE.values())
    if len(left) * 2 < len(GENUINE) or sizes[0] * 2 < sizes[1]:
        assert life.held is not None
        kept = {version.content for version in life.versions}
        assert kept >= set(GENUINE.values()), "all of it can still be recovered"


@pytest.mark.parametrize("steps", [["remove"], ["remove"] * 10, ["encrypt"] * 4, ["truncate"]])
@pytest.mark.parametrize("junk_first", [True, False])
def test_files_of_yesterday_are_missed_as_well_before_they_expire(
    steps: list[str], junk_first: bool
) -> None:
    """Of a plan that is so new that nothing is known of what is usual for it."""
    young = {path: replace(content, age_days=1) for path, content in GENUINE.items()}
    attacker, life = Attacker(dict(young), random.Random(1)), Life()
    life.day(attacker.tree)
    if junk_first:
        attacker.take("junk", 1)
        life.day(attacker.tree)
    for number, step in enumerate(steps):
        left = [path for path in young if attacker.tree.get(path) == young[path]]
        gone = set(left[: len(young) // len(steps)] if number < len(steps) - 1 else left)
        for path in gone:
            del attacker.tree[path]
            if step != "remove":
                size = young[path].size if step == "encrypt" else 1
                attacker.tree[path] = Content(f"{step} {path}", size)
        life.day(attacker.tree)
    for _ in range(2 * DAYS):
        life.day(attacker.tree)
    assert life.held is not None
    assert {version.content for version in life.versions} >= set(young.values())


def test_what_was_accepted_hides_no_further_loss() -> None:
    """An attacker has something held and cleared first, and junk lies there for ever after."""
    attacker, life = Attacker(dict(GENUINE), random.Random(1)), Life()
    life.day(attacker.tree)
    attacker.take("junk", 1)
    life.day(attacker.tree)
    attacker.take("move", 1)
    life.day(attacker.tree)
    attacker.take("remove", 0.6)
    life.day(attacker.tree)
    assert life.held is not None
    life.clear()
    for _ in range(5):
        life.day(attacker.tree)
    assert life.held is None, "what was accepted is not held again"
    attacker.take("remove", 0.6)
    for _ in range(DAYS + 5):
        life.day(attacker.tree)
    assert life.held is not None
    assert life.held.since == 1
    assert life.held.reason.limit == 24, "of what was left when it was accepted"


def test_after_an_acceptance_the_rest_expires() -> None:
    attacker, life = Attacker(dict(GENUINE), random.Random(1)), Life()
    life.day(attacker.tree)
    attacker.take("remove", 0.7)
    life.day(attacker.tree)
    life.clear()
    for _ in range(2 * DAYS):
        life.day(attacker.tree)
    assert life.held is None
    assert len(life.expired) == 42
