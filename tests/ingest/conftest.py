"""A running ingest, shared by a worker's tests, a tenant of the test's own, and a stranger."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from libs.shared import database
from tests.ingest.lost import Empty, empty_database
from tests.world.agents import Agent
from tests.world.house import House, open_house
from tests.world.tenants import Tenant


@pytest.fixture(scope="session")
def ingest(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """One ingest for all tests of a worker: each test has tenants of its own."""
    folder = tmp_path_factory.mktemp("ingest")
    with open_house(servers, database_template, folder, "ingest") as house:
        yield house


@pytest.fixture
def own_ingest(
    servers: Any, database_template: str, tmp_path: Path
) -> Iterator[Callable[..., House]]:
    """Starts services that a test may kill, or that can't reach something."""
    with ExitStack() as stack:

        def start(**environ: str) -> House:
            folder = tmp_path / f"house-{uuid.uuid4().hex}"
            return stack.enter_context(
                open_house(servers, database_template, folder, "ingest", **environ)
            )

        yield start


@pytest.fixture
async def tenant(ingest: House) -> Tenant:
    """An active client company."""
    tenant = Tenant(ingest)
    await tenant.becomes("active")
    return tenant


@pytest.fixture
async def agent(tenant: Tenant) -> AsyncIterator[Agent]:
    """An enrolled machine."""
    agent = await tenant.enrol()
    yield agent
    await agent.client.aclose()


@pytest.fixture
async def stranger(ingest: House) -> AsyncIterator[Agent]:
    """A machine of another client, who must see nothing."""
    other = Tenant(ingest)
    await other.becomes("active")
    agent = await other.enrol()
    yield agent
    await agent.client.aclose()


@pytest.fixture
async def portal_pool(ingest: House) -> AsyncIterator[Any]:
    """Reads the catalogue as the portal does, under row-level security."""
    dsn = ingest.dsn("portal")
    pool = await database.create_pool(dsn, "portal", max_size=2)
    yield pool
    await pool.close()


@pytest.fixture
async def empty(ingest: House, database: Any) -> AsyncIterator[Empty]:
    """An empty database beside the bucket that a worker's tests share."""
    async with empty_database(ingest, database.dsn("ingest")) as rebuilt:
        yield rebuilt
