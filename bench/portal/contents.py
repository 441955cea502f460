"""Files and archives through the portal, beside the store's own ranges with their seals opened."""

from __future__ import annotations

import asyncio
import http.client
import os
import random
import shutil
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx2

from bench import measuring
from bench.coffre import PLAN, Client, Installation
from bench.measuring import ProgramFailed
from libs.shared import bucket, catalogue, keys, packs, sealing
from libs.shared.catalogue import ChunkPlace
from libs.shared.entries import split_ids
from libs.shared.keys import TenantKeys
from libs.shared.objects import ObjectStore
from services.portal.actions.files import contents, spans

FILE_BYTES = 500_000_000
COPIED_BYTES = 100_000_000
FIRST_BYTES = 40
"""How often the first byte of a file is waited for."""
_SMALL_FILES = 200


class Contents:
    """A client with a large file, and a folder of many files that all hold the same."""

    def __init__(
        self, installation: Installation, folder: Path, file_bytes: int, zip_bytes: int
    ) -> None:
        self._installation = installation
        self._tree = folder / "tree"
        _write(self._tree, file_bytes, zip_bytes)
        self.client = Client(installation, folder / "client", self._tree)
        self.client.run()
        self.client.choose_password()
        shutil.rmtree(self._tree)

    @property
    def tenant_id(self) -> UUID:
        """Whose all of it is."""
        return UUID(self.client.tenant_id)

    def address(self, way: str, path: str) -> str:
        """What gives a file, or a folder as an archive."""
        return f"/api/v1/plans/{PLAN}/{way}?path={self._tree / path}"

    async def measure(
        self, asking: httpx2.AsyncClient, session: str, rounds: int
    ) -> dict[str, Any]:
        """Rates in bytes a second, the zip's size, and how much memory the portal took for it."""
        wait_ms = await self._wait_for_first_bytes(asking, {"Cookie": f"coffre={session}"})
        url = str(asking.base_url)
        through: list[float] = []
        straight: list[float] = []
        sealed: list[float] = []
        for _ in range(rounds):
            sealed.append(await self._read_straight(is_opened=False))
            straight.append(await self._read_straight())
            through.append(await _download(url, self.address("file", "film.bin"), session))
        pid = int(self._installation.described["services"]["portal"]["pid"])
        base = _resident(pid)
        measuring.reset_peak(pid)
        begun = time.perf_counter()
        zip_bytes = await _read(url, self.address("archive", "copies"), session)
        seconds = time.perf_counter() - begun
        return {
            "first_byte_ms": wait_ms,
            "download_bytes_per_second": median(through),
            "straight_bytes_per_second": median(straight),
            "sealed_bytes_per_second": median(sealed),
            "ratio": round(median(through) / median(straight), 2),
            "zip_bytes": zip_bytes,
            "zip_seconds": round(seconds, 1),
            "zip_base_bytes": base,
            "zip_peak_bytes": measuring.peak_bytes(pid),
        }

    async def _wait_for_first_bytes(
        self, asking: httpx2.AsyncClient, headers: dict[str, str]
    ) -> dict[str, float]:
        """How long it takes until the first byte of a file comes, of a large and of small ones."""
        took = []
        for number in range(FIRST_BYTES):
            name = "film.bin" if number % 2 else f"small/{number * 7 % _SMALL_FILES}.txt"
            begun = time.perf_counter()
            async with asking.stream("GET", self.address("file", name), headers=headers) as answer:
                async for _ in answer.aiter_raw():
                    took.append(time.perf_counter() - begun)
                    break
        took.sort()
        return {"p50": round(took[len(took) // 2] * 1000, 1), "p99": round(took[-1] * 1000, 1)}

    async def _read_straight(self, *, is_opened: bool = True) -> float:
        """Bytes a second of the file's spans, straight from the store, and their seals opened."""
        master = keys.read_key(self._installation.folder / "secrets" / "master-key")
        objects = self._installation.store()
        opened = 0
        try:
            ring = await keys.KeyRing(objects, master).get(self.tenant_id)
            places = await self._locate()

            async def fetches() -> AsyncIterator[Coroutine[Any, Any, int]]:
                for span in spans.find_spans(places):
                    yield self._open(objects, ring, span, is_opened=is_opened)

            begun = time.perf_counter()
            async for size in spans.read_ahead(fetches(), contents.WINDOWS_AHEAD):
                opened += size
            return opened / (time.perf_counter() - begun)
        finally:
            await objects.close()

    async def _open(
        self, objects: ObjectStore, ring: TenantKeys, span: list[ChunkPlace], *, is_opened: bool
    ) -> int:
        start, last = span[0].offset, span[-1]
        key = bucket.key_of_pack(self.tenant_id, span[0].pack_id)
        sealed = await objects.get_range(key, start, last.offset + last.length - start)
        if not is_opened:
            return len(sealed)

        def open_all() -> int:
            view = memoryview(sealed)
            opened = 0
            for place, *_ in packs.by_frame(span):
                part = view[place.offset - start : place.offset - start + place.length]
                pack_id = span[0].pack_id
                opened += len(sealing.open_frame(part, ring, self.tenant_id, pack_id, place))
            return opened

        return await asyncio.to_thread(open_all)

    async def _locate(self) -> list[ChunkPlace]:
        """Where the chunks of the large file lie, in its order."""
        conn = await asyncpg.connect(self._installation.described["postgres"]["dsn"])
        try:
            ids = split_ids(
                await conn.fetchval(
                    """
                    SELECT chunk_ids FROM catalogue.versions WHERE tenant_id = $1 AND name = $2
                    """,
                    self.tenant_id,
                    b"film.bin",
                )
            )
            found = await catalogue.locate_chunks(conn, self.tenant_id, ids)
        finally:
            await conn.close()
        return [found[one] for one in ids]


def _write(tree: Path, file_bytes: int, zip_bytes: int) -> None:
    """Files that nothing makes smaller; the folder of copies takes the room of one of them."""
    (tree / "copies").mkdir(parents=True)
    (tree / "small").mkdir()
    _fill(tree / "film.bin", file_bytes, 1)
    first = tree / "copies" / "0.bin"
    _fill(first, min(COPIED_BYTES, zip_bytes), 2)
    for number in range(1, zip_bytes // COPIED_BYTES):
        os.link(first, tree / "copies" / f"{number}.bin")
    for number in range(_SMALL_FILES):
        _fill(tree / "small" / f"{number}.txt", 20_000, number + 3)


def _fill(path: Path, size_bytes: int, seed: int) -> None:
    chance = random.Random(seed)
    with open(path, "wb") as target:
        while size_bytes > 0:
            size_bytes -= target.write(chance.randbytes(min(size_bytes, 1_000_000)))


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _download(url: str, path: str, session: str) -> float:
    begun = time.perf_counter()
    return await _read(url, path, session) / (time.perf_counter() - begun)


async def _read(url: str, path: str, session: str) -> int:
    """Reads an answer to its end and forgets it; ProgramFailed unless it is all there."""
    return await asyncio.to_thread(_take, urlsplit(url).netloc, path, session)


def _take(host: str, path: str, session: str) -> int:
    """Takes an answer as cheaply as a program in C: whoever asks shares the processor."""
    connection = http.client.HTTPConnection(host, timeout=120)
    try:
        connection.request("GET", path, headers={"Cookie": f"coffre={session}"})
        answer = connection.getresponse()
        room, size = bytearray(1 << 20), 0
        while taken := answer.readinto(room):
            size += taken
    finally:
        connection.close()
    if answer.status != 200 or answer.length:
        raise ProgramFailed(f"{path} was answered {answer.status}, {size} bytes")
    return size
