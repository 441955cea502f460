"""A house of ingest and retention on real servers, with clients of each test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from services.retention import rules
from tests.retention.house import Client, Gates, House
from tests.world.house import take_place


@pytest.fixture(scope="session")
def make_house(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[rules.collection.Limits], House]]:
    """Builds houses, not yet open, on one database and bucket: each test has its own clients."""
    with take_place(servers, database_template, tmp_path_factory.mktemp("house")) as place:
        store = servers.s3_endpoint, servers.s3_access_key, servers.s3_secret_key
        yield lambda limits: House(place, Gates.in_s3(*store, place.bucket), limits)


@pytest.fixture
async def house(make_house: Callable[[rules.collection.Limits], House]) -> AsyncIterator[House]:
    """A house in which packs are never young, and condemned ones kept for a day."""
    house = await make_house(rules.collection.Limits(timedelta(0), timedelta(days=1))).open()
    yield house
    await house.close()


@pytest.fixture
async def client(house: House) -> Client:
    """An active client company."""
    return await house.tenant()
