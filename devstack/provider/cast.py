"""Who the provider's clients are: companies, their people, machines and plans, and what befalls."""

from __future__ import annotations

import tomllib
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from uuid import NAMESPACE_DNS, UUID, uuid5

from libs.shared.events import Locale

GB = 10**9
DAYS = 183
"""How many days are played, up to today."""

Story = Literal[
    "calm",
    "heads-up",
    "nearly-full",
    "passed",
    "reminded",
    "to-be-called",
    "extended",
    "blocked",
    "ordered",
    "encrypted",
    "cleared",
    "failing",
    "dump-failing",
    "silent",
    "paused",
    "suspended",
    "ending",
    "ended",
    "destroyed",
    "lapsing",
    "damaged",
    "reduced",
    "helped",
]
"""What makes a client's half year another than everybody's."""


@dataclass(frozen=True)
class Plan:
    """What a machine copies: `files` and `size_gb` at the end of the half year.

    busy: how many files of a thousand change in a run. dumps: their names.
    copied: real files are copied, so that they can be browsed and recovered.
    """

    name: str
    folders: tuple[str, ...]
    schedule: str
    files: int
    size_gb: float
    busy: float = 4.0
    dumps: tuple[str, ...] = ()
    copied: bool = False


@dataclass(frozen=True)
class Machine:
    """A machine of a client."""

    hostname: str
    platform: str
    plans: tuple[Plan, ...]


@dataclass(frozen=True)
class Person:
    """Somebody with an account of a client."""

    name: str
    email: str
    role: Literal["administrator", "user"]
    locale: Locale


@dataclass(frozen=True)
class Company:
    """A client. held: what it stores, as (days before the end, GB), with straight lines between."""

    name: str
    slug: str
    locale: Locale
    contracted_gb: int
    people: tuple[Person, ...]
    machines: tuple[Machine, ...]
    held: tuple[tuple[int, float], ...]
    story: Story = "calm"
    opened: int = DAYS
    retention_days: int = 30

    @property
    def tenant_id(self) -> UUID:
        """Its id, which is the same in every demonstration."""
        return uuid5(NAMESPACE_DNS, f"{self.slug}.example")

    @property
    def administrator(self) -> Person:
        """Who opened it."""
        return self.people[0]

    def stored_gb(self, days_left: float) -> float:
        """What it stores so many days before the end."""
        points = sorted(self.held, reverse=True)
        later = points[-1]
        for before, after in pairwise(points):
            if before[0] >= days_left >= after[0]:
                share = (before[0] - days_left) / ((before[0] - after[0]) or 1)
                return before[1] + share * (after[1] - before[1])
        return points[0][1] if days_left > points[0][0] else later[1]


RHYTHMS = {
    "night": "30 1 * * *",
    "late": "15 23 * * *",
    "dawn": "0 4 * * 2-6",
    "evening": "45 21 * * 1-6",
    "workdays": "0 20 * * 1-5",
    "noon": "30 12 * * 1-5",
    "weekly": "0 3 * * 0",
}


def _plain(name: str) -> str:
    """A name as addresses have it: small letters, no accents."""
    letters = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in letters if letter.isascii() and letter not in "'’ ")


def _read_person(written: str, slug: str, *, is_first: bool) -> Person:
    """`(en)` after a name reads English, `*` is an administrator, as the first one is."""
    name = written.removesuffix("*").removesuffix(" (en)")
    first, _, last = name.partition(" ")
    return Person(
        name,
        f"{_plain(first)}.{_plain(last)}@{slug}.example",
        "administrator" if is_first or written.endswith("*") else "user",
        "en" if " (en)" in written else "fr",
    )


def _read_plan(told: dict[str, Any]) -> Plan:
    dumps, size_gb = told.get("dumps", []), told.get("size_gb", 0.0)
    return Plan(
        told["name"],
        (told["folder"],) if "folder" in told else (),
        RHYTHMS[told["when"]],
        told.get("files", len(dumps)),
        size_gb,
        busy=1000.0 if dumps else 4.0,
        dumps=tuple(dumps),
        copied=told.get("copied", False),
    )


def _read_company(told: dict[str, Any]) -> Company:
    slug = told["slug"]
    machines = (
        Machine(one["hostname"], one["platform"], tuple(map(_read_plan, one["plans"])))
        for one in told["machines"]
    )
    return Company(
        told["name"],
        slug,
        told.get("locale", "fr"),
        told["contracted_gb"],
        tuple(
            _read_person(one, slug, is_first=not place) for place, one in enumerate(told["people"])
        ),
        tuple(machines),
        tuple((days_left, size_gb) for days_left, size_gb in told["held"]),
        told.get("story", "calm"),
        told.get("opened", DAYS),
        told.get("retention_days", 30),
    )


_TOLD = tomllib.loads(Path(__file__).with_name("cast.toml").read_text(encoding="utf-8"))
COMPANIES: tuple[Company, ...] = tuple(map(_read_company, _TOLD["company"]))
