"""What a restorer needs first: every entry of a restore point, and where its chunks lie."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import msgspec
import zstandard

from libs.shared import catalogue
from libs.shared.catalogue import ROOT, EntryRow
from libs.shared.database import Pool, tenant_transaction
from services.portal import store
from services.portal.actions import browsing, contents, log
from services.portal.actions.browsing import Place
from services.portal.actions.contents import Reader
from services.portal.rules import names
from services.portal.rules.log import acts

_ENTRIES_AT_ONCE = 2_000
_PLACES_AT_ONCE = 16_384
_MOST_FOLDERS = 128
_LENGTH = struct.Struct(">I")
_CHUNKS = -1

Deltas = list[tuple[bytes, list[tuple[Any, ...]], list[bytes]]]
"""Folder, entries, nothing removed: as libs.shared.entries.FolderDelta travels."""


async def write(reader: Reader, place: Place) -> AsyncGenerator[bytes, None]:
    """Yields frames of entries with the places of their chunks; an empty one ends the list.

    A folder's own entry comes before what is in it. A chunk's place comes no later than the first
    entry that needs it, and only once in a frame; one that is lost has none, and costs its file
    alone. Raises Unavailable."""
    await log.note_alone(reader.pool, place.actor, acts.RestoreListed(*place.shown))
    async with aclosing(_batches(reader.pool, place)) as batches:
        async for deltas in batches:
            found: list[tuple[Any, ...]] = []
            for ids in _ids_of(deltas):
                async with tenant_transaction(reader.pool, reader.tenant_id) as conn:
                    found += await store.entries.list_places(conn, reader.tenant_id, ids)
                # A huge file's places go ahead of it.
                if len(found) >= _PLACES_AT_ONCE:
                    yield await asyncio.to_thread(_frame, [], found)
                    found = []
            yield await asyncio.to_thread(_frame, deltas, found)
    yield _LENGTH.pack(0)


def _frame(deltas: Deltas, places: list[tuple[Any, ...]]) -> bytes:
    body = zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode((deltas, places)))
    return _LENGTH.pack(len(body)) + body


def _ids_of(deltas: Deltas) -> Iterator[list[bytes]]:
    """The different chunks that some entries are made of, thousands at a time."""
    ids: set[bytes] = set()
    for _, entries, _ in deltas:
        for entry in entries:
            ids.update(contents.split_ids(entry[_CHUNKS]))
            if len(ids) >= _PLACES_AT_ONCE:
                yield list(ids)
                ids = set()
    if ids:
        yield list(ids)


async def _batches(pool: Pool, place: Place) -> AsyncGenerator[Deltas, None]:
    """Some thousands of entries at a time, a folder's own before what is in it.

    Each batch is read in a short transaction of its own, so that a slow reader holds none; what a
    run saw never changes, so the batches fit together."""
    if place.entry is not ROOT:
        yield [(names.parent(place.path), [_entry(place.entry)], [])]
    if place.entry.kind != "d":
        return
    async with tenant_transaction(pool, place.tenant_id) as conn:
        start = await catalogue.find_folder(conn, place.tenant_id, place.plan.plan_id, place.path)
    waiting = [] if start is None else [(start, place.path)]
    at_once = 16
    while waiting:
        # The newest first: the list stays as short as the tree is deep times a folder's width.
        paths = dict(waiting[-at_once:])
        del waiting[-at_once:]
        left = sorted(paths)
        after = (0, b"")
        while left:
            rows = await _read_slice(pool, place, left, after)
            deltas: dict[int, list[tuple[Any, ...]]] = {}
            for folder_id, child_id, entry in rows:
                deltas.setdefault(folder_id, []).append(entry)
                if child_id is not None:
                    waiting.append((child_id, browsing.join(paths[folder_id], entry[0])))
            if deltas:
                yield [(paths[folder_id], entries, []) for folder_id, entries in deltas.items()]
            if len(rows) < _ENTRIES_AT_ONCE:
                left = []
                if len(rows) < _ENTRIES_AT_ONCE // 2:
                    at_once = min(at_once * 2, _MOST_FOLDERS)
            else:
                folder_id, _, entry = rows[-1]
                after = (folder_id, entry[0])
                left = [folder_id for folder_id in left if folder_id >= after[0]]
                at_once = max(at_once // 2, 1)


async def _read_slice(
    pool: Pool, place: Place, folder_ids: list[int], after: tuple[int, bytes]
) -> list[tuple[int, int | None, tuple[Any, ...]]]:
    async with tenant_transaction(pool, place.tenant_id) as conn:
        part = browsing.slice_of(place, folder_ids, after, _ENTRIES_AT_ONCE)
        return await store.entries.list_slice_plainly(conn, part)


def _entry(row: EntryRow) -> tuple[Any, ...]:
    return (
        row.name, row.kind, row.mode, row.mtime_ns, row.uid, row.gid, row.size, row.target,
        row.chunk_ids,
    )  # fmt: skip
