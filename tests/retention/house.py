"""Ingest and retention in this process, on one real database and store, step by step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from devstack.stack import Stack
from libs.shared import bucket, database, errors, keys, packs, sealing
from libs.shared.events import Event, SubscriptionState
from libs.shared.objects import Bytes, ObjectStore
from services.ingest import consumers as hearing
from services.ingest.actions.resources import Resources
from services.retention import actions, consumers, rules
from tests.world import house, inside
from tests.world.agents import Agent, taken
from tests.world.files import File, deltas
from tests.world.tenants import Tenant


class Gates(ObjectStore):
    """The real store behind doors: a request can be kept waiting before or after it is done."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.after_put: asyncio.Event | None = None
        self.before_delete: asyncio.Event | None = None
        self.refuses_deletes = False
        self.put_arrived = asyncio.Event()
        self.delete_arrived = asyncio.Event()

    async def put(self, key: str, body: Bytes) -> None:
        gate = self.after_put if _is_pack(key) else None
        await super().put(key, body)
        if gate is not None:
            await _wait(gate, self.put_arrived)

    async def delete(self, key: str) -> None:
        gate = self.before_delete if _is_pack(key) else None
        if gate is not None:
            await _wait(gate, self.delete_arrived)
        if self.refuses_deletes:
            raise errors.Unavailable("storage")
        await super().delete(key)


def _is_pack(key: str) -> bool:
    """Whether it is what retention deletes and uploads bring; ingest's own tallies go on."""
    return isinstance(bucket.parse_key(key), bucket.PackObject)


async def _wait(gate: asyncio.Event, arrived: asyncio.Event) -> None:
    arrived.set()
    try:
        await gate.wait()
    finally:
        arrived.clear()


@dataclass
class House:
    """Both services' parts; `open` and `close` belong to one event loop."""

    place: Stack
    objects: Gates
    limits: rules.collection.Limits = field(default_factory=rules.collection.Limits)
    inside: inside.Ingest = field(init=False)
    keeper: actions.resources.Resources = field(init=False)

    async def open(self) -> House:
        self.processes = house.House(self.place)
        master_key = self.processes.master_key
        self.inside = await inside.Ingest(
            self.processes.dsn("ingest"), self.objects, master_key
        ).open()
        ring = keys.KeyRing(self.objects, master_key)
        dsn = self.processes.dsn("retention")
        pool = await database.create_pool(dsn, "retention", max_size=6)
        self.keeper = actions.resources.Resources(pool, self.objects, ring, self.limits)
        self.http = self.inside.http
        return self

    @property
    def ingest(self) -> Resources:
        """What ingest's actions work with."""
        return self.inside.parts

    async def close(self) -> None:
        await self.inside.close()
        await self.keeper.pool.close()
        await self.objects.close()

    async def deliver(self, event: Event) -> None:
        """Hands an event to each service that handles it."""
        if type(event) in hearing.HANDLERS:
            await self.inside.deliver(event)
        if handler := consumers.HANDLERS.get(type(event)):
            async with database.transaction(self.keeper.pool) as conn:
                await handler(conn, event)

    async def fetch(self, query: str, *args: object) -> list[Any]:
        """Rows as retention's role sees them."""
        async with database.acquire(self.keeper.pool) as conn:
            rows: list[Any] = await conn.fetch(query, *args)
            return rows

    async def tenant(self, tenant_id: UUID | None = None) -> Client:
        """An active client with one machine: a new one, or one that comes back."""
        tenant = Tenant(self, tenant_id or uuid4())
        await tenant.becomes("active")
        agent = await tenant.enrol()
        return Client(self, tenant, agent, await self.ingest.keys.get(tenant.tenant_id))


