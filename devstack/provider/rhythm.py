"""When each plan runs in the half year, and how each run goes: the same in each demonstration."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim

from devstack.provider.cast import Company, Machine, Plan, Story

PARIS = ZoneInfo("Europe/Paris")

Fate = Literal["well", "warned", "failed", "encrypted", "emptied", "blocked"]
"""How a run goes: `emptied` lost a large folder, which was meant; `blocked` may not grow."""

WARNED, FAILED, ABSENT = 0.035, 0.012, 0.005
"""How often a run of a calm plan isn't a good one, or doesn't come."""

STILL = timedelta(minutes=10)
"""How long before the end nothing begins any more, so that what began is over."""

LEARNT = 14
"""For how many days a plan's first runs all go well."""


@dataclass(frozen=True)
class Turn:
    """A run that comes: `days_left` before the end; chance: what else it draws from."""

    at: datetime
    days_left: int
    company: Company
    machine: Machine
    plan: Plan
    fate: Fate
    chance: random.Random


ENDED: dict[Story, int] = {"suspended": 9, "ended": 13, "destroyed": 52}
"""From how many days before the end on nothing comes any more."""


def each_turn(company: Company, first: datetime, until: datetime, now: datetime) -> Iterator[Turn]:
    """All runs of a client that are due between two moments, plan by plan, and over by now."""
    for machine in company.machines:
        for plan in machine.plans:
            yield from _turns_of(company, machine, plan, first, until, now)


def _turns_of(
    company: Company, machine: Machine, plan: Plan, first: datetime, until: datetime, now: datetime
) -> Iterator[Turn]:
    today, over = now.astimezone(PARIS).date(), now - STILL
    for due in CronSim(plan.schedule, first.astimezone(PARIS)):
        days_left = (today - due.date()).days
        chance = random.Random(f"{company.slug} {machine.hostname} {plan.name} {days_left}")
        at = due + timedelta(seconds=chance.randint(2, 400))
        if due >= min(until, over):
            return
        is_newest = next(CronSim(plan.schedule, due)) >= over
        fate = _find_fate(company, machine, plan, days_left, is_newest, chance)
        if fate is not None:
            yield Turn(at, days_left, company, machine, plan, fate, chance)


def _find_fate(
    company: Company,
    machine: Machine,
    plan: Plan,
    days_left: int,
    is_newest: bool,
    chance: random.Random,
) -> Fate | None:
    """How a run goes; None where it doesn't come."""
    drawn = chance.random()
    if company.story in ENDED and days_left < ENDED[company.story]:
        return None
    told = _find_told(company, machine, plan, days_left, is_newest)
    if told is not None:
        return None if told == "absent" else told
    if days_left > company.opened - LEARNT or plan.copied:
        return "well"
    if drawn < FAILED:
        return "failed"
    if drawn < FAILED + ABSENT:
        return None
    return "warned" if drawn < FAILED + ABSENT + WARNED and not plan.dumps else "well"


def _find_told(
    company: Company, machine: Machine, plan: Plan, days_left: int, is_newest: bool
) -> Fate | Literal["absent"] | None:
    """What a client's story has for a run; None where it says nothing of it."""
    is_first, is_last = plan is machine.plans[0], machine is company.machines[-1]
    found: dict[Story, tuple[bool, Fate | Literal["absent"]]] = {
        "failing": (is_first and days_left <= 4, "failed"),
        "dump-failing": (is_first and days_left <= 2, "failed"),
        "silent": (machine is company.machines[0] and days_left <= 4, "absent"),
        "paused": (is_last and days_left <= 40, "absent"),
        "blocked": (is_first and days_left <= 10, "blocked"),
        "encrypted": (plan.name == "résultats" and is_newest, "encrypted"),
        "cleared": (plan.name == "ged" and days_left == 47, "emptied"),
        "helped": (is_first and days_left <= 2, "warned"),
    }
    applies, fate = found.get(company.story, (False, "well"))
    return fate if applies else None
