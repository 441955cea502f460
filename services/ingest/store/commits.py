"""Folders and versions of the catalogue: one delta applied, slice by slice, in one transaction.

All of it happens under the plan's lock. Only versions of earlier runs are ever closed, so that
the order of a delta's batches does not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.shared.database import Connection
from libs.shared.entries import Entry
from services.ingest.store.plans import CommitPlace
from services.ingest.store.sessions import LONG_SECONDS


class Closed(NamedTuple):
    """What was closed: files, their bytes, and folders whose contents must go as well."""

    files: int
    size_bytes: int
    folders: list[tuple[int, bytes]]


async def find_folders(
    conn: Connection, place: CommitPlace, keys: Sequence[tuple[int, bytes]]
) -> dict[tuple[int, bytes], int]:
    """Returns the ids of those folders, given by (parent's id, name), that have one."""
    rows = await conn.fetch(
        # A look-up each: a join would read whole tables while the statistics are not yet there.
        """
        SELECT k.parent_id, k.name, (SELECT f.folder_id FROM catalogue.folders f
        WHERE f.tenant_id = $1 AND f.plan_id = $2 AND f.parent_id = k.parent_id
        AND f.name = k.name)
        FROM unnest($3::bigint[], $4::bytea[]) AS k (parent_id, name)
        """,
        place.tenant_id,
        place.plan_id,
        [parent_id for parent_id, _ in keys],
        [name for _, name in keys],
    )
    return {(row[0], row[1]): row[2] for row in rows if row[2] is not None}


async def add_folders(
    conn: Connection, place: CommitPlace, keys: Sequence[tuple[int, bytes]]
) -> dict[tuple[int, bytes], int]:
    """Gives ids to folders that have none yet."""
    rows = await conn.fetch(
        """
        INSERT INTO catalogue.folders (tenant_id, plan_id, parent_id, name)
        SELECT $1, $2, * FROM unnest($3::bigint[], $4::bytea[])
        RETURNING parent_id, name, folder_id
        """,
        place.tenant_id,
        place.plan_id,
        [parent_id for parent_id, _ in keys],
        [name for _, name in keys],
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def close_removed(
    conn: Connection, place: CommitPlace, folder_ids: Sequence[int], names: Sequence[bytes]
) -> Closed:
    """Closes the current versions of paths that are gone; a path nobody knows is fine."""
    rows = await conn.fetch(
        """
        UPDATE catalogue.versions v SET last_run = $2 - 1
        FROM unnest($3::bigint[], $4::bytea[]) AS d (folder_id, name)
        WHERE v.tenant_id = $1 AND v.folder_id = d.folder_id AND v.name = d.name
        AND v.last_run IS NULL AND v.first_run < $2
        RETURNING v.kind::text, v.size, v.folder_id, v.name
        """,
        place.tenant_id,
        place.number,
        folder_ids,
        names,
    )
    files = [row[1] for row in rows if row[0] == "f"]
    return Closed(len(files), sum(files), [(row[2], row[3]) for row in rows if row[0] == "d"])


async def close_replaced(
    conn: Connection, place: CommitPlace, folder_ids: Sequence[int], entries: Sequence[Entry]
) -> Closed:
    """Closes the current versions that differ from these entries."""
    rows = await conn.fetch(
        """
        UPDATE catalogue.versions v SET last_run = $2 - 1
        FROM unnest($3::bigint[], $4::bytea[], $5::text[], $6::integer[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[], $12::bytea[], $13::bytea[])
            AS d (folder_id, name, kind, mode, mtime_ns, uid, gid, size, target, chunk_ids,
            attributes_id)
        WHERE v.tenant_id = $1 AND v.folder_id = d.folder_id AND v.name = d.name
        AND v.last_run IS NULL AND v.first_run < $2
        AND (v.kind::text, v.mode, v.mtime_ns, v.uid, v.gid, v.size, v.target, v.chunk_ids,
            v.attributes_id) IS DISTINCT FROM (d.kind, d.mode, d.mtime_ns, d.uid, d.gid, d.size,
            d.target, d.chunk_ids, d.attributes_id)
        RETURNING v.kind::text, v.size, v.folder_id, v.name, d.kind
        """,
        place.tenant_id,
        place.number,
        folder_ids,
        *_columns(entries),
    )
    files = [row[1] for row in rows if row[0] == "f"]
    retyped = [(row[2], row[3]) for row in rows if row[0] == "d" and row[4] != "d"]
    return Closed(len(files), sum(files), retyped)


async def close_below(
    conn: Connection, place: CommitPlace, folders: Sequence[tuple[int, bytes]]
) -> Closed:
    """Closes everything below folders that are no folders any more."""
    row = await conn.fetchrow(
        """
        WITH RECURSIVE gone (folder_id) AS (
        SELECT f.folder_id FROM unnest($4::bigint[], $5::bytea[]) AS d (parent_id, name)
        JOIN catalogue.folders f ON f.tenant_id = $1 AND f.plan_id = $2
        AND f.parent_id = d.parent_id AND f.name = d.name
        UNION
        SELECT f.folder_id FROM gone JOIN catalogue.folders f
        ON f.tenant_id = $1 AND f.plan_id = $2 AND f.parent_id = gone.folder_id
            ), closed AS (
        UPDATE catalogue.versions v SET last_run = $3 - 1 FROM gone
        WHERE v.tenant_id = $1 AND v.folder_id = gone.folder_id
        AND v.last_run IS NULL AND v.first_run < $3 RETURNING v.kind, v.size
            ) SELECT count(*), coalesce(sum(size), 0)::bigint FROM closed WHERE kind = 'f'
        """,
        place.tenant_id,
        place.plan_id,
        place.number,
        [parent_id for parent_id, _ in folders],
        [name for _, name in folders],
        timeout=LONG_SECONDS,
    )
    assert row is not None
    return Closed(row[0], row[1], [])


async def close_all(conn: Connection, place: CommitPlace) -> Closed:
    """Closes every current version of the plan, before a delta that names all there is."""
    row = await conn.fetchrow(
        """
        WITH closed AS (
        UPDATE catalogue.versions v SET last_run = $3 - 1 FROM catalogue.folders f
        WHERE f.tenant_id = $1 AND f.plan_id = $2 AND v.tenant_id = $1
        AND v.folder_id = f.folder_id AND v.last_run IS NULL AND v.first_run < $3
        RETURNING v.kind, v.size
            ) SELECT count(*), coalesce(sum(size), 0)::bigint FROM closed WHERE kind = 'f'
        """,
        place.tenant_id,
        place.plan_id,
        place.number,
        timeout=LONG_SECONDS,
    )
    assert row is not None
    return Closed(row[0], row[1], [])


async def reopen_same(
    conn: Connection, place: CommitPlace, folder_ids: Sequence[int], entries: Sequence[Entry]
) -> Closed:
    """Takes back what `close_all` closed where the entry is still the same; counts it."""
    rows = await conn.fetch(
        # The newest version of each path by its key, as no join: statistics from before the
        # closing make one that compares each entry with all that was closed.
        """
        UPDATE catalogue.versions v SET last_run = NULL WHERE v.ctid = ANY(ARRAY(
        SELECT o.ctid FROM unnest($3::bigint[], $4::bytea[], $5::text[], $6::integer[],
            $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[], $12::bytea[],
            $13::bytea[]) AS d (folder_id, name, kind, mode, mtime_ns, uid, gid, size, target,
            chunk_ids, attributes_id)
        CROSS JOIN LATERAL (SELECT n.ctid, n.* FROM catalogue.versions n
        WHERE n.tenant_id = $1 AND n.folder_id = d.folder_id AND n.name = d.name
        AND n.first_run < $2 ORDER BY n.first_run DESC LIMIT 1) o WHERE o.last_run = $2 - 1
        AND NOT EXISTS (SELECT FROM catalogue.dropped x WHERE x.tenant_id = $1
            AND x.folder_id = o.folder_id AND o.first_run <= x.begun_by)
        AND (o.kind::text, o.mode, o.mtime_ns, o.uid, o.gid, o.size, o.target, o.chunk_ids)
            = (d.kind, d.mode, d.mtime_ns, d.uid, d.gid, d.size, d.target, d.chunk_ids)
        AND o.attributes_id IS NOT DISTINCT FROM d.attributes_id))
        RETURNING v.kind::text, v.size
        """,
        place.tenant_id,
        place.number,
        folder_ids,
        *_columns(entries),
    )
    files = [row[1] for row in rows if row[0] == "f"]
    return Closed(len(files), sum(files), [])


async def add_versions(
    conn: Connection,
    place: CommitPlace,
    folder_ids: Sequence[int],
    entries: Sequence[Entry],
    crc32s: Sequence[int],
    now: datetime,
) -> tuple[Closed, list[tuple[int, bytes]] | None]:
    """Adds the entries that have no current version yet; counts the files among them.

    Returns as well the (folder, name) of those that were added, None where all were.
    Raises UniqueViolationError (versions_pkey) for an entry that the run has twice.
    """
    row = await conn.fetchrow(
        """
        WITH added AS (
        INSERT INTO catalogue.versions (tenant_id, plan_id, first_run, received_at, folder_id,
            name, kind, mode, mtime_ns, uid, gid, size, target, chunk_ids, attributes_id, crc32)
        SELECT $1, $2, $3, $4, d.folder_id, d.name, d.kind::"char", d.mode, d.mtime_ns, d.uid,
            d.gid, d.size, d.target, d.chunk_ids, d.attributes_id, d.crc32
        FROM unnest($5::bigint[], $6::bytea[], $7::text[], $8::integer[], $9::bigint[],
            $10::bigint[], $11::bigint[], $12::bigint[], $13::bytea[], $14::bytea[], $15::bytea[],
            $16::bigint[]) AS d (folder_id, name, kind, mode, mtime_ns, uid, gid, size, target,
            chunk_ids, attributes_id, crc32)
        WHERE NOT EXISTS (SELECT FROM catalogue.versions v WHERE v.tenant_id = $1
        AND v.folder_id = d.folder_id AND v.name = d.name AND v.last_run IS NULL
        AND v.first_run < $3)
        RETURNING kind, size, folder_id, name
            ) SELECT count(*) FILTER (WHERE kind = 'f'),
            coalesce(sum(size) FILTER (WHERE kind = 'f'), 0)::bigint, count(*),
            CASE WHEN count(*) < cardinality($6) THEN array_agg(folder_id) END,
            CASE WHEN count(*) < cardinality($6) THEN array_agg(name) END FROM added
        """,
        place.tenant_id,
        place.plan_id,
        place.number,
        now,
        folder_ids,
        *_columns(entries),
        crc32s,
    )
    assert row is not None
    added = Closed(row[0], row[1], [])
    if row[2] == len(entries):
        return added, None
    return added, list(zip(row[3] or (), row[4] or (), strict=True))


async def put_attribute_sets(
    conn: Connection, tenant_id: UUID, sets: Collection[bytes], now: datetime
) -> None:
    """Keeps these sets of attributes, each once, before the versions that have them."""
    await conn.execute(
        # In one order: two commits that bring the same ones would wait for each other else.
        """
        INSERT INTO catalogue.attribute_sets AS s (tenant_id, attributes_id, content, used_at)
        SELECT $1, d.attributes_id, d.content, $4 FROM unnest($2::bytea[], $3::bytea[])
            AS d (attributes_id, content) ORDER BY d.attributes_id
        ON CONFLICT (tenant_id, attributes_id)
        DO UPDATE SET used_at = greatest(s.used_at, EXCLUDED.used_at)
        """,
        tenant_id,
        [name_set(one) for one in sets],
        list(sets),
        now,
    )


async def find_orphan(
    conn: Connection, place: CommitPlace, folder_ids: Sequence[int]
) -> bytes | None:
    """Returns the name of one of these folders that the run doesn't have as a folder."""
    orphan: bytes | None = await conn.fetchval(
        """
        SELECT f.name FROM unnest($2::bigint[]) AS t (folder_id) JOIN catalogue.folders f
        ON f.tenant_id = $1 AND f.folder_id = t.folder_id WHERE f.parent_id <> 0
        AND (SELECT true FROM catalogue.versions v WHERE v.tenant_id = $1
        AND v.folder_id = f.parent_id AND v.name = f.name AND v.last_run IS NULL
        AND v.kind = 'd' LIMIT 1) IS NULL LIMIT 1
        """,
        place.tenant_id,
        folder_ids,
        timeout=LONG_SECONDS,
    )
    return orphan


async def find_committed_at(
    conn: Connection, place: CommitPlace, number: int | None
) -> datetime | None:
    """Returns when a restore point of the plan was committed; None if there is none."""
    committed_at: datetime | None = await conn.fetchval(
        """
        SELECT committed_at FROM catalogue.runs
        WHERE tenant_id = $1 AND plan_id = $2 AND number = $3
        """,
        place.tenant_id,
        place.plan_id,
        number,
    )
    return committed_at


async def add_restore_point(
    conn: Connection,
    place: CommitPlace,
    run_id: UUID,
    files_total: int,
    bytes_protected: int,
    now: datetime,
    sealed: bytes | None,
) -> None:
    """Makes the run the plan's newest restore point."""
    await conn.execute(
        """
        INSERT INTO catalogue.runs (tenant_id, plan_id, number, run_id, committed_at,
            files_total, bytes_protected, sealed) VALUES ($1, $2, $3, $4, $7, $5, $6, $8)
        """,
        place.tenant_id,
        place.plan_id,
        place.number,
        run_id,
        files_total,
        bytes_protected,
        now,
        sealed,
    )
    await conn.execute(
        """
        UPDATE catalogue.plans SET last_run = $3 WHERE tenant_id = $1 AND plan_id = $2
        """,
        place.tenant_id,
        place.plan_id,
        place.number,
    )


def _columns(entries: Sequence[Entry]) -> tuple[list[object], ...]:
    """The columns of the arrays that the statements above unnest, from the name on."""
    return (
        [entry.name for entry in entries],
        [entry.kind for entry in entries],
        [entry.mode for entry in entries],
        [entry.mtime_ns for entry in entries],
        [entry.uid for entry in entries],
        [entry.gid for entry in entries],
        [entry.size for entry in entries],
        [entry.target for entry in entries],
        [entry.chunks for entry in entries],
        [name_set(entry.attributes) for entry in entries],
    )


def name_set(attributes: bytes) -> bytes | None:
    """How the catalogue calls a set of attributes; None for none."""
    return hashlib.sha256(attributes).digest() if attributes else None
