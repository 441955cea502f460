"""Whole files from scripts: one body to chunks, packs and a row of the open run.

The work on one file is a thread's, which asks the event loop for bytes, the database and the
store; a slow sender so holds nobody up, and any file takes the same memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from isal import isal_zlib

from libs.shared import database, logs, packs
from libs.shared.crashpoints import crashpoint
from libs.shared.entries import EntryRejected
from libs.shared.errors import BodyTooLarge, Unavailable
from services.ingest import rules, store
from services.ingest.actions.intake.packs import take_pack
from services.ingest.actions.intake.uploads import BuiltBody
from services.ingest.actions.resources import Resources
from services.ingest.actions.runs import use_run
from services.ingest.actions.scripts.inflow import Inflow

MAX_FILE_BYTES = 200 * 1024**3
"""So that the ids of its chunks fit into one batch of entries."""
_MAX_IDS_BYTES = store.scripts.MAX_PAGE_BYTES - 2 * 4096
_PACK_WAIT_SECONDS = 600.0
_TRIES = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file as it arrived; stored_bytes: what it added to the store."""

    size: int
    crc32: str
    sha256: str
    chunks: int
    stored_bytes: int


async def put_file(
    resources: Resources,
    agent: rules.agents.Agent,
    run_id: UUID,
    file: rules.scripts.NamedFile,
    receive: Callable[[], Awaitable[bytes | None]],
) -> TakenFile:
    """Takes a whole file into an open run; the same path again replaces it.

    receive: the pieces of the body, then None. A body that is cut, or is not what its SHA-256
    says, leaves chunks that no entry names, and nothing in the run.
    """
    async with database.transaction(resources.pool) as conn:
        await use_run(resources, conn, agent, run_id)
    keys = await resources.keys.get(agent.tenant_id)
    async with resources.hold_file(agent.tenant_id):
        inflow = Inflow(_staying_alive(resources, agent, run_id, receive))
        cutting = Cutting(resources, agent, run_id, inflow, keys.chunk_key)
        try:
            await asyncio.get_running_loop().run_in_executor(resources.file_threads, cutting.cut)
        finally:
            inflow.close()
    sha256 = cutting.sha256.hexdigest()
    if file.sha256 and file.sha256 != sha256:
        raise rules.refusals.ContentMismatch(file.sha256, sha256)
    await _write_down(resources, agent, run_id, file, cutting)
    crashpoint("ingest.after_file")
    logs.get().info("file.taken", run_id=str(run_id), bytes=cutting.size)
    return TakenFile(
        cutting.size,
        f"{cutting.crc32:08x}",
        sha256,
        len(cutting.chunk_ids) // 32,
        cutting.stored_bytes,
    )


def _staying_alive(
    resources: Resources,
    agent: rules.agents.Agent,
    run_id: UUID,
    receive: Callable[[], Awaitable[bytes | None]],
) -> Callable[[], Awaitable[bytes | None]]:
    """Receives, and renews the run's lease now and then: a body may take hours."""
    loop = asyncio.get_running_loop()
    pause_seconds = resources.lease.total_seconds() / 6
    due = loop.time() + pause_seconds

    async def receive_alive() -> bytes | None:
        nonlocal due
        piece = await receive()
        if loop.time() >= due:
            async with database.transaction(resources.pool) as conn:
                await use_run(resources, conn, agent, run_id)
            due = loop.time() + pause_seconds
        return piece

    return receive_alive


async def _write_down(
    resources: Resources,
    agent: rules.agents.Agent,
    run_id: UUID,
    file: rules.scripts.NamedFile,
    cutting: Cutting,
) -> None:
    put = store.scripts.PutFile(
        file.folder,
        file.name,
        "f",
        file.mode,
        file.mtime_ns,
        cutting.size,
        bytes(cutting.chunk_ids),
    )
    async with database.transaction(resources.pool) as conn:
        await use_run(resources, conn, agent, run_id)
        if not await store.scripts.is_open(conn, agent.tenant_id, run_id):
            closed = await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id)
            assert closed is not None
            raise rules.refusals.RunClosed(closed.state, closed.reason)
        is_file = await store.scripts.put_folders(
            conn, run_id, rules.intake.list_folders([file.folder])
        )
        if is_file is not None:
            raise EntryRejected(is_file, "it is a file of this run, so nothing can lie in it")
        if not await store.scripts.put_file(conn, run_id, put):
            raise EntryRejected(file.path, "it is a folder of this run, so it can't be a file")


