"""A portal on real servers: its process for stories over HTTP, its parts for filling it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import argon2
import asyncpg
import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from libs.shared import database as databases
from libs.shared import keys
from libs.shared.certificates import Notary
from libs.shared.events import PasswordIssued
from libs.shared.objects import ObjectStore
from libs.shared.runtime import http
from libs.shared.settings import Network
from services.portal.__main__ import build
from services.portal.actions.people import signing
from services.portal.actions.people.passwords import Passwords
from services.portal.actions.resources import Resources
from tests.conftest import Database
from tests.databases import cloned_database
from tests.servers import free_port, make_bucket
from tests.world.apps import share_routes
from tests.world.files import write_secret
from tests.world.inside import Ingest

OPERATOR_EMAIL = "operator@provider.example"
OPERATOR_PASSWORD = "operator-password-of-tests"
MASTER_KEY = bytes(range(32))
PASSWORD = "la pluie tombe sur Nantes"


@dataclass
class Portal:
    """A portal that serves, with what a test needs to look behind it."""

    url: str
    parts: Resources
    operator_token: str
    admin: asyncpg.Connection[asyncpg.Record]
    ingest_dsn: str
    master_key: bytes
    app: FastAPI
    inside: Ingest | None = None

    async def ingest(self) -> Ingest:
        """An ingest beside it, for what a portal shows must have come from somewhere."""
        if self.inside is None:
            beside = Ingest(self.ingest_dsn, self.parts.objects, self.master_key)
            self.inside = await beside.open()
        return self.inside

    def client(self, token: str = "", **more: Any) -> httpx2.AsyncClient:
        """An HTTP client, with somebody's bearer token."""
        more.setdefault("headers", {"Authorization": f"Bearer {token}"} if token else {})
        return httpx2.AsyncClient(base_url=self.url, timeout=60, verify=False, **more)

    def operator(self) -> httpx2.AsyncClient:
        """The operator's JSON API."""
        return self.client(self.operator_token)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """What the portal has said of one kind, oldest first."""
        rows = await self.admin.fetch(
            "SELECT payload FROM portal.outbox WHERE type = $1 ORDER BY position", kind
        )
        import json

        return [json.loads(row["payload"]) for row in rows]

    async def open_tenant(
        self, name: str, email: str, *, locale: str = "fr", contracted_bytes: int = 10**12
    ) -> str:
        """Opens a subscription and returns the tenant's id."""
        async with self.operator() as api:
            answer = await api.post(
                "/api/v1/tenants",
                json={
                    "name": name,
                    "locale": locale,
                    "contracted_bytes": contracted_bytes,
                    "seats": 3,
                    "administrator": {"name": "Camille Martin", "email": email},
                },
            )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["tenant_id"])

    async def one_time_password(self, email: str) -> str:
        """The last one-time password that was sealed for reporting."""
        issued = [e for e in await self.events("password.issued.v1") if e["email"] == email][-1]
        event = PasswordIssued.model_validate(issued)
        return keys.open_text(self.parts.mail_key, event.sealed_password, event.beside)

    async def sign_in(self, email: str, password: str = PASSWORD) -> str:
        """Takes up the first password where needed; returns a bearer token."""
        async with self.client() as api:
            answer = await api.post("/api/v1/tokens", json={"email": email, "password": password})
            if answer.status_code == 401:
                changed = await api.post(
                    "/api/v1/password",
                    json={
                        "email": email,
                        "password": await self.one_time_password(email),
                        "new_password": password,
                    },
                )
                assert changed.status_code == 204, changed.text
                answer = await api.post(
                    "/api/v1/tokens", json={"email": email, "password": password}
                )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


@pytest.fixture
async def portal(database: Any, servers: Any, bucket: str, tmp_path: Path) -> AsyncIterator[Portal]:
    """A portal of the test's own: its database, its bucket, its port."""
    async with open_portal(database, servers, bucket, tmp_path) as served:
        yield served


@asynccontextmanager
async def open_portal(
    database: Any,
    servers: Any,
    bucket: str,
    tmp_path: Path,
    *,
    portal_url: str = "",
    agent_folder: Path | None = None,
    trusted_proxies: Sequence[Network] = (),
    hasher: argon2.PasswordHasher | None = None,
    is_production: bool = False,
) -> AsyncIterator[Portal]:
    """A portal that serves as long as this lasts; `portal_url`: what it is told to be called."""
    pool = await databases.create_pool(database.dsn("portal"), "portal")
    objects = ObjectStore.in_s3(
        servers.s3_endpoint, servers.s3_access_key, servers.s3_secret_key, bucket
    )
    stop = asyncio.Event()
    port = free_port()
    parts = Resources(
        pool=pool,
        objects=objects,
        keys=keys.KeyRing(objects, MASTER_KEY),
        mail_key=secrets.token_bytes(32),
        portal_url=portal_url or f"http://127.0.0.1:{port}",
        ingest_url="http://127.0.0.1:1",
        agent_folder=agent_folder,
        certificate_key=Notary(bytes(32)).public_pem.decode(),
        # As cheap as it gets: what a hash costs is measured in a test of its own.
        passwords=Passwords(hasher=hasher or argon2.PasswordHasher(1, 8, 1)),
        is_production=is_production,
    )
    token = secrets.token_urlsafe(24)
    write_secret(tmp_path / "password", OPERATOR_PASSWORD)
    write_secret(tmp_path / "token", token + "\n")
    await signing.bootstrap_operator(
        pool,
        parts.passwords,
        email=OPERATOR_EMAIL,
        password_file=tmp_path / "password",
        token_file=tmp_path / "token",
    )
    app = share_routes(build(parts, trusted_proxies=trusted_proxies))
    serving = asyncio.create_task(http.serve(app, f"127.0.0.1:{port}", http.Farewell(stop, 0, 15)))
    admin = await asyncpg.connect(database.admin_dsn)
    await _answers(port, serving)
    url = f"http://127.0.0.1:{port}"
    served = Portal(url, parts, token, admin, database.dsn("ingest"), MASTER_KEY, app)
    try:
        yield served
    finally:
        if served.inside is not None:
            await served.inside.close()
        stop.set()
        await serving
        await admin.close()
        await objects.close()
        await pool.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Portal]:
    """A portal for all stories of a module, which are told in one loop:
    `pytestmark = pytest.mark.asyncio(loop_scope="session")`."""
    with cloned_database(servers, database_template) as name:
        admin_dsn = servers.postgres_admin_dsn.rpartition("/")[0] + f"/{name}"
        database = Database(name, servers.postgres_port, admin_dsn)
        folder = tmp_path_factory.mktemp("stage")
        async with open_portal(database, servers, make_bucket(servers), folder) as served:
            yield served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Any]:
    """The system's Chromium, started once."""
    from tests.portal.browsing import open_chromium  # costs those nothing that need no browser

    async with open_chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def page_of(chromium: Any, stage: Portal) -> AsyncIterator[Any]:
    """Opens pages on the stage: `await page_of(email, width, locale, scripts=…, dark=…)`."""
    from tests.portal.browsing import Visits

    async with AsyncExitStack() as stack:
        yield Visits(chromium, stage.url, stack).page_of


async def _answers(port: int, serving: asyncio.Task[None]) -> None:
    """Waits for as long as it begins to serve; raises what kept it from that."""
    while not serving.done():
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(0.02)
    await serving
    raise AssertionError("the portal ended before it answered")