@dataclass
class Client:
    """A client company with one machine, and what is kept of it."""

    house: House
    tenant: Tenant
    agent: Agent
    keys: keys.TenantKeys

    @property
    def tenant_id(self) -> UUID:
        return self.tenant.tenant_id

    def id_of(self, content: bytes) -> bytes:
        return self.agent.id_of(content)

    # --- its machine ---------------------------------------------------------------------------

    async def becomes(self, subscription: SubscriptionState, retention_days: int = 30) -> None:
        await self.tenant.becomes(subscription, retention_days=retention_days)

    async def plan(self, name: str = "docs") -> UUID:
        return UUID(await self.agent.declare(name))

    async def start(self, plan_id: UUID) -> UUID:
        return UUID(await self.agent.start(str(plan_id)))

    async def missing(self, run: UUID, contents: Sequence[bytes]) -> list[bytes]:
        lacks = await self.agent.missing(str(run), *contents)
        return [one for one, is_missing in zip(contents, lacks, strict=True) if is_missing]

    async def upload(self, run: UUID, *contents: bytes) -> bool:
        """One pack with these contents; whether it was new."""
        answer = taken(await self.agent.upload(str(run), self.agent.pack(*contents)))
        return answer.status_code == 201

    async def batch(
        self, run: UUID, files: Mapping[bytes, Sequence[bytes]], removed: Collection[bytes] = ()
    ) -> None:
        sent = deltas(_tree(files), removed, self.agent.chunk_key)
        answer = taken(await self.agent.send(str(run), *sent))
        assert not answer.content, f"a part was refused: {answer.text}"

    async def commit(self, run: UUID, batches: int = 1) -> int:
        return int(taken(await self.agent.commit(str(run), batches)).json()["number"])

    async def copy(
        self,
        plan_id: UUID,
        files: Mapping[bytes, Sequence[bytes]],
        removed: Collection[bytes] = (),
    ) -> int:
        """A whole run, in one pack; returns its number."""
        return await self.agent.store(str(plan_id), _tree(files), removed)

    # --- what is kept --------------------------------------------------------------------------

    async def stored_bytes(self) -> int:
        """The stored volume by the catalogue, which the last event must have told as well."""
        [[stored]] = await self.house.fetch(
            "SELECT stored_bytes FROM catalogue.volumes WHERE tenant_id = $1", self.tenant_id
        )
        return int(stored)

    async def said(self, kind: str) -> list[dict[str, Any]]:
        """What retention said of the client, in order."""
        rows = await self.house.fetch(
            "SELECT payload FROM outbox WHERE tenant_id = $1 AND type = $2 ORDER BY position",
            self.tenant_id,
            kind,
        )
        return [json.loads(row[0]) for row in rows]

    async def read(self, contents: Sequence[bytes]) -> None:
        """Reads every one of these contents as a restorer would; fails where one can't be."""
        found = await self.contents({self.id_of(content) for content in contents})
        assert set(found.values()) == set(contents)

    async def contents(self, ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Reads chunks as a restorer would; fails where one can't be."""
        rows = await self.house.fetch(
            'SELECT c.chunk_id, p.pack_id, c."offset", c.length, c.size, c.encoding, p.state,'
            " c.start, c.frame_size"
            " FROM catalogue.chunks c JOIN catalogue.packs p USING (tenant_id, pack_no)"
            " WHERE tenant_id = $1 AND chunk_id = ANY($2)",
            self.tenant_id,
            list(ids),
        )
        places = {row["chunk_id"]: row for row in rows}
        bodies: dict[bytes, bytes] = {}
        found: dict[bytes, bytes] = {}
        for chunk_id in ids:
            row = places[chunk_id]
            assert row["state"] != "condemned", "what is needed must not be on its way out"
            pack_id = row["pack_id"]
            if pack_id not in bodies:
                bodies[pack_id] = await self.house.objects.get(self.key(pack_id))
            sealed = bodies[pack_id][row["offset"] : row["offset"] + row["length"]]
            chunk = sealing.SealedChunk(row[0], row[2], row[3], row[4], row[5], 0, row[7], row[8])
            payload = sealing.open_frame(sealed, self.keys, self.tenant_id, pack_id, chunk)
            found[chunk_id] = bytes(packs.cut_out(packs.unpack_frame(payload, chunk), chunk))
            assert packs.chunk_id(found[chunk_id], self.agent.chunk_key) == chunk_id
        return found

    def key(self, pack_id: bytes) -> str:
        return bucket.key_of_pack(self.tenant_id, pack_id)

    async def packs(self) -> dict[bytes, str]:
        """Ids and states of all packs that have a row."""
        rows = await self.house.fetch(
            "SELECT pack_id, state FROM catalogue.packs WHERE tenant_id = $1", self.tenant_id
        )
        return {row[0]: row[1] for row in rows}

    async def objects(self) -> set[bytes]:
        """Ids of all packs in the bucket."""
        prefix = bucket.packs_of(self.tenant_id)
        return {bytes.fromhex(k[-64:]) async for k, _ in self.house.objects.list(prefix)}


def _tree(files: Mapping[bytes, Sequence[bytes]]) -> dict[bytes, File]:
    return {path: File(list(contents), mtime_ns=1) for path, contents in files.items()}


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Ends a task as a killed process would end."""
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
