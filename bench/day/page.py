"""The page of scale: docs/scale.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.day import kinds, prose, scale
from bench.day.scale import CLIENTS, FILE_BYTES, FILES, FIRST_DAYS, MACHINES, Scaled, Unit, Units

ORDER = (
    "ingest", "quota", "reporting", "retention", "portal", "PostgreSQL", "RabbitMQ", "S3 store",
)  # fmt: skip
CARRY_CONTENTS = ("ingest", "S3 store")
HOUR, DAY = 3_600, 86_400


def render(measured: Mapping[str, Any]) -> str:
    """The whole page."""
    units = scale.find_units(measured["alone"])
    scaled = scale.compute(measured)
    return "\n".join(
        [
            "# Scale",
            "",
            (
                "Written by `python -m bench.day`: every figure here was measured, or is computed"
                " from what was."
            ),
            "",
            "## A day, measured",
            "",
            *_describe_day(measured),
            "",
            *_tabulate_runs(measured),
            "",
            *_compare(measured),
            "",
            *_tabulate_units(units),
            "",
            "## A thousand clients, on paper",
            "",
            *_describe_assumptions(measured),
            "",
            *_tabulate_scaled(scaled),
            "",
            "## Where one machine stops, and what takes over",
            "",
            *_tabulate_ends(units, scaled, measured),
            "",
            *prose.PARTS,
            "",
            "## Which keys carry the tenant",
            "",
            *prose.KEYS,
            "",
            measured["keys"],
            "",
            "## What was not measured",
            "",
            *prose.OPEN,
            "",
        ]
    )


def _describe_day(measured: Mapping[str, Any]) -> list[str]:
    day = measured["day"]
    shares = ", ".join(
        f"{kind.per_mille / 10:g} % {kind.text}" for kind in kinds.OF_A_DAY if kind.per_mille
    )
    scaled = "" if measured["runs"] == 10_000 else " (a day of 10,000 in small)"
    return [
        (
            f"{measured['runs']:,} runs of {measured['machines']:,} machines of"
            f" {measured['clients']:,} clients{scaled}, by the agent protocol, against an"
            " installation"
            f" of `./run up`; 24 hours in {measured['minutes']:g} minutes."
        ),
        f"Of them {shares}.",
        f"The busiest hour has {measured['peak_share']:.0%} of the runs.",
        (
            f"They came in {day['played_seconds']:.0f} s, the latest {day['latest_seconds']:.0f} s"
            f" after its moment; after {day['settled_seconds']:.0f} s all events were handled, all"
            " names findable and all mails sent."
        ),
        f"{day['repeated']} calls were asked to come again later, none was refused.",
        f"Machine: {measured['machine']}; machines, servers and whatever else ran there shared it.",
        (
            "What the installation uses while nothing is asked of it was taken off:"
            f" {_sum(measured['idle']['processor']) / measured['idle']['seconds']:.1%} of one core."
        ),
    ]


def _tabulate_runs(measured: Mapping[str, Any]) -> list[str]:
    names = [kinds.FIRST, *kinds.OF_A_DAY]
    columns = [measured["alone"][kind.name] for kind in names]
    columns.append({**measured["day"], "runs": measured["runs"]})
    lines = [
        "| of one run | "
        + " | ".join([*(kind.text for kind in names), "**the day's mean**"])
        + " |",
        "|---|" + "--:|" * len(columns),
        _row("runs measured", (f"{one['runs']:,}" for one in columns)),
    ]
    for name in ORDER:
        used = (f"{1000 * one['processor'][name] / one['runs']:.1f}" for one in columns)
        lines.append(_row(f"processor, {name} (ms)", used))
    total = (f"**{1000 * _sum(one['processor']) / one['runs']:.0f}**" for one in columns)
    lines.append(_row("processor, all (ms)", total))
    for schema in ("catalogue", *_names(columns, "rows", without="catalogue")):
        rows = (f"{one['rows'][schema] / one['runs']:,.1f}" for one in columns)
        lines.append(_row(f"rows, {schema}", rows))
    for service in _names(columns, "events"):
        events = (f"{one['events'][service] / one['runs']:.1f}" for one in columns)
        lines.append(_row(f"events said, {service}", events))
    lines += [
        _row("mails", (f"{one['mails'] / one['runs']:.2f}" for one in columns)),
        _row("WAL (kB)", (f"{one['wal_bytes'] / one['runs'] / 1000:,.0f}" for one in columns)),
        _row(
            "growth of the database (kB)",
            (f"{one['database_bytes'] / one['runs'] / 1000:,.0f}" for one in columns),
        ),
    ]
    return lines


def _names(columns: Sequence[Mapping[str, Any]], what: str, without: str = "") -> list[str]:
    names = sorted({name for one in columns for name in one[what]} - {without})
    return [n for n in names if any(abs(one[what][n]) >= one["runs"] / 20 for one in columns)]


def _compare(measured: Mapping[str, Any]) -> list[str]:
    whole = _sum(measured["day"]["processor"])
    foretold = scale.foretell_day(measured)
    night = measured["night"]
    clients = measured["clients"]
    return [
        (
            f"By what each kind took alone, the day should have taken {foretold:.0f} s of"
            " processor;"
            f" it took {whole:.0f}."
        ),
        (
            f"Retention's round of the night (it expires, collects, and compares all restore points"
            f" with their seals) took {night['processor']['retention']:.1f} s of its processor and"
            f" {night['processor']['PostgreSQL']:.1f} of PostgreSQL's for {clients}"
            " clients, its start"
            " included."
        ),
    ]


def _tabulate_units(units: Units) -> list[str]:
    columns = [(units.run, 1.0), (units.file, 1_000.0), (units.megabyte, 1_000.0)]
    lines = [
        "So a run costs, whatever it brings, and each new file and each megabyte in it adds:",
        "",
        "| | a run | 1,000 files | 1 GB |",
        "|---|--:|--:|--:|",
    ]
    for name in ORDER:
        used = (f"{unit.processor[name] * times:.2f}" for unit, times in columns)
        lines.append(_row(f"processor, {name} (s)", used))
    lines += [
        _row("processor, all (s)", (f"{unit.total * times:.2f}" for unit, times in columns)),
        _row("WAL (kB)", (f"{unit.wal_bytes * times / 1000:,.0f}" for unit, times in columns)),
        _row(
            "growth of the database (kB)",
            (f"{unit.database_bytes * times / 1000:,.0f}" for unit, times in columns),
        ),
    ]
    return lines


def _describe_assumptions(measured: Mapping[str, Any]) -> list[str]:
    return [
        (
            f"{CLIENTS:,} clients with {MACHINES} machines each, {FILES:,} files on each"
            " machine, one"
            " run a night."
        ),
        (
            f"Assumed: {FILE_BYTES / 1000:.0f} kB a file, of which"
            f" {scale.STORED_SHARE:.0%} are left once it is compressed and what repeats"
            " itself is gone;"
            f" {scale.CHANGED_FILES:,} files in each run that brings some; the day's own shares of"
            f" kinds and hours; all first copies within {FIRST_DAYS} days;"
            f" events kept for {scale.KEPT_DAYS} days."
        ),
        "Who assumes otherwise changes the constants of `bench/day/scale.py`.",
    ]


def _tabulate_scaled(scaled: Scaled) -> list[str]:
    first_seconds = FIRST_DAYS * DAY
    return [
        "| | |",
        "|---|--:|",
        _row("runs a day", [f"{scaled.runs_a_day:,}"]),
        _row("runs in the busiest hour", [f"{scaled.busiest_hour_runs:,.0f}"]),
        _row("sent a day", [f"{scaled.megabytes_a_day / 1000:,.0f} GB"]),
        _row("events said a day", [f"{scaled.events_a_day:,.0f}"]),
        _row("mails a day", [f"{scaled.mails_a_day:,.0f}"]),
        _row("WAL a day", [f"{scaled.day.wal_bytes / 1e9:.1f} GB"]),
        _row(
            "processor, all, in the busiest hour",
            [f"{scaled.busiest_hour.total / HOUR:.2f} cores"],
        ),
        _row("stored", [f"{scaled.stored_bytes / 1e15:.1f} PB"]),
        _row("catalogue", [f"{scaled.catalogue_bytes / 1e12:.1f} TB"]),
        _row("events, runs and mails of 35 days", [f"{scaled.events_bytes / 1e9:.0f} GB"]),
        _row(
            f"first copies within {FIRST_DAYS} days: sent",
            [f"{scaled.first_megabytes / first_seconds:,.0f} MB/s"],
        ),
        _row(
            "first copies: processor, all",
            [f"{scaled.first.total / first_seconds:.1f} cores, all the while"],
        ),
        _row("first copies: WAL", [f"{scaled.first.wal_bytes / first_seconds / 1e6:.1f} MB/s"]),
    ]


def _tabulate_ends(units: Units, scaled: Scaled, measured: Mapping[str, Any]) -> list[str]:
    first_seconds = FIRST_DAYS * DAY
    per_run = _mean_of_day(measured)
    lines = [
        "| part | one core does | the thousand clients need at night | and for the first copies |",
        "|---|---|---|---|",
    ]
    for name in ORDER:
        runs = HOUR / per_run.processor[name] if per_run.processor[name] else 0
        megabytes = 1 / units.megabyte.processor[name] if units.megabyte.processor[name] else 0
        does = f"{_round(runs):,.0f} runs of the day an hour"
        if name in CARRY_CONTENTS and megabytes:
            does += f", or {_round(megabytes):,.0f} MB/s"
        night = scaled.busiest_hour.processor[name] / HOUR
        first = scaled.first.processor[name] / first_seconds
        lines.append(f"| {name} | {does} | {_say_cores(night)} | {_say_cores(first)} |")
    return lines


def _mean_of_day(measured: Mapping[str, Any]) -> Unit:
    day = measured["day"]
    whole = Unit(day["processor"], day["wal_bytes"], day["database_bytes"])
    return whole.times(1 / measured["runs"])


def _round(value: float) -> float:
    return float(f"{value:.2g}")


def _say_cores(cores: float) -> str:
    return f"{cores:.2f} cores" if cores < 10 else f"{cores:.0f} cores"


def _sum(processor: Mapping[str, float]) -> float:
    return sum(processor.values())


def _row(name: str, values: Any) -> str:
    return f"| {name} | " + " | ".join(values) + " |"
