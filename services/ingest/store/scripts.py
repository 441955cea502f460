"""Files that scripts put into open runs, until the commit makes batches of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.entries import Entry, Kind
from services.ingest.store.plans import CommitPlace

MAX_PAGE_BYTES = 7 * 1024 * 1024
MAX_PAGE_FILES = 10_000


class PutFile(NamedTuple):
    """A file of an open run, or a folder (kind "d") above one."""

    folder: bytes
    name: bytes
    kind: Kind
    mode: int
    mtime_ns: int
    size: int
    chunk_ids: bytes
    put_no: int = 0

    @property
    def path(self) -> bytes:
        """The path from the plan's root."""
        return self.folder + b"/" + self.name if self.folder else self.name


class Mark(NamedTuple):
    """Which files a run has: how many, the last one put, and the bytes of all."""

    entries: int
    last_put: int
    size_bytes: int


class KeptFolder(NamedTuple):
    """A folder that the plan knows; `entry` is its present one, None if it is gone."""

    folder_id: int
    entry: Entry | None


async def is_open(conn: Connection, tenant_id: UUID, run_id: UUID) -> bool:
    """Whether a run is open; it stays so until the transaction ends."""
    return bool(
        await conn.fetchval(
            """
            SELECT true FROM runs WHERE tenant_id = $1 AND run_id = $2 AND state = 'open'
            FOR SHARE
            """,
            tenant_id,
            run_id,
        )
    )


async def has_files(conn: Connection, run_id: UUID) -> bool:
    """Whether a script put files into a run."""
    return bool(
        await conn.fetchval(
            """
        SELECT true FROM run_files WHERE run_id = $1 LIMIT 1
        """,
            run_id,
        )
    )


async def put_folders(conn: Connection, run_id: UUID, paths: Sequence[bytes]) -> bytes | None:
    """Writes folders down, parents first; returns one that is a file of the run already."""
    split = [path.rpartition(b"/") for path in paths]
    keys = [_key(path) for path in paths]
    await conn.execute(
        """
        INSERT INTO run_files (run_id, path_sha256, kind, folder, name, mode, mtime_ns, size,
            chunk_ids) SELECT $1, k.path_sha256, 'd', k.folder, k.name, 0, 0, 0, ''
        FROM unnest($2::bytea[], $3::bytea[], $4::bytea[]) WITH ORDINALITY
            AS k (path_sha256, folder, name, n) ORDER BY k.n ON CONFLICT DO NOTHING
        """,
        run_id,
        keys,
        [folder for folder, _, _ in split],
        [name for _, _, name in split],
    )
    found = await conn.fetchval(
        """
        SELECT path_sha256 FROM run_files
        WHERE run_id = $1 AND path_sha256 = ANY($2::bytea[]) AND kind = 'f' LIMIT 1
        """,
        run_id,
        keys,
    )
    return None if found is None else paths[keys.index(found)]


async def put_file(conn: Connection, run_id: UUID, file: PutFile) -> bool:
    """Writes a file down, in place of what was put under its path; False if that is a folder."""
    status = await conn.execute(
        """
        INSERT INTO run_files AS f (run_id, path_sha256, kind, folder, name, mode, mtime_ns, size,
            chunk_ids) VALUES ($1, $2, 'f', $3, $4, $5, $6, $7, $8)
        ON CONFLICT (run_id, path_sha256) DO UPDATE SET put_no = DEFAULT, mode = $5,
            mtime_ns = $6, size = $7, chunk_ids = $8 WHERE f.kind = 'f'
        """,
        run_id,
        _key(file.path),
        file.folder,
        file.name,
        file.mode,
        file.mtime_ns,
        file.size,
        file.chunk_ids,
    )
    return database.changed(status) == 1


async def list_files(conn: Connection, run_id: UUID, after: bytes) -> list[PutFile]:
    """Returns some of a run's files and folders: as many as a batch may hold, at least one.

    after: the last path of the page before, empty for the first.
    """
    rows = await conn.fetch(
        """
        SELECT folder, name, kind, mode, mtime_ns, size, chunk_ids, put_no FROM (
        SELECT f.*, row_number() OVER paths AS place,
            sum(octet_length(chunk_ids) + octet_length(folder) + octet_length(name) + 100)
            OVER paths AS sum_bytes FROM run_files f
        WHERE f.run_id = $1 AND f.path_sha256 > $2 WINDOW paths AS (ORDER BY f.path_sha256)
        ORDER BY f.path_sha256 LIMIT $3
            ) AS page WHERE place = 1 OR sum_bytes <= $4 ORDER BY path_sha256
        """,
        run_id,
        _key(after) if after else b"",
        MAX_PAGE_FILES,
        MAX_PAGE_BYTES,
    )
    return [PutFile(*row) for row in rows]


async def lock_files(conn: Connection, tenant_id: UUID, run_id: UUID) -> Mark:
    """Says which files a run has, and lets none be put until the transaction ends."""
    await conn.execute(
        """
        SELECT FROM runs WHERE tenant_id = $1 AND run_id = $2 FOR NO KEY UPDATE
        """,
        tenant_id,
        run_id,
    )
    row = await conn.fetchrow(
        """
        SELECT count(*), coalesce(max(put_no), 0), coalesce(sum(size), 0)::bigint
        FROM run_files WHERE run_id = $1
        """,
        run_id,
    )
    assert row is not None
    return Mark(*row)


async def find_kept_folders(
    conn: Connection, place: CommitPlace, keys: Sequence[tuple[int, bytes]]
) -> dict[tuple[int, bytes], KeptFolder]:
    """Returns those folders, given by (parent's id, name), that the plan ever had."""
    rows = await conn.fetch(
        """
        SELECT f.parent_id, f.name, f.folder_id, v.mode, v.mtime_ns, v.uid, v.gid
        FROM unnest($3::bigint[], $4::bytea[]) AS k (parent_id, name)
        JOIN catalogue.folders f ON f.tenant_id = $1 AND f.plan_id = $2
        AND f.parent_id = k.parent_id AND f.name = k.name
        LEFT JOIN catalogue.versions v ON v.tenant_id = $1 AND v.folder_id = f.parent_id
        AND v.name = f.name AND v.last_run IS NULL AND v.kind = 'd'
        AND NOT EXISTS (SELECT FROM catalogue.dropped x WHERE x.tenant_id = $1
            AND x.folder_id = v.folder_id AND v.first_run <= x.begun_by)
        """,
        place.tenant_id,
        place.plan_id,
        [parent_id for parent_id, _ in keys],
        [name for _, name in keys],
    )
    return {
        (row["parent_id"], row["name"]): KeptFolder(
            row["folder_id"],
            None
            if row["mode"] is None
            else Entry(
                row["name"],
                "d",
                row["mode"],
                row["mtime_ns"],
                row["uid"],
                row["gid"],
                0,
                b"",
                b"",
            ),
        )
        for row in rows
    }


async def count_changed(
    conn: Connection, place: CommitPlace, folder_ids: Sequence[int], names: Sequence[bytes]
) -> int:
    """Counts those of a run's files that were files before, and other ones."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM unnest($3::bigint[], $4::bytea[]) AS d (folder_id, name)
        WHERE EXISTS (SELECT FROM catalogue.versions v WHERE v.tenant_id = $1
        AND v.folder_id = d.folder_id AND v.name = d.name AND v.last_run = $2 - 1
        AND v.kind = 'f')
        """,
        place.tenant_id,
        place.number,
        folder_ids,
        names,
    )
    return count


def _key(path: bytes) -> bytes:
    return hashlib.sha256(path).digest()
