"""A running ingest, shared by a worker's tests, a tenant of the test's own, and a stranger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from libs.shared import database
from tests.ingest.lost import Empty, empty_database
from tests.ingest.machines import Agent, Tenant
from tests.ingest.service import Service, running_service


@pytest.fixture(scope="session")
def ingest(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """One ingest for all tests of a worker: each test has tenants of its own."""
    with running_service(servers, database_template, tmp_path_factory.mktemp("ingest")) as service:
        yield service


@pytest.fixture
def own_ingest(
    servers: Any, database_template: str, tmp_path: Path
) -> Iterator[Callable[..., Service]]:
    """Starts services that a test may kill, or that can't reach something."""
    with ExitStack() as stack:
        yield lambda **environ: stack.enter_context(
            running_service(servers, database_template, tmp_path, **environ)
        )


@pytest.fixture
async def tenant(ingest: Service) -> Tenant:
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
async def stranger(ingest: Service) -> AsyncIterator[Agent]:
    """A machine of another client, who must see nothing."""
    other = Tenant(ingest)
    await other.becomes("active")
    agent = await other.enrol()
    yield agent
    await agent.client.aclose()


@pytest.fixture
async def portal_pool(ingest: Service) -> AsyncIterator[Any]:
    """Reads the catalogue as the portal does, under row-level security."""
    dsn = ingest.environ["COFFRE_DATABASE_URL"].replace("coffre_ingest", "coffre_portal")
    pool = await database.create_pool(dsn, "portal", max_size=2)
    yield pool
    await pool.close()


@pytest.fixture
async def empty(ingest: Service, database: Any) -> AsyncIterator[Empty]:
    """An empty database beside the bucket that a worker's tests share."""
    async with empty_database(ingest, database.dsn("ingest")) as rebuilt:
        yield rebuilt
