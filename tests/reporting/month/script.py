"""What happens in a simulated month: clients, plans, their runs, and all that goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from libs.shared.events import Locale, Outcome, ReportChoice

PARIS, NEW_YORK, REUNION = "Europe/Paris", "America/New_York", "Indian/Reunion"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ActKind = Literal[
    "suspend", "resume", "pause", "announce", "acknowledge", "snooze", "bounce", "forge", "clear"
]


@dataclass(frozen=True)
class Rhythm:
    """When a plan runs: at these times of its own clock, on some days; cron says the same."""

    cron: str
    times: tuple[tuple[int, int], ...] = ()
    weekdays: frozenset[int] = frozenset(range(7))
    monthday: int | None = None

    def list_times(self, zone: str, begin: datetime, end: datetime) -> list[datetime]:
        """Each moment from one up to another; the second excluded."""
        found: list[datetime] = []
        day = begin.astimezone(ZoneInfo(zone)).date() - DAY
        while day <= end.astimezone(ZoneInfo(zone)).date():
            if day.weekday() in self.weekdays and self.monthday in {None, day.day}:
                found += [find_moment(day, *one, zone) for one in self.times]
            day += DAY
        return [one for one in sorted(found) if begin <= one < end]


def find_moment(day: date, hour: int, minute: int, zone: str) -> datetime:
    """That time of that day: at the change where the clock has no such time, else the first."""
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
    moment = local.astimezone(UTC)
    shown = moment.astimezone(ZoneInfo(zone))
    if (shown.hour, shown.minute) != (hour, minute):
        return local.replace(minute=0).astimezone(UTC)
    return moment


def nightly(hour: int, minute: int) -> Rhythm:
    return Rhythm(f"{minute} {hour} * * *", ((hour, minute),))


TWICE = Rhythm("30 12,20 * * *", ((12, 30), (20, 30)))
WEEKDAYS = Rhythm("10 21 * * 1-5", ((21, 10),), frozenset(range(5)))
WEEKLY = Rhythm("40 3 * * 6", ((3, 40),), frozenset({5}))
MONTHLY = Rhythm("20 4 9 * *", ((4, 20),), monthday=9)
UNREADABLE = Rhythm("every night")


@dataclass(frozen=True)
class Person:
    """Who reads, and what of it."""

    email: str
    choice: ReportChoice
    locale: Locale


@dataclass(frozen=True)
class Planned:
    """A plan of a client; people: who reads its reports, the administrators where nobody is."""

    name: str
    rhythm: Rhythm
    zone: str
    people: tuple[Person, ...] = ()

    @property
    def client(self) -> str:
        return self.name.partition("-")[0]


@dataclass(frozen=True)
class Customer:
    """A client."""

    name: str
    zone: str
    locale: Locale
    administrators: tuple[Person, ...]
    plans: tuple[Planned, ...]
    declined: bool = False


@dataclass(frozen=True)
class Ran:
    """A run that ended; is_encrypted: ingest counted most files anew, and none that compresses."""

    at: datetime
    plan: str
    number: int
    outcome: Outcome
    code: str = ""
    restore_point: bool = True
    is_encrypted: bool = False


@dataclass(frozen=True)
class Act:
    """What an operator does, or a mail server of the outside: about a plan, a client, an address.

    until: of a pause, a snooze, a maintenance, which begins at `begins`.
    """

    at: datetime
    kind: ActKind
    about: str
    until: datetime | None = None
    begins: datetime | None = None


@dataclass
class Script:
    """All that happens from one moment up to another.

    steps: when reporting's jobs have their turns. outage: reporting itself is down. mail_down: no
    mail server answers. refusing: a domain whose server says "later".
    """

    start: datetime
    end: datetime
    customers: tuple[Customer, ...]
    runs: list[Ran] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    steps: list[datetime] = field(default_factory=list)
    outage: tuple[datetime, datetime] | None = None
    mail_down: tuple[datetime, datetime] | None = None
    refusing: tuple[str, datetime, datetime] | None = None
    declared: dict[str, datetime] = field(default_factory=dict)
    encrypted: frozenset[tuple[str, date]] = frozenset()

    @property
    def plans(self) -> dict[str, Planned]:
        return {plan.name: plan for one in self.customers for plan in one.plans}

    def declared_at(self, plan: str) -> datetime:
        return self.declared.get(plan, self.start)


def paris(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(PARIS)).astimezone(UTC)


def list_steps(start: datetime, end: datetime) -> list[datetime]:
    """Each full hour until noon, of which one is seven o'clock somewhere; then every third."""
    hours = int((end - start) / HOUR)
    each = [start + number * HOUR for number in range(hours + 1)]
    return [one for one in each if one.hour <= 12 or one.hour % 3 == 0 or one.hour == 22]


