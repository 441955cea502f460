"""A file shown in a page: what kind it is by its content, and as much of it as is shown."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from libs.shared import errors, sealing
from services.portal.actions import log
from services.portal.actions.files import contents, proving
from services.portal.actions.files.browsing import Place
from services.portal.actions.files.spans import ChunkReader
from services.portal.rules.files import previews
from services.portal.rules.files.previews import NoPreview, Shown
from services.portal.rules.log import acts


@dataclass(frozen=True)
class Looked:
    """A file as a page shows it; shown is None for one that can only be downloaded."""

    shown: Shown | None
    text: str
    crc32: int


async def look(reader: ChunkReader, place: Place) -> Looked:
    """What a file is, and the text of it where it is one.

    Raises NotFound for what is no file, Damaged, Unproven, Unavailable."""
    shown = await _choose(reader, place)
    text = ""
    if shown is not None and shown.kind == "text":
        content = await _read(reader, place, shown.length)
        text = previews.read_text(content, shown, place.entry.size)
    entry = place.entry
    return Looked(shown, text, sealing.mask_crc32(reader.keys, entry.chunk_ids, entry.crc32))


async def open_content(
    reader: ChunkReader, place: Place
) -> tuple[Shown, AsyncGenerator[memoryview, None]]:
    """What a browser may show of a file, and how; raises NoPreview as well."""
    shown = await _choose(reader, place)
    if shown is None:
        raise NoPreview
    return shown, contents.read_range(reader, place.entry.chunk_ids, 0, shown.length)


async def _choose(reader: ChunkReader, place: Place) -> Shown | None:
    if place.entry.kind != "f":
        raise errors.NotFound("file in this restore point")
    await log.note_alone(reader.pool, place.actor, acts.FilePreviewed(*place.shown))
    await proving.prove(reader, place)
    size = place.entry.size
    head = await _read(reader, place, min(size, previews.HEAD_BYTES))
    return previews.choose(head, size)


async def _read(reader: ChunkReader, place: Place, length: int) -> bytes:
    async with aclosing(contents.read_range(reader, place.entry.chunk_ids, 0, length)) as pieces:
        return b"".join([piece async for piece in pieces])


async def sum_up(reader: ChunkReader, place: Place) -> str:
    """The SHA-256 of a file, read whole and verified; raises what `look` does."""
    if place.entry.kind != "f":
        raise errors.NotFound("file in this restore point")
    await log.note_alone(reader.pool, place.actor, acts.FileDownloaded(*place.shown, ""))
    await proving.prove(reader, place)
    digest = hashlib.sha256()
    ids, size = place.entry.chunk_ids, place.entry.size
    async with aclosing(contents.read_range(reader, ids, 0, size)) as pieces:
        async for piece in pieces:
            digest.update(piece)
    return digest.hexdigest()
