"""Whole files from scripts: one body to chunks, packs and a row of the open run.

A file is worked on in portions that have come; a slow sender so holds nobody up, and any file
takes the same memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from isal import isal_zlib

from libs.shared import clock, logs, packs
from libs.shared.crashpoints import crashpoint
from libs.shared.entries import CHUNK_ID_BYTES, EntryFault, EntryRejected
from libs.shared.errors import BodyTooLarge, ShareUsed, Unavailable
from libs.shared.keys import TenantKeys
from libs.shared.passing_files import discard, room_told
from services.ingest import rules, store
from services.ingest.actions.agents import check_again
from services.ingest.actions.intake.packs import take_pack
from services.ingest.actions.intake.uploads import BuiltBody
from services.ingest.actions.resources import WAIT_SECONDS, Resources
from services.ingest.actions.runs.holding import use_run
from services.ingest.actions.scripts.inflow import Inflow
from services.ingest.actions.usage import use

MAX_FILE_BYTES = 200 * 1024**3
"""So that the ids of its chunks fit into one batch of entries."""
_MAX_IDS_BYTES = store.scripts.MAX_PAGE_BYTES - 2 * 4096
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
    async with resources.transaction(agent.tenant_id) as conn:
        await use_run(resources, conn, agent, run_id)
    keys = await resources.keys.get(agent.tenant_id)
    cutting = Cutting(resources, agent, run_id, keys)
    async with resources.files.hold(agent.tenant_id, 1, WAIT_SECONDS):
        await cutting.cut(Inflow(_staying_alive(resources, agent, run_id, receive)))
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
        len(cutting.chunk_ids) // CHUNK_ID_BYTES,
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
            async with resources.transaction(agent.tenant_id) as conn:
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
    async with resources.transaction(agent.tenant_id) as conn:
        await use_run(resources, conn, agent, run_id)
        if not await store.scripts.is_open(conn, agent.tenant_id, run_id):
            closed = await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id)
            assert closed is not None
            raise rules.refusals.RunClosed(closed.state, closed.reason)
        folders = rules.intake.list_folders([file.folder])
        is_file = await store.scripts.put_folders(conn, run_id, folders)
        if is_file is not None:
            raise EntryRejected(
                is_file, EntryFault("it is a file of this run, so nothing can lie in it")
            )
        if not await store.scripts.put_file(conn, run_id, put):
            raise EntryRejected(
                file.path, EntryFault("it is a folder of this run, so it can't be a file")
            )
        await use(conn, agent.tenant_id, "entries", 1 + len(folders), clock.now())
        await check_again(conn, agent)


class Cutting:
    """One file on its way: hashed, cut, and what is new sent on in packs, portion by portion."""

    def __init__(
        self, resources: Resources, agent: rules.agents.Agent, run_id: UUID, keys: TenantKeys
    ) -> None:
        self.size = 0
        self.crc32 = 0
        self.sha256 = hashlib.sha256()
        self.chunk_ids = bytearray()
        self.stored_bytes = 0
        self._resources, self._agent, self._run_id = resources, agent, run_id
        self._chunk_key = keys.chunk_key
        self._chunker = packs.Chunker(keys.chunk_key)
        self._payloads = Payloads()

    async def cut(self, inflow: Inflow) -> None:
        """Takes all that flows in; nothing is held while it is waited for."""
        filling = asyncio.create_task(inflow.fill())
        is_last = False
        try:
            while not is_last:
                await filling
                size, is_last = inflow.take(), inflow.is_whole
                if not is_last:
                    filling = asyncio.create_task(inflow.fill())
                weight = size + 2 * self._payloads.most_bytes(size)
                async with self._resources.pack_memory.hold(self._agent.tenant_id, weight):
                    with self._resources.buffers.lend() as take:
                        await self._take_portion(inflow, take(size), is_last=is_last)
        finally:
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)
            self._payloads.close()
            inflow.close()

    async def _take_portion(self, inflow: Inflow, portion: memoryview, *, is_last: bool) -> None:
        in_thread = partial(self._resources.in_thread, self._agent.tenant_id)
        await asyncio.to_thread(inflow.load, portion)
        found = await in_thread(self._measure, portion, is_last)
        if len(self.chunk_ids) > _MAX_IDS_BYTES:
            raise BodyTooLarge(MAX_FILE_BYTES)
        new = await self._persist(self._choose_new, found)
        while new:
            new = await in_thread(self._compress, new)
            if self._payloads.is_full:
                await self._store()
        if is_last:
            await self._store()
        else:
            cut_bytes = sum(len(content) for _, content in found)
            await asyncio.to_thread(inflow.keep, portion[cut_bytes:])

    def _measure(self, portion: memoryview, is_last: bool) -> list[tuple[bytes, memoryview]]:
        """The chunks of a portion with their ids; the file's hashes go on with them."""
        found = []
        cut = self._chunker.cut_portion(portion, is_first=not self.size, is_last=is_last)
        for content in cut:
            self.size += len(content)
            self.crc32 = isal_zlib.crc32(content, self.crc32)
            self.sha256.update(content)
            chunk_id = packs.chunk_id(content, self._chunk_key)
            self.chunk_ids += chunk_id
            found.append((chunk_id, content))
        return found

    async def _choose_new(
        self, found: list[tuple[bytes, memoryview]]
    ) -> list[tuple[bytes, memoryview]]:
        """Those that the tenant lacks, each once."""
        each = {
            chunk_id: content
            for chunk_id, content in found
            if chunk_id not in self._payloads.chunk_ids
        }
        if not each:
            return []
        async with self._resources.acquire(self._agent.tenant_id) as conn:
            present = await store.intake.packs.find_present(conn, self._agent.tenant_id, list(each))
        return [one for one in each.items() if one[0] not in present]

    def _compress(self, new: list[tuple[bytes, memoryview]]) -> list[tuple[bytes, memoryview]]:
        """Adds chunks to the next pack until it is full; returns those that are left."""
        for place, (chunk_id, content) in enumerate(new):
            if self._payloads.is_full:
                return new[place:]
            payload, encoding = packs.compress(content)
            self._payloads.add(chunk_id, payload, len(content), encoding)
        return []

    async def _store(self) -> None:
        if self._payloads.chunk_ids:
            self.stored_bytes += await self._persist(self._store_payloads)
            self._payloads.close()
            self._payloads = Payloads()

    async def _persist(
        self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: object
    ) -> T:
        """Tries again where something is away for a moment: much was sent already."""
        for _ in range(_TRIES - 1):
            try:
                return await function(*arguments)
            except (Unavailable, ShareUsed) as trouble:
                await asyncio.sleep(trouble.retry_after_seconds)
        return await function(*arguments)

    async def _store_payloads(self) -> int:
        resources, tenant_id = self._resources, self._agent.tenant_id
        pack = await resources.in_thread(tenant_id, self._payloads.build)
        body = BuiltBody(pack.body)
        stored = await take_pack(resources, self._agent, self._run_id, pack.id, body)
        return stored.stored_bytes


