"""The entries of a plan's newest restore point, for an agent that lost its own list."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import BinaryIO
from uuid import UUID

from libs.shared import catalogue, database, entries
from libs.shared.catalogue import EntryRow
from libs.shared.database import Connection
from libs.shared.entries import Entry, FolderDelta
from libs.shared.errors import NotFound
from services.ingest import rules
from services.ingest.actions.resources import Resources

_FRAME_ENTRIES = 5_000
_FRAME_BYTES = 4 * 1024 * 1024
_READ_BYTES = 256 * 1024


async def list_entries(
    resources: Resources, agent: rules.agents.Agent, plan_id: UUID
) -> tuple[int | None, BinaryIO]:
    """Returns (number of the newest restore point or None, its entries as a file of frames).

    A frame is a big-endian u32 length and a batch of entries as in a delta. Written to disk
    first, so that a slow reader holds neither a connection to the database nor memory.
    """
    with ExitStack() as undo:
        file = undo.enter_context(tempfile.TemporaryFile())
        async with resources.deltas, database.transaction(resources.pool) as conn:
            plan = await catalogue.find_plan(conn, agent.tenant_id, plan_id)
            if plan is None or plan.agent_id != agent.agent_id:
                raise NotFound("plan")
            if plan.last_run is not None:
                await _spool(resources, conn, agent, plan_id, plan.last_run, file)
        file.seek(0)
        undo.pop_all()
    return plan.last_run, file


async def _spool(
    resources: Resources,
    conn: Connection,
    agent: rules.agents.Agent,
    plan_id: UUID,
    run: int,
    file: BinaryIO,
) -> None:
    frame: list[FolderDelta] = []
    count = size_bytes = 0
    async for folder, rows in catalogue.walk(conn, agent.tenant_id, plan_id, run):
        frame.append(FolderDelta(folder, [_entry(row) for row in rows], []))
        count += len(rows)
        size_bytes += len(folder) + sum(100 + len(row.chunk_ids) for row in rows)
        if count >= _FRAME_ENTRIES or size_bytes >= _FRAME_BYTES:
            await resources.in_thread(_write, file, frame)
            frame, count, size_bytes = [], 0, 0
    if frame:
        await resources.in_thread(_write, file, frame)


async def read_file(file: BinaryIO) -> AsyncIterator[bytes]:
    """Yields a file piece by piece, and closes it."""
    with file:
        while piece := file.read(_READ_BYTES):
            yield piece


def _entry(row: EntryRow) -> Entry:
    return Entry(
        row.name,
        row.kind,
        row.mode,
        row.mtime_ns,
        row.uid,
        row.gid,
        row.size,
        row.target,
        row.chunk_ids,
    )


def _write(file: BinaryIO, frame: list[FolderDelta]) -> None:
    batch = entries.encode_batch(frame)
    file.write(len(batch).to_bytes(4, "big") + batch)
