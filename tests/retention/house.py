"""Ingest's and retention's own actions on one real database and store, step by step."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from libs.shared import bucket, clock, database, errors, keys, packs, sealing
from libs.shared.entries import Entry, FolderDelta, encode_batch
from libs.shared.events import SubscriptionState, TenantChanged
from libs.shared.objects import Bytes, ObjectStore
from services.ingest import actions as ingest_actions
from services.ingest import consumers as ingest_consumers
from services.ingest import rules as ingest_rules
from services.ingest import store as ingest_store
from services.retention import consumers, rules
from services.retention.actions import Keeper
from tests.world.tenants import tenant_changed

MASTER_KEY = b"\x5a" * 32


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
        is_pack = isinstance(bucket.parse_key(key), bucket.PackObject)
        gate = self.after_put if is_pack else None
        await super().put(key, body)
        if gate is not None:
            await _wait(gate, self.put_arrived)

    async def delete(self, key: str) -> None:
        gate = self.before_delete
        if gate is not None:
            await _wait(gate, self.delete_arrived)
        if self.refuses_deletes:
            raise errors.Unavailable("storage")
        await super().delete(key)


async def _wait(gate: asyncio.Event, arrived: asyncio.Event) -> None:
    arrived.set()
    try:
        await gate.wait()
    finally:
        arrived.clear()


@dataclass
class House:
    """Both services' parts; `open` and `close` belong to one event loop."""

    dsns: Mapping[str, str]
    bucket: str
    objects: Gates
    limits: rules.Limits = field(default_factory=rules.Limits)
    ingest: ingest_actions.Ingest = field(init=False)
    keeper: Keeper = field(init=False)

    async def open(self) -> House:
        ring = keys.KeyRing(self.objects, MASTER_KEY)
        pool = await database.create_pool(self.dsns["ingest"], "ingest", max_size=6)
        self.ingest = ingest_actions.Ingest(pool, self.objects, ring, timedelta(hours=1))
        pool = await database.create_pool(self.dsns["retention"], "retention", max_size=6)
        self.keeper = Keeper(pool, self.objects, ring, self.limits)
        return self

    async def close(self) -> None:
        self.ingest.close()
        await self.ingest.pool.close()
        await self.keeper.pool.close()
        await self.objects.close()

    async def fetch(self, query: str, *args: object) -> list[Any]:
        async with database.acquire(self.keeper.pool) as conn:
            rows: list[Any] = await conn.fetch(query, *args)
            return rows

    async def tenant(self) -> Client:
        """An active client with one machine."""
        client = Client(self, uuid.uuid4())
        await client.becomes("active")
        client.keys = await self.ingest.keys.create(client.tenant_id)
        async with database.transaction(self.ingest.pool) as conn:
            await ingest_store.add_agent(
                conn,
                client.tenant_id,
                client.agent.agent_id,
                uuid.uuid4().bytes,
                ingest_rules.Machine(hostname="caisse", platform="linux", agent_version="1"),
                clock.now(),
            )
        return client


