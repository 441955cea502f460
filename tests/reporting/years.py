"""Ordinary years of plans, run by run in figures, and what may be planted in them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from services.reporting.rules.usual.figures import Dump, Figures
from services.reporting.rules.usual.judging import (
    LIMITS,
    Bounds,
    Judgement,
    Past,
    choose_history,
    judge,
)

BEGINNING = date(2025, 3, 3)
"""A Monday."""

MB = 1_000_000


@dataclass
class Night:
    """What a run finds: how many files came, changed and went, and how it compresses."""

    new: int = 0
    changed: int = 0
    removed: int = 0
    moved: int = 0
    renamed: int = 0
    ending: str = ".docx"
    packed: float = 0.75
    new_bytes: int | None = None
    dumps: dict[str, int | None] = field(default_factory=dict)  # None: the same as before


@dataclass
class Plan:
    """One plan's life; each file has the same size."""

    files: int
    file_bytes: int
    dumps: dict[str, tuple[int, int]] = field(default_factory=dict)
    past: list[Past] = field(default_factory=list)
    number: int = 0

    def run(self, day: int, night: Night) -> Figures:
        """The figures of a run that finds this."""
        removed = min(night.removed, self.files)
        new = night.new + night.moved + night.renamed
        gone = removed + night.moved + night.renamed
        changed = min(night.changed, max(self.files - gone, 0))
        before = self.files
        self.files += new - gone
        self.number += 1
        dumps: list[Dump] = []
        dump_bytes = 0
        for name, size in night.dumps.items():
            was, same_for = self.dumps.get(name, (0, -1))
            is_same = size is None
            now = was if size is None else size
            self.dumps[name] = (now, same_for + 1 if is_same else 0)
            dumps.append(Dump(name=name, size_bytes=now, same_for=self.dumps[name][1]))
            dump_bytes += 0 if is_same else now
            changed += not is_same
        came = (night.new + changed) * self.file_bytes
        came = came if night.new_bytes is None else night.new_bytes
        came += dump_bytes // 10
        size_bytes = self.files * self.file_bytes + sum(size for size, _ in self.dumps.values())
        return Figures(
            number=self.number,
            weekday=(BEGINNING + timedelta(days=day)).weekday(),
            seconds=60 + before // 2_000 + came // (50 * MB),
            files=self.files + len(dumps),
            size_bytes=size_bytes,
            files_new=new,
            files_changed=changed,
            files_removed=gone,
            bytes_replaced=(changed + gone) * self.file_bytes,
            new_bytes=came,
            packed_bytes=round(came * night.packed),
            ending=night.ending,
            files_renamed=night.renamed,
            dumps=tuple(dumps),
        )

    def judge(self, figures: Figures, limits: Bounds = LIMITS) -> Judgement:
        """Judges a run by those before, and keeps it."""
        judged = judge(figures, choose_history(self.past[:70]), limits)
        self.past.insert(0, Past(figures, is_unusual=bool(judged.verdicts)))
        return judged

    def accept(self) -> None:
        """An operator says that all that was unusual was meant."""
        self.past = [replace(one, is_accepted=one.is_unusual) for one in self.past]


Year = Callable[[random.Random], Iterator[tuple[Plan, Night]]]


def _about(chance: random.Random, figure: float, spread: float = 0.5) -> int:
    return max(round(figure * chance.lognormvariate(0, spread)), 0)


def _each_day() -> Iterator[tuple[int, date]]:
    for day in range(366):
        yield day, BEGINNING + timedelta(days=day)


