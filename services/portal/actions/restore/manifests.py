"""What a restorer needs first: every entry of a restore point, and where its chunks lie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing

from libs.shared import batches, catalogue, frames, restores
from libs.shared.database import tenant_transaction
from libs.shared.entries import FolderDelta, split_ids
from libs.shared.restores import PlacedChunk, RestorePart
from services.portal import store
from services.portal.actions import log
from services.portal.actions.files import browsing, proving
from services.portal.actions.files.browsing import Place
from services.portal.actions.files.spans import ChunkReader
from services.portal.rules.log import acts

_PLACES_AT_ONCE = 16_384
_PART_BYTES = restores.MAX_PART_PLAIN_BYTES // 4


async def write(reader: ChunkReader, place: Place) -> AsyncGenerator[bytes, None]:
    """Yields the list of a place and all below it with the places of their chunks, in frames.

    A folder's own entry comes before what is in it. A chunk's place comes no later than the first
    entry that needs it, and only once in a part; one that is lost has none, and costs its file
    alone. Raises PointExpired, Unproven, Unavailable: without its end it is no whole list."""
    await log.note_alone(reader.pool, place.actor, acts.RestoreListed(*place.shown))
    proof = await proving.prove(reader, place)
    async with aclosing(browsing.walk(reader.pool, place, catalogue.ENTRIES, proof)) as walked:
        async for folders in walked:
            for deltas in batches.cut_deltas(folders, _PART_BYTES):
                found: list[PlacedChunk] = []
                for ids in _ids_of(deltas):
                    async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
                        found += await store.files.list_places(conn, reader.tenant_id, ids)
                    # A huge file's places go ahead of it.
                    if len(found) >= _PLACES_AT_ONCE:
                        yield await asyncio.to_thread(restores.encode_part, RestorePart([], found))
                        found = []
                yield await asyncio.to_thread(restores.encode_part, RestorePart(deltas, found))
    yield frames.END


def _ids_of(deltas: Sequence[FolderDelta]) -> Iterator[list[bytes]]:
    """The different chunks that some entries are made of, thousands at a time."""
    ids: set[bytes] = set()
    for delta in deltas:
        for entry in delta.upserts:
            ids.update(split_ids(entry.chunks))
            if len(ids) >= _PLACES_AT_ONCE:
                yield list(ids)
                ids = set()
    if ids:
        yield list(ids)
