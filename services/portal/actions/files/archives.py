"""A folder of a restore point as one archive, written while it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import ExitStack, aclosing, closing
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from isal import isal_zlib

from libs.shared import catalogue, sealing
from libs.shared.catalogue import EntryRow, PathProof, join_path
from libs.shared.database import Pool
from libs.shared.entries import CHUNK_ID_BYTES, split_ids
from libs.shared.proofs import Unproven
from services.portal.actions import log
from services.portal.actions.files import browsing, contents, proving
from services.portal.actions.files.browsing import Place, Root
from services.portal.actions.files.contents import Chunk
from services.portal.actions.files.selecting import Selection
from services.portal.actions.files.spans import ChunkReader, Damaged
from services.portal.actions.files.tars import Tar
from services.portal.actions.files.zips import Zip
from services.portal.rules.files import names

Format = Literal["zip", "tar"]

_BUFFER_BYTES = 64 << 10
_ENTRIES_MEASURED = 50_000
_ENTRIES_MEASURED_FOR_A_PAGE = 500


class Archive(Protocol):
    """Builds an archive piece by piece."""

    def enter(self, path: bytes) -> None:
        """A folder that is in the archive by what lies in it alone."""

    def has_content(self, entry: EntryRow) -> bool:
        """Whether the entry's content follows its beginning; asked of all, once, in their order."""

    def begin(self, path: bytes, entry: EntryRow) -> bytes:
        """What comes before an entry's content."""

    def end(self, entry: EntryRow, size: int) -> bytes:
        """What comes after an entry's content, of which so many bytes followed."""

    def finish(self) -> Iterator[bytes]:
        """What comes after the last entry."""

    def close(self) -> None:
        """Frees what was kept for the end."""


MEDIA_TYPES: dict[Format, str] = {"zip": "application/zip", "tar": "application/x-tar"}


def make(form: Format, timezone: str) -> Archive:
    """An empty archive; timezone: of the times in it that have none."""
    return Tar() if form == "tar" else Zip(ZoneInfo(timezone))


Wanted = Place | Selection
"""What an archive is made of: a folder, a file, a symlink, or several of them."""


async def write(
    pool: Pool, reader: ChunkReader, wanted: Wanted, archive: Archive
) -> AsyncGenerator[bytes | memoryview, None]:
    """Yields the archive of a place or a selection; names are relative to the folder they are in.

    Raises Damaged, Unproven, Unavailable: what was yielded until then is no whole archive."""
    waiting: list[bytes | memoryview] = []
    held = 0
    with closing(archive):
        await log.note_all(pool, wanted.first.actor, wanted.download_acts)
        proofs = await proving.prove_all(reader, wanted.roots)
        async with aclosing(_write_entries(pool, reader, proofs, archive)) as written:
            async for piece in written:
                is_large = len(piece) >= _BUFFER_BYTES
                if not is_large:
                    waiting.append(piece)
                    held += len(piece)
                if waiting and (is_large or held >= _BUFFER_BYTES):
                    yield b"".join(waiting)
                    waiting, held = [], 0
                if is_large:
                    yield piece
        yield b"".join(waiting)
        for piece in archive.finish():
            yield piece


async def view(pool: Pool, wanted: Wanted) -> None:
    """Somebody sees how large an archive is, and nothing of what is in it."""
    await log.note_all(pool, wanted.first.actor, wanted.view_acts)


async def preview(pool: Pool, wanted: Wanted, form: Format) -> int | None:
    """How large an archive would be, for somebody who may then take it; None as `measure`."""
    await view(pool, wanted)
    return await measure(pool, wanted, make(form, wanted.first.timezone))


async def measure(pool: Pool, wanted: Wanted, archive: Archive) -> int | None:
    """How many bytes `write` will yield, told by the catalogue alone.

    None for a tree of so many entries that nobody should wait until they are counted."""
    length = entries = 0
    with closing(archive):
        laid = _lay(pool, [(root, None) for root in wanted.roots], archive)
        async with aclosing(laid) as slices:
            async for part in slices:
                entries += len(part)
                if entries > _ENTRIES_MEASURED:
                    return None
                for path, entry in part:
                    size = entry.size if archive.has_content(entry) else 0
                    length += len(archive.begin(path, entry)) + size
                    length += len(archive.end(entry, size))
        return length + sum(map(len, archive.finish()))


