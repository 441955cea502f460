"""The provider that `./run demo` plays, for all tests of its pages: filled once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from devstack.provider import filling
from devstack.provider.cast import COMPANIES, DAYS, Company, Story
from devstack.provider.filling import Play
from devstack.stack import Stack
from tests.portal.conftest import chromium  # noqa: F401 - a fixture for all
from tests.world.house import House, take_place

PASSWORD = "quatre-mots-pour-entrer"
FORTNIGHT, HALF_YEAR = "fortnight", "half-year"
STORIES: tuple[Story, ...] = ("reminded", "encrypted", "failing", "ended", "helped")


def find_company(story: Story) -> Company:
    """The first client of a story."""
    return next(one for one in COMPANIES if one.story == story)


CASTS: dict[str, tuple[Sequence[Company], int]] = {
    FORTNIGHT: ([COMPANIES[2], *map(find_company, STORIES)], 15),
    HALF_YEAR: (COMPANIES, DAYS),
}
"""Who is played, and for how many days."""


@dataclass(frozen=True)
class Demo:
    """A filled installation whose portal runs."""

    stack: Stack
    house: House
    play: Play
    companies: Sequence[Company]
    days: int


def _fill(stack: Stack, companies: Sequence[Company], days: int) -> Play:
    with structlog.testing.capture_logs():
        doing = filling.fill(stack, PASSWORD, lambda _share, _day: None, companies, days)
        return asyncio.run(doing)


@pytest.fixture(
    scope="session", params=[FORTNIGHT, pytest.param(HALF_YEAR, marks=pytest.mark.long)]
)
def demo(
    request: pytest.FixtureRequest,
    servers: Any,
    database_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Demo]:
    """A fortnight of six clients; in the long tests the whole half year as well."""
    companies, days = CASTS[request.param]
    folder = tmp_path_factory.mktemp("demo")
    with take_place(servers, database_template, folder / "place") as stack:
        with ThreadPoolExecutor(1) as beside:  # whatever loop the tests have
            play = beside.submit(_fill, stack, companies, days).result()
        house = House(stack)
        try:
            house.start("portal")
            yield Demo(stack, house, play, companies, days)
        finally:
            house.close()