class Cutting:
    """One file on its way through a thread: hashed, cut, and what is new sent on in packs."""

    def __init__(
        self,
        resources: Resources,
        agent: rules.agents.Agent,
        run_id: UUID,
        inflow: Inflow,
        chunk_key: bytes,
    ) -> None:
        self.size = 0
        self.crc32 = 0
        self.sha256 = hashlib.sha256()
        self.chunk_ids = bytearray()
        self.stored_bytes = 0
        self._resources, self._agent, self._run_id = resources, agent, run_id
        self._inflow = inflow
        self._chunk_key = chunk_key
        self._payloads = Payloads()

    def cut(self) -> None:
        """Reads the inflow to its end; blocks, so it belongs into a thread of its own."""
        try:
            for content in packs.Chunker(self._chunk_key).cut(self._inflow):
                self._take(content)
            self._store()
        finally:
            self._payloads.close()

    def _take(self, content: memoryview) -> None:
        self.size += len(content)
        self.crc32 = isal_zlib.crc32(content, self.crc32)
        self.sha256.update(content)
        chunk_id = packs.chunk_id(content, self._chunk_key)
        self.chunk_ids += chunk_id
        if len(self.chunk_ids) > _MAX_IDS_BYTES:
            raise BodyTooLarge(MAX_FILE_BYTES)
        if chunk_id in self._payloads.chunk_ids or self._persist(self._has, chunk_id):
            return
        payload, encoding = packs.compress(content)
        self._payloads.add(chunk_id, payload, len(content), encoding)
        if self._payloads.is_full:
            self._store()

    def _store(self) -> None:
        if self._payloads.chunk_ids:
            self.stored_bytes += self._persist(self._store_payloads)
            self._payloads.close()
            self._payloads = Payloads()

    def _persist(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
        """Asks the loop, again where something is away for a moment: much was sent already."""
        for _ in range(_TRIES - 1):
            try:
                return self._inflow.ask(function, *arguments)
            except Unavailable as trouble:
                self._inflow.pause(trouble.retry_after_seconds)
        return self._inflow.ask(function, *arguments)

    async def _has(self, chunk_id: bytes) -> bool:
        async with database.acquire(self._resources.pool) as conn:
            return bool(
                await store.intake.packs.find_present(conn, self._agent.tenant_id, [chunk_id])
            )

    async def _store_payloads(self) -> int:
        resources = self._resources
        async with resources.pack_memory.hold(2 * self._payloads.size_bytes, _PACK_WAIT_SECONDS):
            pack = await resources.in_thread(self._payloads.build)
            body = BuiltBody(pack.body)
            stored = await take_pack(resources, self._agent, self._run_id, pack.id, body)
        return stored.stored_bytes


class Payloads:
    """The chunks of the next pack, on disk: while it fills slowly it must not hold memory."""

    def __init__(self) -> None:
        self.chunk_ids: dict[bytes, tuple[int, int, int]] = {}
        self.size_bytes = 0
        self.plain_bytes = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`

    @property
    def is_full(self) -> bool:
        """Has it the size at which a pack should be finished?"""
        return (
            self.size_bytes >= packs.TARGET_PACK_BYTES
            or self.plain_bytes >= packs.MAX_PACK_PLAIN_BYTES // 4
        )

    def add(self, chunk_id: bytes, payload: packs.Bytes, size: int, encoding: int) -> None:
        """Appends a chunk as `packs.compress` returned it."""
        self._file.write(payload)
        self.chunk_ids[chunk_id] = (len(payload), size, encoding)
        self.size_bytes += len(payload)
        self.plain_bytes += size

    def build(self) -> packs.Pack:
        """The pack of all that was added; can be repeated."""
        builder = packs.PackBuilder()
        self._file.seek(0)
        for chunk_id, (length, size, encoding) in self.chunk_ids.items():
            builder.add(chunk_id, self._file.read(length), size, encoding)
        return builder.finish()

    def close(self) -> None:
        """Gives the room on disk back."""
        self._file.close()