class Client:
    """A client company whose one machine speaks ingest's actions."""

    keys: keys.TenantKeys

    def __init__(self, house: House, tenant_id: uuid.UUID) -> None:
        self.house = house
        self.tenant_id = tenant_id
        self.agent = ingest_rules.Agent(uuid.uuid4(), tenant_id, "caisse", "active", "", None, "")
        self.version = 0

    async def becomes(self, subscription: SubscriptionState, retention_days: int = 30) -> None:
        self.version += 1
        event = tenant_changed(
            self.tenant_id, self.version, subscription=subscription, retention_days=retention_days
        )
        pairs = [
            (self.house.ingest.pool, ingest_consumers.HANDLERS),
            (self.house.keeper.pool, consumers.HANDLERS),
        ]
        for pool, handlers in pairs:
            async with database.transaction(pool) as conn:
                await handlers[TenantChanged](conn, event)

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

    async def plan(self, name: str = "docs") -> uuid.UUID:
        declaration = ingest_rules.Declaration(
            folders=("/srv",), schedule="30 1 * * *", timezone="Europe/Paris"
        )
        declared = await ingest_actions.declare_plan(
            self.house.ingest, self.agent, name, declaration
        )
        return declared[0]

    async def start(self, plan_id: uuid.UUID) -> uuid.UUID:
        started = await ingest_actions.start_run(
            self.house.ingest, self.agent, plan_id, uuid.uuid4(), 0
        )
        return started.run_id

    def id_of(self, content: bytes) -> bytes:
        return packs.chunk_id(content, self.keys.chunk_key)

    def pack(self, *contents: bytes) -> packs.Pack:
        builder = packs.PackBuilder()
        for content in contents:
            payload, encoding = packs.compress(content)
            builder.add(self.id_of(content), payload, len(content), encoding)
        return builder.finish()

    async def missing(self, run: uuid.UUID, contents: Sequence[bytes]) -> list[bytes]:
        ids = b"".join(map(self.id_of, contents))
        bits = await ingest_actions.find_missing(self.house.ingest, self.agent, run, ids)
        return [one for i, one in enumerate(contents) if bits[i // 8] >> i % 8 & 1]

    async def upload(self, run: uuid.UUID, *contents: bytes) -> bool:
        """One pack with these contents; whether it was new."""
        pack = self.pack(*contents)
        pieces: list[bytes | None] = [bytes(pack.body), None]

        async def receive() -> bytes | None:
            return pieces.pop(0) if pieces else None

        upload = ingest_actions.Upload(len(pack.body), receive)
        async with upload:
            stored = await ingest_actions.take_pack(
                self.house.ingest, self.agent, run, pack.id, upload
            )
        return stored.is_new

    def entry(self, name: bytes, contents: Sequence[bytes], mtime_ns: int = 1) -> Entry:
        ids = b"".join(map(self.id_of, contents))
        return Entry(name, "f", 0o644, mtime_ns, 0, 0, sum(map(len, contents)), b"", ids)

    async def batch(
        self, run: uuid.UUID, files: Mapping[bytes, Sequence[bytes]], removed: Sequence[bytes] = ()
    ) -> None:
        upserts = [self.entry(name, contents) for name, contents in sorted(files.items())]
        body = encode_batch([FolderDelta(b"", upserts, sorted(removed))])
        await ingest_actions.take_batch(self.house.ingest, self.agent, run, 0, bytearray(body))

    async def commit(self, run: uuid.UUID, batches: int = 1) -> int:
        said = ingest_rules.Commit(batches=batches, counters=ingest_rules.Counters())
        answer = await ingest_actions.commit_run(self.house.ingest, self.agent, run, said)
        return int(answer["number"])

    async def copy(
        self,
        plan_id: uuid.UUID,
        files: Mapping[bytes, Sequence[bytes]],
        removed: Sequence[bytes] = (),
    ) -> int:
        """A whole run, in one pack; returns its number."""
        run = await self.start(plan_id)
        contents = list(dict.fromkeys(one for file in files.values() for one in file))
        wanted = await self.missing(run, contents) if contents else []
        if wanted:
            await self.upload(run, *wanted)
        await self.batch(run, files, removed)
        return await self.commit(run)

    async def read(self, contents: Sequence[bytes]) -> None:
        """Reads every one of these contents as a restorer would; fails where one can't be."""
        rows = await self.house.fetch(
            'SELECT c.chunk_id, p.pack_id, c."offset", c.length, c.size, c.encoding, p.state'
            " FROM catalogue.chunks c JOIN catalogue.packs p USING (tenant_id, pack_no)"
            " WHERE tenant_id = $1 AND chunk_id = ANY($2)",
            self.tenant_id,
            [self.id_of(content) for content in contents],
        )
        places = {row["chunk_id"]: row for row in rows}
        bodies: dict[bytes, bytes] = {}
        for content in contents:
            row = places[self.id_of(content)]
            assert row["state"] != "condemned", "what is needed must not be on its way out"
            pack_id = row["pack_id"]
            if pack_id not in bodies:
                bodies[pack_id] = await self.house.objects.get(self.key(pack_id))
            sealed = bodies[pack_id][row["offset"] : row["offset"] + row["length"]]
            chunk = sealing.SealedChunk(row[0], row[2], row[3], row[4], row[5], 0)
            payload = sealing.open_chunk(sealed, self.keys, self.tenant_id, chunk)
            plain = packs.unpack(payload, chunk.encoding, chunk.size)
            assert plain == content

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


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Ends a task as a killed process would end."""
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