def office(chance: random.Random) -> Iterator[tuple[Plan, Night]]:
    """Documents by day, next to nothing in holidays; folders are moved now and then."""
    plan = Plan(40_000, 900_000)
    yield plan, Night(new=0)
    for _, day in _each_day():
        works = day.weekday() < 5 and not (day.month == 8 and 4 <= day.day <= 17)
        much = 1.0 if works and not (day.month == 12 and day.day > 23) else 0.03
        night = Night(
            new=_about(chance, 60 * much),
            changed=_about(chance, 200 * much),
            removed=_about(chance, 20 * much),
            packed=chance.uniform(0.72, 0.93),
        )
        if works and chance.random() < 0.04:
            night.moved = chance.randrange(500, plan.files // 4)
        yield plan, night


def accountant(chance: random.Random) -> Iterator[tuple[Plan, Night]]:
    """Months end, and so does the year: most of a client's file is written anew, and archived."""
    plan = Plan(20_000, 400_000)
    yield plan, Night()
    for _, day in _each_day():
        works = day.weekday() < 5
        much = (4.0 if day.day <= 6 or day.day >= 29 else 1.0) if works else 0.05
        if day.month in (1, 4) and day.day <= 20 and works:
            much *= 2
        night = Night(
            new=_about(chance, 40 * much),
            changed=_about(chance, 100 * much),
            removed=_about(chance, 10 * much),
            ending=".xlsx",
            packed=chance.uniform(0.88, 0.97),
        )
        if (day.month, day.day) == (1, 9):
            night.new += plan.files // 5  # all clients' files of the new year
            night.changed += plan.files // 8
        if (day.month, day.day) == (2, 12):
            night.removed += plan.files // 6  # the oldest years go to another place
        yield plan, night


def photographs(chance: random.Random) -> Iterator[tuple[Plan, Night]]:
    """Reports of a thousand pictures, culled a week later; a new folder of many years once."""
    plan = Plan(30_000, 6_000_000)
    yield plan, Night()
    culled: dict[int, int] = {}
    for number, day in _each_day():
        night = Night(ending=".jpg", packed=chance.uniform(0.985, 1.0))
        night.changed = _about(chance, 40)
        if day.weekday() in (0, 5) and chance.random() < 0.7:
            night.new = _about(chance, 900)
            culled[number + 7] = round(night.new * chance.uniform(0.2, 0.7))
        night.removed = culled.pop(number, 0) + chance.randrange(5)
        if number == 150:
            night.new += 25_000
        if chance.random() < 0.02:
            night.changed += chance.randrange(500, 2_500)  # words are added to pictures
            night.new_bytes = (night.changed + night.new) * 200_000
        yield plan, night


def mails(chance: random.Random) -> Iterator[tuple[Plan, Night]]:
    """A mail server that grows: messages come, are read, which renames them, and are purged."""
    plan = Plan(200_000, 70_000)
    yield plan, Night()
    for _, day in _each_day():
        much = 1.0 if day.weekday() < 5 else 0.3
        yield (
            plan,
            Night(
                new=_about(chance, 1_500 * much),
                changed=_about(chance, 30),
                moved=_about(chance, 2_500 * much),
                removed=_about(chance, 6_000 if day.weekday() == 6 else 200),
                ending=".eml",
                packed=chance.uniform(0.6, 0.82),
            ),
        )


def databases(chance: random.Random) -> Iterator[tuple[Plan, Night]]:
    """Dumps that grow, rest at weekends and in August, and shrink after a vacuum or a purge."""
    plan = Plan(250, 20_000)
    sizes = {"crm.sql": 900 * MB, "shop.sql": 300 * MB, "wiki.sqlite": 60 * MB}
    yield plan, Night(dumps=dict(sizes))
    for number, day in _each_day():
        works = day.weekday() < 5 and not (day.month == 8 and 4 <= day.day <= 17)
        sizes["crm.sql"] = round(sizes["crm.sql"] * chance.uniform(1.0005, 1.003))
        sizes["shop.sql"] = round(sizes["shop.sql"] * chance.uniform(0.998, 1.004))
        sizes["wiki.sqlite"] += chance.randrange(MB)
        if number == 130:
            sizes["wiki.sqlite"] = round(sizes["wiki.sqlite"] * 0.68)
        if number == 240:
            sizes["crm.sql"] = round(sizes["crm.sql"] * 0.66)
        dumps: dict[str, int | None] = {
            "crm.sql": sizes["crm.sql"] if works else None,
            "shop.sql": sizes["shop.sql"],
            "wiki.sqlite": sizes["wiki.sqlite"] if works and chance.random() < 0.8 else None,
        }
        night = Night(changed=chance.randrange(3), dumps=dumps, packed=chance.uniform(0.2, 0.3))
        yield plan, night


def dumps_alone(chance: random.Random) -> Iterator[tuple[Plan, Night]]:
    """Nothing but two dumps, one of them of a firm that rests at weekends."""
    plan = Plan(0, 0)
    sizes = {"erp.dump": 5_000 * MB, "pay.dump": 80 * MB}
    yield plan, Night(dumps=dict(sizes))
    for _, day in _each_day():
        sizes["erp.dump"] = round(sizes["erp.dump"] * chance.uniform(0.999, 1.004))
        sizes["pay.dump"] += chance.randrange(50_000)
        rests = day.weekday() >= 5 or (day.month, day.day) in ((5, 1), (7, 14), (12, 25))
        yield plan, Night(dumps={**sizes, "pay.dump": None if rests else sizes["pay.dump"]})


def exports(chance: random.Random) -> Iterator[tuple[Plan, Night]]:
    """Each Saturday most files are written anew as archives; else as in an office."""
    plan = Plan(6_000, 3_000_000)
    yield plan, Night()
    for _, day in _each_day():
        night = Night(new=_about(chance, 10), changed=_about(chance, 40), packed=0.9)
        if day.weekday() == 5:
            night.changed = round(plan.files * chance.uniform(0.62, 0.7))
            night.packed = chance.uniform(0.97, 1.0)
        yield plan, night


ORDINARY: dict[str, Year] = {
    "office": office,
    "accountant": accountant,
    "photographs": photographs,
    "mails": mails,
    "databases": databases,
    "dumps alone": dumps_alone,
    "exports": exports,
}


# --- what is planted: what it makes of a night, for so many nights; how many may pass unseen


def encrypt(share: float, *, ending: str = "") -> Callable[[Plan, Night], None]:
    """Files get other content, under their names or with an ending."""

    def plant(plan: Plan, night: Night) -> None:
        files = round(plan.files * share)
        night.new_bytes = (files + night.new) * max(plan.file_bytes, 1)
        night.packed = 0.999
        if ending:
            night.ending, night.renamed = ending, files
        else:
            night.changed = max(files, night.changed)

    return plant


def rename(plan: Plan, night: Night) -> None:
    """All files get one ending, and keep their content."""
    night.ending, night.renamed = ".crypt", round(plan.files * 0.95)


def remove(share: float) -> Callable[[Plan, Night], None]:
    """A part of the files goes."""

    def plant(plan: Plan, night: Night) -> None:
        night.removed = round(plan.files * share)

    return plant


def dump(name: str, share: float | None) -> Callable[[Plan, Night], None]:
    """A dump has a part of its size, or is the same as before."""

    def plant(plan: Plan, night: Night) -> None:
        night.dumps[name] = None if share is None else round(plan.dumps[name][0] * share)

    return plant


@dataclass(frozen=True)
class Incident:
    """What is planted, for how many nights, and on which of them it has to be found."""

    plant: Callable[[Plan, Night], None]
    code: str
    nights: int = 1
    found_by: int = 1
    plans: tuple[str, ...] = ("office", "accountant", "photographs", "mails", "exports")


DATABASES = ("databases",)
INCIDENTS: dict[str, Incident] = {
    "encrypted": Incident(encrypt(0.9), "mass-change"),
    "encrypted, renamed": Incident(encrypt(0.9, ending=".locked"), "mass-rename"),
    "encrypted by half": Incident(encrypt(0.55, ending=".x"), "mass-change"),
    "encrypted, a quarter a day": Incident(encrypt(0.25), "mass-change", 4),
    "encrypted slowly": Incident(
        encrypt(0.08), "mass-change", 10, 6, ("office", "accountant", "photographs", "mails")
    ),
    "renamed": Incident(rename, "mass-rename"),
    "removed": Incident(remove(0.9), "mass-removal"),
    "a share emptied": Incident(remove(0.4), "mass-removal"),
    "dump empty": Incident(dump("crm.sql", 0), "dump-shrunken", plans=DATABASES),
    "dump halved": Incident(dump("shop.sql", 0.5), "dump-shrunken", plans=DATABASES),
    "dump stale": Incident(dump("shop.sql", None), "dump-identical", 6, 2, DATABASES),
    "dump stale, of a firm that rests": Incident(
        dump("crm.sql", None), "dump-identical", 9, 5, DATABASES
    ),
}
