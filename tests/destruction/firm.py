"""All five services' parts on one real database and store, and what carries events between them.

Events go from outbox to inbox by hand, and are handled by the real workers; the time is the test's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from libs.shared import bus, clock, database, keys
from libs.shared.certificates import Notary
from libs.shared.database import SERVICES, Pool
from libs.shared.inbox import Handlers, Workers, table
from libs.shared.objects import ObjectStore
from services.ingest import consumers as ingest
from services.portal import consumers as portal
from services.quota import consumers as quota
from services.reporting import consumers as reporting
from services.reporting.actions.resources import Resources as Office
from services.retention import actions, rules, store
from services.retention import consumers as retention
from services.retention.actions.resources import Resources
from tests.portal import builder
from tests.portal.conftest import MASTER_KEY, Portal, open_portal

NOTARY = Notary(bytes(32))
HOTLINE = "hotline@provider.example"
LONG_AFTER = timedelta(days=31)


@dataclass
class Firm:
    """The five services; `now` is what retention is told of the time."""

    portal: Portal
    keeper: Resources
    office: Office
    pools: dict[str, Pool]
    now: datetime = field(default_factory=clock.now)

    @property
    def handlers(self) -> dict[str, Handlers]:
        return {
            "ingest": ingest.HANDLERS,
            "quota": quota.HANDLERS,
            "reporting": reporting.handlers(self.office),
            "retention": retention.HANDLERS,
            "portal": portal.HANDLERS,
        }

    # --- events --------------------------------------------------------------------------------

    async def settle(self) -> int:
        """Carries events and has them handled, until nobody says anything any more; how many."""
        carried, some = 0, 1
        while some:
            some = await self._carry()
            carried += some
            for service, pool in self.pools.items():
                workers = Workers(service, pool, self.handlers[service])
                while await workers.work_one():
                    pass
        for service in SERVICES:
            stuck = await self.fetch(
                f"SELECT type, error FROM {service}.inbox WHERE state <> 'done'"
            )
            assert stuck == [], f"{service}: {stuck}"
        return carried

    async def _carry(self) -> int:
        carried = 0
        for service, pool in self.pools.items():
            async with database.transaction(pool) as conn:
                rows = await conn.fetch(
                    "UPDATE outbox SET published_at = $1 WHERE published_at IS NULL"
                    " RETURNING event_id, type, tenant_id, payload, occurred_at, position",
                    clock.now(),
                )
                # As the relay does, but for the passwords by which a test signs in.
                await conn.execute(
                    "UPDATE outbox SET payload = (payload::jsonb || jsonb_build_object("
                    "'client', '', 'reason', ''))::text WHERE type = 'destruction.permitted.v1'"
                )
            for row in sorted(rows, key=lambda row: row["position"]):
                carried += 1
                for reader, heard in bus.BINDINGS.items():
                    if row["type"] not in {event.type for event in heard}:
                        continue
                    arrival = table.Arrival(
                        event_id=row["event_id"],
                        type=row["type"],
                        source=f"/services/{service}",
                        tenant_id=row["tenant_id"],
                        payload=row["payload"],
                        occurred_at=row["occurred_at"],
                    )
                    async with database.transaction(self.pools[reader]) as conn:
                        await table.insert(conn, [arrival], clock.now())
        return carried

    # --- retention -----------------------------------------------------------------------------

    async def turn(self) -> int:
        """One turn of retention's job over all that is due; returns how much was done."""
        async with database.acquire(self.keeper.pool) as conn:
            due = await store.destruction.days.list_due(conn, self.now)
        done = 0
        for one in due:
            done += await actions.destruction.advancing.advance(self.keeper, one, self.now)
        return done + await self.settle()

    async def turns(self) -> None:
        """Turns until there is nothing to be done now, and nothing to be answered."""
        while await self.turn():
            pass

    async def destroy(self) -> None:
        """Everything that is due, to its end: an hour passes where it must."""
        await self.turns()
        self.now += timedelta(hours=1, minutes=1)
        await self.turns()

    def later(self, **more: float) -> None:
        self.now += timedelta(**more)

    # --- what is seen --------------------------------------------------------------------------

    async def fetch(self, query: str, *args: Any) -> list[tuple[Any, ...]]:
        """Rows as the database's administrator sees them."""
        return [tuple(row) for row in await self.portal.admin.fetch(query, *args)]

    async def events(self, service: str, kind: str) -> list[tuple[Any, ...]]:
        return await self.fetch(
            f"SELECT payload FROM {service}.outbox WHERE type = $1 ORDER BY position", kind
        )

    async def client(self, email: str = "camille@dupre.example", **more: Any) -> builder.Client:
        """A client with a restore point, of whom every service knows."""
        client = await builder.open_client(self.portal, email, **more)
        await self.settle()
        await client.commit({b"srv/paie.ods": builder.text(b"contents of " + email.encode())})
        await self.settle()
        return client

    async def post(self, path: str, **body: Any) -> Any:
        async with self.portal.operator() as api:
            return await api.post(f"/api/v1/tenants/{path}", json=body)

    async def get(self, path: str) -> Any:
        async with self.portal.operator() as api:
            return await api.get(f"/api/v1/{path}")

    async def end(self, tenant_id: UUID, reason: str = "left") -> None:
        """Ends a subscription, and lets thirty days pass."""
        assert (await self.post(f"{tenant_id}/end", reason=reason)).status_code == 200
        await self.settle()

    async def shown(self, tenant_id: UUID) -> dict[str, Any]:
        """How operators see the destruction."""
        answer = await self.get(f"tenants/{tenant_id}/destruction")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def left(self, tenant_id: UUID) -> list[str]:
        """Keys of the client's objects, all versions."""
        found = []
        for prefix in (f"keys/{tenant_id}", f"t/{tenant_id}/"):
            page = await self.keeper.objects.list_versions(prefix)
            found += [one.key for one in page.versions]
        return found

    async def step(self, tenant_id: UUID) -> str | None:
        async with database.acquire(self.keeper.pool) as conn:
            work = await store.destruction.inventories.find(conn, tenant_id)
        return work.step if work else None


@asynccontextmanager
async def open_firm(
    database_of_test: Any, servers: Any, bucket: str, folder: Path, **guards: Any
) -> AsyncIterator[Firm]:
    """A firm on a test's own database and bucket."""
    async with open_portal(database_of_test, servers, bucket, folder) as served:
        objects = ObjectStore.in_s3(
            servers.s3_endpoint, servers.s3_access_key, servers.s3_secret_key, bucket
        )
        pools = {
            service: await database.create_pool(database_of_test.dsn(service), service, max_size=6)
            for service in SERVICES
        }
        keeper = Resources(
            pools["retention"],
            objects,
            keys.KeyRing(objects, MASTER_KEY),
            guards=rules.destruction.Guards(**guards),
            notary=NOTARY,
        )
        office = Office(
            sender="Coffre <coffre@provider.example>",
            hotline=(HOTLINE,),
            portal_url=served.url,
            mail_key=served.parts.mail_key,
        )
        try:
            yield Firm(served, keeper, office, pools)
        finally:
            for pool in pools.values():
                await pool.close()
            await objects.close()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


__all__ = ["HOTLINE", "LONG_AFTER", "NOTARY", "Firm", "moment", "open_firm"]