async def measure_folders(pool: Pool, place: Place, held: int | None) -> dict[bytes, int]:
    """How large the zip of each folder in a folder would be, by name, and of itself by b"".

    held: how many entries the folder has, None for very many. Nothing for a tree of so many that a
    page shouldn't wait until they are counted."""
    if held is None or held > _ENTRIES_MEASURED_FOR_A_PAGE:
        return {}
    zips: dict[bytes, Zip] = {}
    lengths: Counter[bytes] = Counter()
    # Of a whole plan, paths begin with what lies in it.
    own = len(names.last(place.path)) + 1 if place.path else 0
    entries = 0
    with ExitStack() as stack:
        few = _ENTRIES_MEASURED_FOR_A_PAGE + 1
        async with aclosing(_slices(pool, Root(place), at_once=few)) as slices:
            async for part in slices:
                entries += len(part)
                if entries > _ENTRIES_MEASURED_FOR_A_PAGE:
                    return {}
                for path, entry in part:
                    child, _, below = path[own:].partition(b"/")
                    shown = {b"": path}
                    if child and (below or entry.kind == "d"):
                        shown[child] = path[own:]
                    for of, name in shown.items():
                        if of not in zips:
                            zips[of] = stack.enter_context(closing(Zip(ZoneInfo(place.timezone))))
                        size = entry.size if zips[of].has_content(entry) else 0
                        lengths[of] += len(zips[of].begin(name, entry)) + size
        return {of: length + sum(map(len, zips[of].finish())) for of, length in lengths.items()}


async def _write_entries(
    pool: Pool, reader: ChunkReader, proofs: list[tuple[Root, PathProof]], archive: Archive
) -> AsyncGenerator[bytes | memoryview, None]:
    async with aclosing(_lay(pool, proofs, archive)) as slices:
        async for entries in slices:
            async with aclosing(_write_slice(reader, entries, archive)) as written:
                async for piece in written:
                    yield piece


async def _lay(
    pool: Pool, roots: Sequence[tuple[Root, PathProof | None]], archive: Archive
) -> AsyncGenerator[list[tuple[bytes, EntryRow]], None]:
    """Slices of all that is wanted, root by root; the folders that roots lie in are entered."""
    entered: set[bytes] = set()
    for root, proof in roots:
        parts = catalogue.split_path(root.into)
        for depth in range(1, len(parts) + 1):
            folder = b"/".join(parts[:depth])
            if folder not in entered:
                entered.add(folder)
                archive.enter(folder)
        async with aclosing(_slices(pool, root, proof)) as slices:
            async for part in slices:
                yield part


async def _slices(
    pool: Pool,
    root: Root,
    proof: PathProof | None = None,
    *,
    at_once: int = catalogue.VERSIONS_AT_ONCE,
) -> AsyncGenerator[list[tuple[bytes, EntryRow]], None]:
    """(path in the archive, entry), each folder's right before all that lies below it.

    GNU tar restores folders' times in that order only."""
    place = root.place
    if proof is None and place.entry.kind != "d":
        # Its place has it already: a selection may have a thousand of them.
        yield [(join_path(root.into, place.entry.name), place.entry)]
        return
    cut = len(names.parent(place.path))
    cut += 1 if cut else 0
    columns = catalogue.LISTED if proof is None else catalogue.ROWS
    walk = browsing.walk(pool, place, columns, proof, in_order=True, at_once=at_once)
    async with aclosing(walk) as walked:
        async for folders in walked:
            found = [(folder, entry) for folder, entries in folders for entry in entries]
            if not all(names.is_name(entry.name) for _, entry in found):
                raise Unproven(place.run.number)
            yield [
                (join_path(root.into, join_path(folder, entry.name)[cut:]), entry)
                for folder, entry in found
            ]


async def _write_slice(
    reader: ChunkReader, entries: list[tuple[bytes, EntryRow]], archive: Archive
) -> AsyncGenerator[bytes | memoryview, None]:
    plain = [(path, _unmasked(reader, entry)) for path, entry in entries]
    wanted = [(path, entry, archive.has_content(entry)) for path, entry in plain]
    ids = (one for _, entry, has in wanted if has for one in split_ids(entry.chunk_ids))
    async with aclosing(contents.read(reader, contents.locate(reader, ids))) as chunks:
        for path, entry, has_content in wanted:
            yield archive.begin(path, entry)
            if not has_content:
                yield archive.end(entry, 0)
                continue
            crc32 = 0
            async with aclosing(_content(chunks, entry)) as content:
                async for piece in content:
                    crc32 = isal_zlib.crc32(piece, crc32)
                    yield piece
            if crc32 != entry.crc32:
                raise Damaged(entry.chunk_ids[:CHUNK_ID_BYTES])
            yield archive.end(entry, entry.size)


def _unmasked(reader: ChunkReader, masked: EntryRow) -> EntryRow:
    plain = sealing.mask_crc32(reader.keys, masked.chunk_ids, masked.crc32)
    return masked._replace(crc32=plain)


async def _content(
    chunks: AsyncGenerator[Chunk, None], entry: EntryRow
) -> AsyncGenerator[memoryview, None]:
    """The pieces of one file, from the chunks of all."""
    size = 0
    for _ in range(len(entry.chunk_ids) // CHUNK_ID_BYTES):
        chunk = await anext(chunks)
        size += len(chunk.content)
        for piece in contents.pieces(chunk.content):
            yield piece
    if size != entry.size:
        raise Damaged(entry.chunk_ids[:CHUNK_ID_BYTES])
