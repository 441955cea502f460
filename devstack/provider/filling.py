"""Plays the half year, moment after moment, on an installation whose own services rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from operator import attrgetter, itemgetter

from devstack.provider import acts, copies, machines, people
from devstack.provider.cast import COMPANIES, DAYS, Company
from devstack.provider.house import House, open_house
from devstack.provider.people import Office
from devstack.provider.rhythm import PARIS, Turn, each_turn
from devstack.stack import Stack

OPENING, FURNISHING = 9.0, 8.5
"""When clients are opened, by the hour."""
NIGHT = 0.4
REPORTING = (7.1, 14.0)
CLOSING_DAY, CLOSING = 3, 10.0
TOGETHER, LASTING = timedelta(minutes=15), timedelta(minutes=8)
"""Within how long runs are played as one, and how long they take."""
HEAD_START = timedelta(days=2)
"""How long the provider is there before its first client."""

Do = Callable[[], Awaitable[object]]
Progress = Callable[[float, str], None]


class Play:
    """One half year: its clients, what is due when, how far it is."""

    def __init__(
        self,
        house: House,
        password: str,
        companies: Sequence[Company] = COMPANIES,
        days: int = DAYS,
    ) -> None:
        self.house = house
        self.office = Office(house, password, companies)
        self.days = days
        self.runs = 0
        self._growths: dict[str, machines.Growth] = {}
        self._copies: dict[tuple[str, str], copies.Copies] = {}
        self._last = datetime.min.replace(tzinfo=UTC)
        self.now = datetime.now(UTC)

    async def run(self, told: Progress) -> None:
        """Plays all, up to now; told: of the share that is done, and the day."""
        today = self.now.astimezone(PARIS).date()
        self.house.go_to(self.at(self.days, FURNISHING) - HEAD_START)
        await self.house.believe()
        await people.furnish(self.office)
        for days_left in range(self.days, -1, -1):
            told(1 - days_left / self.days, f"{today - timedelta(days=days_left):%d/%m/%Y}")
            due = sorted(self._due(days_left), key=itemgetter(0))
            for at, do in due:
                self._go_to(at)
                await do()
            await self.house.mail()
        self._go_to(self.now)
        await self.house.turn_ingest()
        await self.house.turn_night()
        await self.house.turn_retention("reduce", "count_fills")
        await self.house.mail()

    def at(self, days_left: int, hour: float) -> datetime:
        """A moment of a day, by the hour in Paris."""
        day = self.now.astimezone(PARIS).date() - timedelta(days=days_left)
        midnight = datetime.combine(day, time(), PARIS)
        return (midnight + timedelta(hours=hour)).astimezone(UTC)

    def _go_to(self, moment: datetime) -> None:
        """The time never goes back: a run may last longer than until the next one begins."""
        self._last = max(self._last, moment)
        self.house.go_to(self._last)

    def _due(self, days_left: int) -> Iterator[tuple[datetime, Do]]:
        """All that happens on a day, up to now; what is of one moment in this order."""
        found: list[tuple[datetime, Do]] = [(self.at(days_left, NIGHT), self.house.turn_night)]
        found += [(self.at(days_left, hour), self.house.turn_reporting) for hour in REPORTING]
        for company in self.office.companies:
            if min(company.opened, self.days) == days_left:
                found.append((self.at(days_left, OPENING), partial(self._open, company)))
        for day, hour, act in acts.SCHEDULE:
            if day == days_left:
                found.append((self.at(day, hour), partial(act, self.office)))
        if self.at(days_left, 12).astimezone(PARIS).day == CLOSING_DAY and days_left < self.days:
            closing = self.at(days_left, CLOSING)
            found.append((closing, partial(acts.close_month, self.office)))
        for turns in _together(sorted(self._turns(days_left), key=attrgetter("at"))):
            over = turns[-1].at + (timedelta(0) if turns[0].plan.copied else LASTING)
            found.append((over, partial(self._run, turns)))
        for at, do in found:
            if at <= self.now:
                yield at, do

    def _turns(self, days_left: int) -> Iterator[Turn]:
        first, until = self.at(days_left, 0), self.at(days_left - 1, 0)
        for company in self.office.companies:
            opened = self.at(min(company.opened, self.days), OPENING + 1)
            yield from each_turn(company, max(first, opened), until, self.now)

    async def _open(self, company: Company) -> None:
        await people.open_client(self.office, company)
        for machine in company.machines:
            standings = await machines.enrol(self.house, company, machine)
            for plan, standing in zip(machine.plans, standings, strict=True):
                self.office.plans[company.slug, plan.name] = standing
        await people.choose_reports(self.office, company)

    async def _run(self, turns: Sequence[Turn]) -> None:
        """Runs that end at about one time, those of each client one after the other."""
        by_client: dict[str, list[Turn]] = {}
        for turn in turns:
            by_client.setdefault(turn.company.slug, []).append(turn)
        async with asyncio.TaskGroup() as clients:
            for those in by_client.values():
                clients.create_task(self._run_of_client(those))
        self.runs += len(turns)
        await self.house.settle()

    async def _run_of_client(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            key = turn.company.slug, turn.plan.name
            standing = self.office.plans[key]
            if turn.plan.copied:
                if key not in self._copies:
                    self._copies[key] = copies.begin(standing, turn)
                await self._copies[key].run(self.house, turn)
            else:
                growth = self._growths.setdefault(turn.company.slug, machines.Growth())
                await machines.finish(self.house, standing, turn, growth)


def _together(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """Runs that are due within a quarter of an hour; who really copies has the time alone."""
    found: list[Turn] = []
    for turn in turns:
        is_alone = turn.plan.copied or (found and found[0].plan.copied)
        if found and (is_alone or turn.at - found[0].at > TOGETHER):
            yield found
            found = []
        found.append(turn)
    if found:
        yield found


async def fill(
    stack: Stack,
    password: str,
    told: Progress,
    companies: Sequence[Company] = COMPANIES,
    days: int = DAYS,
) -> Play:
    """Plays the half year of these clients, or its last days; gives what was played."""
    async with open_house(stack) as house:
        play = Play(house, password, companies, days)
        await play.run(told)
        return play
