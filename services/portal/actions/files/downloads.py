"""One file of a restore point, looked at or read."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from libs.shared import errors
from libs.shared.database import Pool
from services.portal.actions import log
from services.portal.actions.files import contents, proving
from services.portal.actions.files.browsing import Place
from services.portal.actions.files.spans import ChunkReader
from services.portal.rules.files import ranges
from services.portal.rules.files.ranges import ByteRange
from services.portal.rules.log import acts


def choose_part(place: Place, wanted: str | None, if_range: str | None) -> ByteRange:
    """What of a file is asked for by the headers Range and If-Range.

    Raises NotFound for what is no file, RangeUnsatisfiable."""
    if place.entry.kind != "f":
        raise errors.NotFound("file in this restore point")
    return ranges.choose_part(place.entry.size, wanted, if_range, place.etag)


async def view(pool: Pool, place: Place) -> None:
    """Somebody sees that there is such a file, how large and how old: nothing of its content."""
    await log.note_alone(pool, place.actor, acts.FileViewed(*place.shown))


async def read(
    reader: ChunkReader, place: Place, part: ByteRange
) -> AsyncGenerator[memoryview, None]:
    """Yields a file, or a part of it, in pieces; raises Damaged, Unproven, Unavailable."""
    span = "" if part.is_whole else f"{part.start}-{part.start + part.length - 1}"
    await log.note_alone(reader.pool, place.actor, acts.FileDownloaded(*place.shown, span))
    await proving.prove(reader, place)
    chunk_ids = place.entry.chunk_ids
    async with aclosing(contents.read_range(reader, chunk_ids, part.start, part.length)) as pieces:
        async for piece in pieces:
            yield piece