class Payloads:
    """The chunks of the next pack, on disk: while it fills slowly it must not hold memory."""

    def __init__(self) -> None:
        self.chunk_ids: dict[bytes, tuple[int, int, int]] = {}
        self.size_bytes = 0
        self.plain_bytes = 0
        with room_told():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`

    @property
    def is_full(self) -> bool:
        """Has it the size at which a pack should be finished?"""
        return (
            self.size_bytes >= packs.TARGET_PACK_BYTES
            or self.plain_bytes >= packs.TARGET_PACK_PLAIN_BYTES
        )

    def most_bytes(self, more_bytes: int) -> int:
        """How long the pack may become when so much more content was added to it."""
        return min(self.size_bytes + more_bytes, packs.TARGET_PACK_BYTES + packs.MAX_CHUNK_BYTES)

    def add(self, chunk_id: bytes, payload: packs.Bytes, size: int, encoding: int) -> None:
        """Appends a chunk as `packs.compress` returned it: a frame of its own."""
        with room_told():
            self._file.write(payload)
        self.chunk_ids[chunk_id] = (len(payload), size, encoding)
        self.size_bytes += len(payload)
        self.plain_bytes += size

    def build(self) -> packs.Pack:
        """The pack of all that was added; can be repeated."""
        builder = packs.PackBuilder()
        with room_told():
            self._file.seek(0)
        for chunk_id, (length, size, encoding) in self.chunk_ids.items():
            chunk = packs.PackedChunk(chunk_id, size)
            builder.add_frame(self._file.read(length), encoding, [chunk])
        return builder.finish()

    def close(self) -> None:
        """Gives the room on disk back."""
        discard(self._file)