# --- who ------------------------------------------------------------------------------------------


def _people(client: str, locale: Locale, *choices: ReportChoice) -> tuple[Person, ...]:
    return tuple(Person(f"{one}@{client}.example", one, locale) for one in choices)


def _customer(
    name: str,
    administrators: tuple[Person, ...],
    *,
    zone: str = PARIS,
    people: tuple[Person, ...] = (),
    second: Rhythm | None = None,
    last: Rhythm = MONTHLY,
    declined: bool = False,
) -> Customer:
    rhythms = (nightly(2, 15), second or nightly(22, 40), WEEKDAYS, WEEKLY, last)
    plans = tuple(
        Planned(f"{name}-p{number}", rhythm, zone, people) for number, rhythm in enumerate(rhythms)
    )
    return Customer(name, zone, administrators[0].locale, administrators, plans, declined)


CUSTOMERS = (
    _customer("c0", _people("c0", "fr", "every")),
    _customer(
        "c1",
        _people("c1", "fr", "every"),
        people=_people("c1", "fr", "failures", "weekly", "every"),
    ),
    _customer("c2", _people("c2", "en", "failures"), second=TWICE),
    _customer("c3", _people("c3", "fr", "weekly")),
    _customer("c4", _people("c4", "fr", "every"), last=nightly(3, 5)),
    _customer("c5", _people("c5", "fr", "failures")),
    _customer("c6", _people("c6", "en", "every"), second=TWICE),
    _customer("c7", _people("c7", "en", "weekly", "every"), zone=NEW_YORK),
    _customer("c8", _people("c8", "fr", "weekly", "failures"), zone=REUNION, last=UNREADABLE),
    _customer("c9", _people("c9", "fr", "every"), declined=True),
)

# --- what -----------------------------------------------------------------------------------------

Fate = tuple[Outcome, str, bool]
FAILED: Fate = ("failed", "folder-missing", False)
KEPT: Fate = ("failed", "folder-missing", True)
ABANDONED: Fate = ("failed", "abandoned", False)
SUSPENDED: Fate = ("failed", "subscription-suspended", False)
WARNED: Fate = ("succeeded_with_warnings", "", True)


def _on(plan: str, month: str, *days: int) -> list[tuple[str, date]]:
    return [(plan, date.fromisoformat(f"{month}-{day:02}")) for day in days]


def _fill(
    script: Script,
    fates: dict[tuple[str, date], Fate],
    away: list[tuple[str, datetime, datetime]],
) -> None:
    """Every plan runs at its times and takes ten minutes, but for what is planted."""
    for plan in script.plans.values():
        number = 0
        begin = script.declared_at(plan.name)
        for at in plan.rhythm.list_times(plan.zone, begin + MINUTE, script.end):
            if any(name == plan.name and off <= at < on for name, off, on in away):
                continue
            day = at.astimezone(ZoneInfo(plan.zone)).date()
            outcome, code, kept = fates.get((plan.name, day), ("succeeded", "", True))
            number += 1
            is_encrypted = (plan.name, day) in script.encrypted
            script.runs.append(
                Ran(at + 10 * MINUTE, plan.name, number, outcome, code, kept, is_encrypted)
            )


