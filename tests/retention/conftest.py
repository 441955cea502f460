"""A house of ingest and retention on real servers, with clients of each test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from services.retention import rules
from tests.retention.house import Client, Gates, House
from tests.servers import cloned_database, make_bucket


@pytest.fixture(scope="session")
def make_house(
    servers: Any, database_template: str
) -> Iterator[Callable[[rules.collection.Limits], House]]:
    """Builds houses, not yet open, on one database and bucket: each test has its own clients."""
    with cloned_database(servers, database_template) as name:
        bucket = make_bucket(servers)
        dsns = {
            service: f"postgresql://coffre_{service}:coffre_{service}@127.0.0.1:"
            f"{servers.postgres_port}/{name}"
            for service in ("ingest", "retention", "owner")
        }

        def make(limits: rules.collection.Limits) -> House:
            keys = servers.s3_access_key, servers.s3_secret_key
            return House(dsns, bucket, Gates(servers.s3_endpoint, *keys, bucket), limits)

        yield make


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
