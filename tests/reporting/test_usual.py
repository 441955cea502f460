"""Which runs are unusual: next to none of an ordinary year's, and each that should be."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest

from services.reporting import rules
from services.reporting.rules.usual.judging import LIMITS, Bounds, Past, judge
from tests.reporting.years import (
    BEGINNING,
    INCIDENTS,
    ORDINARY,
    Incident,
    Night,
    Plan,
    Year,
    encrypt,
    office,
)

QUARTERS = 4
SHARP = Bounds(some=0.05, week=0.2, removed=0.15, left=0.6, dump=0.75, over=1.5)
BLUNT = Bounds(some=0.2, week=0.5, removed=0.5, left=0.3, dump=0.4, over=3.0)
SETTINGS = {"as set": LIMITS, "sharper": SHARP, "blunter": BLUNT}


def count_alarms(year: Year, seed: int, limits: Bounds = LIMITS) -> Counter[str]:
    """How often an ordinary year is taken for unusual; each time somebody says that it isn't."""
    alarms: Counter[str] = Counter()
    for day, (plan, night) in enumerate(year(random.Random(seed))):
        judged = plan.judge(plan.run(day - 1, night), limits)
        if judged.verdicts:
            alarms[judged.verdicts[0].code] += 1
            plan.accept()
    return alarms


def find_day(year: Year, seed: int, incident: Incident, limits: Bounds = LIMITS) -> int | None:
    """On which of its nights an incident in the autumn is found; None: on none of them."""
    begins = random.Random(f"{seed}").randrange(250, 320)
    while (BEGINNING + timedelta(days=begins)).weekday() > 2:
        begins += 1
    for at, (plan, night) in enumerate(year(random.Random(seed))):
        day = at - 1
        if day < begins:
            plan.past.insert(0, Past(plan.run(day, night)))
            continue
        incident.plant(plan, night)
        judged = plan.judge(plan.run(day, night), limits)
        if incident.code in {one.code for one in judged.verdicts}:
            return day - begins + 1
        if day + 1 == begins + incident.nights:
            break
    return None


EACH = [(name, plan) for name, one in INCIDENTS.items() for plan in one.plans]


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_year_has_less_than_one_false_alarm_a_quarter(name: str) -> None:
    alarms = count_alarms(ORDINARY[name], 1)
    print(f"{name}: {alarms.total() / QUARTERS:.2f} false alarms a quarter {dict(alarms)}")
    assert alarms.total() < QUARTERS


@pytest.mark.parametrize(("name", "plan"), EACH)
def test_what_is_planted_is_found_on_its_day(name: str, plan: str) -> None:
    incident = INCIDENTS[name]
    for seed in range(3):
        found = find_day(ORDINARY[plan], seed, incident)
        assert found is not None, seed
        assert found <= incident.found_by, seed


@pytest.mark.long
@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_are_compared(setting: str) -> None:
    """The table of docs/unusual.md: false alarms a quarter, incidents not found in time."""
    limits, seeds = SETTINGS[setting], range(20)
    alarms = {
        name: sum(count_alarms(year, seed, limits).total() for seed in seeds)
        for name, year in ORDINARY.items()
    }
    for name, total in alarms.items():
        print(f"{setting}: {name}: {total / QUARTERS / len(seeds):.2f} false alarms a quarter")
    missed: Counter[str] = Counter()
    for name, plan in EACH:
        for seed in seeds:
            found = find_day(ORDINARY[plan], seed, INCIDENTS[name], limits)
            missed[name] += found is None or found > INCIDENTS[name].found_by
    print(f"{setting}: not found in time, of {len(seeds)} a plan: {dict(+missed)}")
    if limits is LIMITS:
        assert max(alarms.values()) < QUARTERS * len(seeds)