def make_march() -> Script:
    """March 2026, from a Saturday on: New York changes on the 8th, Paris on the 29th."""
    start, end = paris("2026-02-28 13:00"), paris("2026-04-01 13:00")
    script = Script(start, end, CUSTOMERS, steps=list_steps(start, end))
    march = "2026-03"
    fates: dict[tuple[str, date], Fate] = {}
    for keys, fate in (
        (_on("c0-p0", march, 4), FAILED),
        (_on("c1-p0", march, 9, 10, 11), FAILED),
        (_on("c4-p0", march, 17, 18, 19), KEPT),
        (_on("c2-p1", march, 5), FAILED),
        (_on("c3-p0", march, 5, 15), FAILED),
        (_on("c6-p0", march, *range(20, 28)), FAILED),
        (_on("c0-p1", march, *range(17, 24)), FAILED),
        (_on("c4-p1", march, *range(3, 10)), FAILED),
        (_on("c7-p0", march, 7, 29), FAILED),
        (_on("c7-p1", march, 15), FAILED),
        (_on("c8-p0", march, 12), ABANDONED),
        (_on("c1-p2", march, 3, 4, 16), WARNED),
        (_on("c2-p0", march, 12, 13), WARNED),
        (_on("c5-p0", march, 13, 14), SUSPENDED),
        (_on("c9-p2", march, 10), FAILED),
        (_on("c0-p2", march, 26), FAILED),
    ):
        fates |= dict.fromkeys(keys, fate)
    window = (paris("2026-03-24 01:00"), paris("2026-03-24 05:00"))
    suspended = (paris("2026-03-12 10:00"), paris("2026-03-18 10:00"))
    silent = paris("2024-03-06 12:00")
    away = [
        ("c1-p1", paris("2026-03-17 12:00"), paris("2026-03-20 12:00")),
        ("c0-p0", paris("2026-03-28 12:00"), paris("2026-03-31 00:00")),
        ("c8-p0", paris("2026-03-28 12:00"), paris("2026-03-31 00:00")),
        ("c7-p1", paris("2026-03-07 12:00"), paris("2026-03-09 12:00")),
        ("c3-p2", paris("2026-03-09 00:00"), paris("2026-03-16 00:00")),
        ("c2-p1", paris("2026-03-20 00:00"), paris("2026-03-22 00:00")),
        ("c9-p0", paris("2026-03-05 00:00"), paris("2026-03-07 00:00")),
        ("c6-p4", paris("2026-03-09 00:00"), paris("2026-03-10 00:00")),
        ("c8-p1", paris("2026-03-10 00:00"), paris("2026-03-22 12:00")),
        ("c4-p2", paris("2026-03-13 12:00"), paris("2026-03-14 12:00")),
        ("c2-p0", paris("2026-03-15 00:00"), paris("2026-03-16 00:00")),
        ("c4-p4", silent, script.end),
        *((f"c5-p{number}", *suspended) for number in range(1, 5)),
        ("c5-p0", paris("2026-03-15 00:00"), suspended[1]),
        *((f"c{one}-p{plan}", *window) for one in range(5) for plan in range(5)),
    ]
    # Two years before the month a machine runs once, and never again.
    script.declared["c4-p4"] = paris("2024-03-04 13:00")
    script.steps = [
        script.declared["c4-p4"] + number * 3 * DAY
        for number in range(int((start - script.declared["c4-p4"]) / (3 * DAY)) + 1)
    ] + script.steps
    # One is cleared on the next morning, the other only when it was told again.
    script.encrypted = frozenset([*_on("c7-p0", march, 20), *_on("c0-p0", march, 20)])
    _fill(script, fates, away)
    for number, day in enumerate((3, 5), 1):
        script.runs.append(Ran(paris(f"2026-03-0{day} 03:00"), "c8-p4", number, "succeeded"))
    script.acts = [
        Act(paris("2026-03-02 09:30"), "pause", "c4-p4", until=paris("2027-01-01 00:00")),
        Act(paris("2026-03-12 09:30"), "pause", "c8-p1", until=paris("2026-03-20 00:00")),
        Act(suspended[0], "suspend", "c5"),
        Act(suspended[1], "resume", "c5"),
        *(
            Act(paris("2026-03-20 09:30"), "announce", f"c{one}", window[1], window[0])
            for one in range(5)
        ),
        Act(paris("2026-03-18 09:30"), "acknowledge", "c0-p1"),
        Act(paris("2026-03-04 09:30"), "snooze", "c4-p1", until=paris("2026-03-09 00:00")),
        *(Act(paris(f"2026-03-{day} 05:30"), "bounce", "every@c6.example") for day in (10, 11, 12)),
        Act(paris("2026-03-16 05:30"), "forge", "every@c0.example"),
        Act(paris("2026-03-21 09:30"), "clear", "c7-p0"),
        Act(paris("2026-03-25 09:30"), "clear", "c0-p0"),
    ]
    script.outage = (paris("2026-03-14 20:30"), paris("2026-03-15 21:30"))
    script.mail_down = (paris("2026-03-26 01:30"), paris("2026-03-27 01:30"))
    script.refusing = ("c1.example", paris("2026-03-06 00:30"), paris("2026-03-07 13:30"))
    return script


def make_autumn() -> Script:
    """Both nights to winter: Paris on 25 October, New York on 1 November 2026."""
    start, end = paris("2026-10-23 14:00"), paris("2026-11-03 13:00")
    customers = tuple(one for one in CUSTOMERS if one.name in {"c1", "c3", "c7", "c8"})
    script = Script(start, end, customers, steps=list_steps(start, end))
    fates: dict[tuple[str, date], Fate] = dict.fromkeys(
        [
            *_on("c1-p0", "2026-10", 25),
            *_on("c7-p0", "2026-11", 1),
            *_on("c3-p1", "2026-10", 24, 25),
            *_on("c8-p1", "2026-10", 25),
        ],
        FAILED,
    )
    away = [
        ("c3-p0", paris("2026-10-24 12:00"), paris("2026-10-26 12:00")),
        ("c7-p1", paris("2026-10-31 12:00"), paris("2026-11-02 12:00")),
        ("c1-p1", paris("2026-10-25 00:00"), paris("2026-10-26 00:00")),
    ]
    _fill(script, fates, away)
    return script
