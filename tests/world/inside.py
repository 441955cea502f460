"""Ingest in this process: its application without a socket, its actions step by step."""

from __future__ import annotations

from datetime import timedelta

import httpx2

from libs.shared import database, keys
from libs.shared.events import Event
from libs.shared.objects import ObjectStore
from services.ingest import actions, consumers
from services.ingest.__main__ import build
from tests.world.apps import share_routes


class Ingest:
    """Ingest's parts on a database and a bucket; `open` and `close` belong to one event loop."""

    def __init__(self, dsn: str, objects: ObjectStore, master_key: bytes) -> None:
        self._dsn = dsn
        self.objects = objects
        self._master_key = master_key

    async def open(self) -> Ingest:
        """Takes up work."""
        self.pool = await database.create_pool(self._dsn, "ingest", max_size=6)
        ring = keys.KeyRing(self.objects, self._master_key)
        self.parts = actions.resources.Resources(self.pool, self.objects, ring, timedelta(hours=1))
        self.app = share_routes(build(self.parts, max_file_bytes=1 << 40))
        return self

    async def close(self) -> None:
        """Ends; the store stays open."""
        self.parts.close()
        await self.pool.close()

    def http(self, _service: str = "ingest") -> httpx2.AsyncClient:
        """A client of its application; what isn't a refusal is raised as it was there."""
        transport = httpx2.ASGITransport(self.app)
        return httpx2.AsyncClient(transport=transport, base_url="http://ingest", timeout=60)

    async def deliver(self, event: Event) -> None:
        """Hands an event to its handler, as a worker of the inbox does."""
        async with database.transaction(self.pool) as conn:
            await consumers.HANDLERS[type(event)](conn, event)
