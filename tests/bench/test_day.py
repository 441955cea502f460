"""A compressed day: what it consists of, and what is computed from it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import asyncpg
import pytest

from bench.day import keys, kinds, page, scale
from bench.day.costs import Used

PROCESSOR = dict.fromkeys(page.ORDER, 0.0)
RUN, FILE, MEGABYTE = 0.1, 0.0002, 0.02


def _used(seconds_by_ingest: float, database_bytes: int = 0) -> Used:
    processor = PROCESSOR | {"ingest": seconds_by_ingest}
    return Used(60.0, processor, {"catalogue": 9}, {"ingest": 20}, 10, 5_000, database_bytes)


def _alone(kind: kinds.Kind) -> dict[str, Any]:
    one = RUN + kind.files * FILE + kind.sent_bytes / 1e6 * MEGABYTE
    return {"runs": 10, **asdict(_used(10 * one, 10 * 700 * kind.files))}


def test_a_day_has_its_shares_and_most_of_it_at_night() -> None:
    day = kinds.plan_day(10_000, seed=7)
    counted = {kind.name: sum(due.kind is kind for due in day) for kind in kinds.OF_A_DAY}
    assert counted == {"unchanged": 9000, "changed": 700, "many": 50, "large": 50, "failed": 200}
    assert [due.share_of_day for due in day] == sorted(due.share_of_day for due in day)
    night = sum(due.share_of_day < 7 / 24 or due.share_of_day >= 20 / 24 for due in day)
    assert night > 7_500
    assert {due.kind for due in kinds.plan_day(100, seed=7)} == set(kinds.OF_A_DAY)


def test_what_idles_is_no_cost_of_a_run() -> None:
    idle = Used(30.0, PROCESSOR | {"ingest": 0.3}, {}, {}, 0, 300, 0)
    assert _used(1.0).without_idling(idle).processor["ingest"] == pytest.approx(0.4)
    assert _used(0.1).without_idling(idle).processor["ingest"] == 0
    assert _used(1.0).without_idling(idle).wal_bytes == 4_400


def test_the_units_of_single_runs_are_found_and_make_a_thousand_clients() -> None:
    alone = {kind.name: _alone(kind) for kind in (kinds.FIRST, *kinds.OF_A_DAY)}
    units = scale.find_units(alone)
    # The large run's one file goes with its megabytes.
    assert units.run.processor["ingest"] == pytest.approx(RUN)
    assert units.file.processor["ingest"] == pytest.approx(FILE, rel=0.01)
    assert units.megabyte.processor["ingest"] == pytest.approx(MEGABYTE, rel=0.01)
    measured = {
        "machine": "2 cores", "clients": 2, "machines": 4, "minutes": 1, "runs": 1_000,
        "kinds": {kind.name: kind.per_mille for kind in kinds.OF_A_DAY},
        "peak_share": 0.125, "idle": asdict(_used(0.6)), "alone": alone,
        "day": {**asdict(_used(130.0)), "played_seconds": 60.0, "latest_seconds": 1.0,
                "settled_seconds": 63.0, "repeated": 0},
        "night": asdict(_used(0.0)), "keys": keys.describe([]),
    }  # fmt: skip
    scaled = scale.compute(measured)
    assert scaled.busiest_hour_runs == 1_250
    assert scaled.megabytes_a_day == pytest.approx(10_000 * 0.08 * 1_000 * 0.2)
    assert scaled.catalogue_bytes == pytest.approx(10**10 * 700, rel=0.01)
    assert scaled.stored_bytes == pytest.approx(1.2e15)
    text = page.render(measured)
    assert "| processor, ingest (ms) | 140.0 | 100.0 |" in text
    assert "| stored | 1.2 PB |" in text


async def test_the_page_lists_the_keys_that_the_schema_has(database: Any) -> None:
    conn = await asyncpg.connect(database.admin_dsn)
    tables = await keys.read_tables(conn)
    await conn.close()
    described = keys.describe(tables)
    text = keys.PAGE.read_text(encoding="utf-8")
    assert keys.replace(text, described) == text, "`python -m bench.day.keys` writes it anew"
    assert [one for one in tables if one.name == "catalogue.versions"] == [
        keys.Table("catalogue.versions", True, ())
    ]
