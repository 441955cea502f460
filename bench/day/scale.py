"""A thousand clients, computed from what single runs cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.day import kinds

CLIENTS, MACHINES, FILES = 1_000, 10, 1_000_000
"""How many clients, machines of each, files on each of these."""
FILE_BYTES = 200_000
STORED_SHARE = 0.6
"""What is left of a file once it is compressed and what repeats itself is gone."""
CHANGED_FILES = 1_000
"""How many files a run brings that isn't unchanged."""
FIRST_DAYS = 60
"""Within how many days all the first copies come."""
KEPT_DAYS = 35
"""How long events are kept by who says and who hears them."""


@dataclass(frozen=True)
class Unit:
    """Processor seconds by server, of which `total` is the sum; bytes of WAL and of database."""

    processor: Mapping[str, float]
    wal_bytes: float
    database_bytes: float

    @property
    def total(self) -> float:
        """Processor seconds of all."""
        return sum(self.processor.values())

    def less(self, other: Unit, times: float = 1) -> Unit:
        """What is left without the other, so many times; nothing is less than nothing."""
        return Unit(
            {
                name: max(0.0, used - times * other.processor[name])
                for name, used in self.processor.items()
            },
            max(0.0, self.wal_bytes - times * other.wal_bytes),
            max(0.0, self.database_bytes - times * other.database_bytes),
        )

    def times(self, factor: float) -> Unit:
        """That much more, or less."""
        return Unit(
            {name: used * factor for name, used in self.processor.items()},
            self.wal_bytes * factor,
            self.database_bytes * factor,
        )

    def plus(self, other: Unit) -> Unit:
        """Both together."""
        return Unit(
            {name: used + other.processor[name] for name, used in self.processor.items()},
            self.wal_bytes + other.wal_bytes,
            self.database_bytes + other.database_bytes,
        )


@dataclass(frozen=True)
class Units:
    """What a run costs whatever it brings, and what each file and each megabyte adds."""

    run: Unit
    file: Unit
    megabyte: Unit

    def cost(self, runs: float, files: float, megabytes: float) -> Unit:
        """What so much costs in all."""
        return (
            self.run.times(runs).plus(self.file.times(files)).plus(self.megabyte.times(megabytes))
        )


@dataclass(frozen=True)
class Scaled:
    """The thousand clients: their days, their busiest hour, their first copies, what they keep."""

    runs_a_day: int
    megabytes_a_day: float
    day: Unit
    busiest_hour_runs: float
    busiest_hour: Unit
    first: Unit
    first_megabytes: float
    catalogue_bytes: float
    events_bytes: float
    stored_bytes: float
    mails_a_day: float
    events_a_day: float


def find_units(alone: Mapping[str, Mapping[str, Any]]) -> Units:
    """From runs of three kinds: unchanged, one large file, many small ones."""
    run, large, many = (
        _per_run(alone[kind.name]) for kind in (kinds.UNCHANGED, kinds.LARGE, kinds.MANY)
    )
    megabyte = large.less(run).times(1e6 / kinds.LARGE.sent_bytes)
    file = many.less(run).less(megabyte, kinds.MANY.sent_bytes / 1e6).times(1 / kinds.MANY.files)
    return Units(run, file, megabyte)


def compute(measured: Mapping[str, Any]) -> Scaled:
    """The thousand clients by the units that were measured."""
    units = find_units(measured["alone"])
    runs = CLIENTS * MACHINES
    unchanged = measured["kinds"][kinds.UNCHANGED.name] + measured["kinds"][kinds.FAILED.name]
    bringing = runs * (1 - unchanged / measured["runs"])
    files = bringing * CHANGED_FILES
    day = units.cost(runs, files, files * FILE_BYTES / 1e6)
    all_files = float(runs * FILES)
    peak = measured["peak_share"]
    first = units.cost(runs, all_files, all_files * FILE_BYTES / 1e6)
    per_run = _per_run(measured["day"] | {"runs": measured["runs"]})
    return Scaled(
        runs_a_day=runs,
        megabytes_a_day=files * FILE_BYTES / 1e6,
        day=day,
        busiest_hour_runs=runs * peak,
        busiest_hour=day.times(peak),
        first=first,
        first_megabytes=all_files * FILE_BYTES / 1e6,
        catalogue_bytes=all_files * units.file.database_bytes,
        events_bytes=runs * KEPT_DAYS * per_run.database_bytes,
        stored_bytes=all_files * FILE_BYTES * STORED_SHARE,
        mails_a_day=runs * measured["day"]["mails"] / measured["runs"],
        events_a_day=runs * sum(measured["day"]["events"].values()) / measured["runs"],
    )


def foretell_day(measured: Mapping[str, Any]) -> float:
    """Processor seconds that the day should have taken, by what each kind took alone."""
    counted: Mapping[str, int] = measured["kinds"]
    return sum(count * _per_run(measured["alone"][name]).total for name, count in counted.items())


def _per_run(used: Mapping[str, Any]) -> Unit:
    whole = Unit(used["processor"], used["wal_bytes"], used["database_bytes"])
    return whole.times(1 / used["runs"])
