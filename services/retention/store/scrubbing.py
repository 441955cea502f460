"""Scrubbing: which packs to read again, and what a damaged one concerns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.retention.store.sessions import LONG_SECONDS


class DuePack(NamedTuple):
    """A pack to be read again."""

    tenant_id: UUID
    pack_no: int
    pack_id: bytes
    object_bytes: int
    stored_at: datetime
    state: str


class Concerned(NamedTuple):
    """What of one plan needs damaged chunks: how many files, and the paths of some."""

    plan_id: UUID
    files: int
    paths: list[bytes]


async def list_due_packs(
    conn: Connection, tenant_id: UUID, before: datetime, limit: int
) -> list[DuePack]:
    """Returns the tenant's live packs that were last verified before, the longest ago first."""
    rows = await conn.fetch(
        """
        SELECT tenant_id, pack_no, pack_id, object_bytes, stored_at, state FROM catalogue.packs
        WHERE tenant_id = $1 AND state = 'live' AND verified_at < $2
        ORDER BY verified_at LIMIT $3
        """,
        tenant_id,
        before,
        limit,
    )
    return [DuePack(*row) for row in rows]


async def make_due(conn: Connection, tenant_id: UUID, pack_id: bytes) -> None:
    """Has a pack read again before all others, however lately it was."""
    await conn.execute(
        """
        UPDATE catalogue.packs SET verified_at = verified_at - interval '10 years'
        WHERE tenant_id = $1 AND pack_id = $2 AND state = 'live'
            AND verified_at > stored_at - interval '9 years'
        """,
        tenant_id,
        pack_id,
    )


async def mark_verified(
    conn: Connection, tenant_id: UUID, pack_nos: Sequence[int], now: datetime
) -> None:
    """Writes down that packs were read and found to be whole."""
    await conn.execute(
        """
        UPDATE catalogue.packs SET verified_at = $3
        WHERE tenant_id = $1 AND pack_no = ANY($2::bigint[])
        """,
        tenant_id,
        pack_nos,
        now,
    )


async def mark_damaged(conn: Connection, due: DuePack, now: datetime) -> bool:
    """Writes down that a pack is damaged; False if it was stored anew or condemned meanwhile."""
    status = await conn.execute(
        """
        UPDATE catalogue.packs SET state = 'damaged', damaged_at = $4
        WHERE tenant_id = $1 AND pack_no = $2 AND state = 'live' AND stored_at = $3
        """,
        due.tenant_id,
        due.pack_no,
        due.stored_at,
        now,
    )
    return database.changed(status) == 1


async def add_damage(conn: Connection, due: DuePack, now: datetime) -> None:
    """Keeps that a pack's damage was told."""
    await conn.execute(
        """
        INSERT INTO damages (tenant_id, pack_id, found_at) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id, pack_id) DO UPDATE SET found_at = $3
        """,
        due.tenant_id,
        due.pack_id,
        now,
    )


async def take_mended(conn: Connection, limit: int) -> list[tuple[UUID, bytes]]:
    """Forgets damage that is no more, and returns whose packs they were.

    The pack was stored anew, or it went: its chunks came again in others, or nothing needs them.
    """
    rows = await conn.fetch(
        """
        WITH mended AS (
            SELECT d.tenant_id, d.pack_id FROM damages d WHERE NOT EXISTS (
                SELECT FROM catalogue.packs p
                WHERE p.tenant_id = d.tenant_id AND p.pack_id = d.pack_id AND p.state = 'damaged')
            LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM damages d USING mended m
        WHERE d.tenant_id = m.tenant_id AND d.pack_id = m.pack_id
        RETURNING d.tenant_id, d.pack_id
        """,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def find_concerned(
    conn: Connection, tenant_id: UUID, chunk_ids: Sequence[bytes], paths: int
) -> list[Concerned]:
    """Returns, for each plan, the files that need one of these chunks, in any restore point."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE hit AS (
            SELECT DISTINCT v.plan_id, v.folder_id, v.name
            FROM catalogue.versions v, split_ids(v.chunk_ids) AS chunk_id
            WHERE v.tenant_id = $1 AND v.kind = 'f' AND chunk_id = ANY($2::bytea[])
        ), numbered AS (
            SELECT *, row_number() OVER (PARTITION BY plan_id ORDER BY folder_id, name) AS place,
                   count(*) OVER (PARTITION BY plan_id) AS files FROM hit
        ), path (plan_id, files, place, folder_id, path) AS (
            SELECT plan_id, files, place, folder_id, name FROM numbered WHERE place <= $3
            UNION ALL
            SELECT p.plan_id, p.files, p.place, f.parent_id,
                   CASE WHEN f.parent_id = 0 THEN p.path ELSE f.name || '/'::bytea || p.path END
            FROM path p JOIN catalogue.folders f
            ON f.tenant_id = $1 AND f.folder_id = p.folder_id
        ) SELECT plan_id, files, array_agg(path ORDER BY path) FROM path WHERE folder_id = 0
        GROUP BY plan_id, files ORDER BY plan_id
        """,
        tenant_id,
        chunk_ids,
        paths,
        timeout=LONG_SECONDS,
    )
    return [Concerned(*row) for row in rows]


async def find_oldest_verified(conn: Connection) -> datetime | None:
    """Returns when the live pack of all tenants that was read the longest ago was read."""
    oldest: datetime | None = await conn.fetchval(
        """
        SELECT min(greatest(verified_at, stored_at)) FROM catalogue.packs WHERE state = 'live'
        """
    )
    return oldest


class Unlive(NamedTuple):
    """Packs that are damaged, or condemned: nothing needs these, and their grace runs."""

    packs: int
    object_bytes: int


async def sum_unlive(conn: Connection) -> dict[str, Unlive]:
    """Returns how many packs aren't live, and their bytes, by state."""
    rows = await conn.fetch(
        """
        SELECT state, count(*), sum(object_bytes)::bigint FROM catalogue.packs
        WHERE state <> 'live' GROUP BY state
        """
    )
    return {row[0]: Unlive(row[1], row[2]) for row in rows}