def lived(year: Year, nights: int) -> Plan:
    """A plan after so many ordinary nights."""
    for day, (plan, night) in enumerate(year(random.Random(7))):
        plan.past.insert(0, Past(plan.run(day - 1, night)))
        if day == nights:
            return plan
    raise AssertionError


def test_after_an_acceptance_the_new_level_is_the_usual_one() -> None:
    plan = lived(office, 100)
    quiet = Night(new=3, changed=10)
    removed = plan.judge(plan.run(101, Night(removed=round(plan.files * 0.9))))
    assert [one.code for one in removed.verdicts] == ["mass-removal"]
    again = plan.judge(plan.run(102, quiet))
    assert [one.code for one in again.verdicts] == ["mass-removal"], "nobody said that it was meant"
    plan.accept()
    for day in range(103, 140):
        assert plan.judge(plan.run(day, quiet)).verdicts == ()
    night = Night()
    encrypt(0.9)(plan, night)
    assert [one.code for one in plan.judge(plan.run(140, night)).verdicts] == ["mass-change"]


def test_what_each_saturday_brings_is_unusual_on_a_tuesday() -> None:
    """A weekday is compared with itself: a plan's weekly rewriting hides nothing on other days."""
    plan = Plan(5_000, 1_000_000)
    plan.past.insert(0, Past(plan.run(0, Night())))
    full = Night(changed=3_300, packed=0.99)
    for day in range(1, 78):
        night = full if day % 7 == 5 else Night(changed=20, packed=0.9)
        plan.past.insert(0, Past(plan.run(day, night)))
    twin = Plan(plan.files, plan.file_bytes, past=list(plan.past), number=plan.number)
    assert [one.code for one in plan.judge(plan.run(78, full)).verdicts] == ["mass-change"]
    for day in (78, 79, 80, 81):
        twin.judge(twin.run(day, Night(changed=20, packed=0.9)))
    assert twin.judge(twin.run(82, full)).verdicts == (), "it is Saturday"


def test_a_plan_whose_nights_are_all_alike_has_room_for_a_little() -> None:
    """Its spread is 0, and one file more is nothing."""
    plan = Plan(1_000, 50_000)
    for day in range(40):
        plan.past.insert(0, Past(plan.run(day, Night(changed=5))))
    more = plan.judge(plan.run(41, Night(new=20, changed=8)))
    assert more.verdicts == ()
    assert [one.name for one in more.figures if one.is_unusual] == []
    fewer = plan.judge(plan.run(42, Night(removed=180, changed=5)))
    assert fewer.moved == (), "of which nobody said what it read and sent"
    read = [
        one.figures.model_copy(update={"bytes_read": 900 + at, "bytes_sent": None})
        for at, one in enumerate(plan.past[:5])
    ]
    now = read[0].model_copy(update={"bytes_read": 5_000, "bytes_sent": 70})
    moved = rules.usual.judging.compare_moved(now, read)
    assert [(one.name, one.now, one.usual, one.spread) for one in moved] == [
        ("read", 5_000, 902, 1), ("sent", 70, None, None)
    ]  # fmt: skip
    files = next(one for one in fewer.figures if one.name == "files")
    assert (files.now, files.usual, files.spread, files.is_unusual) == (840, 1_000, 0, True)


def test_a_plan_of_yesterday_is_not_judged() -> None:
    plan = Plan(1_000, 50_000)
    for day in range(3):
        night = Night() if day == 0 else Night(changed=1_000, packed=1.0)
        judged = plan.judge(plan.run(day, night))
        assert judged.verdicts == ()
        assert all(one.usual is None and not one.is_unusual for one in judged.figures)


def test_a_mad_spread_is_of_most_and_not_moved_by_one() -> None:
    usual = rules.usual.figures.find_usual([100, 104, 100, 96, 9_000])
    assert usual is not None
    assert (usual.median, usual.spread, usual.reach) == (100, 4, 8_900)
    assert rules.usual.figures.find_usual([5, 5]) is None
    assert judge is rules.usual.judging.judge
