"""Folders are read by their keys, also of a tenant that the database's statistics don't know."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import pytest

from libs.shared import catalogue, database
from services.ingest.store import names
from services.ingest.store.manifests import whole
from services.portal.store import entries
from services.portal.store.entries import Slice
from tests.shared.conftest import count_read

FOLDERS, FILES = 400, 25


class Unknown(NamedTuple):
    """A tenant whose many folders came after the statistics were made."""

    dsn: Any
    tenant_id: uuid.UUID
    plan_id: uuid.UUID
    folders: list[int]


@pytest.fixture
async def unknown(database: Any) -> Unknown:
    conn = await asyncpg.connect(database.admin_dsn)
    try:
        await fill(conn, uuid.uuid4(), uuid.uuid4())
        await conn.execute("ANALYZE")
        tenant_id, plan_id = uuid.uuid4(), uuid.uuid4()
        folders = await fill(conn, tenant_id, plan_id)
    finally:
        await conn.close()
    return Unknown(database.dsn, tenant_id, plan_id, folders)


async def fill(conn: Any, tenant_id: uuid.UUID, plan_id: uuid.UUID) -> list[int]:
    """A root with folders of some files each; returns the folders' ids."""
    root = await conn.fetchval(
        "INSERT INTO catalogue.folders (tenant_id, plan_id, parent_id, name)"
        " VALUES ($1, $2, 0, '') RETURNING folder_id",
        tenant_id,
        plan_id,
    )
    rows = await conn.fetch(
        "INSERT INTO catalogue.folders (tenant_id, plan_id, parent_id, name)"
        " SELECT $1, $2, $3, convert_to('d' || n, 'UTF8') FROM generate_series(1, $4::int) n"
        " RETURNING folder_id, name",
        tenant_id,
        plan_id,
        root,
        FOLDERS,
    )
    version = (
        "INSERT INTO catalogue.versions (tenant_id, plan_id, folder_id, first_run, mode, kind,"
        " mtime_ns, uid, gid, size, crc32, received_at, name, target, chunk_ids)"
    )
    await conn.execute(
        f"{version} SELECT $1, $2, parent_id, 1, 0, 'd', 0, 0, 0, 0, 0, now(), name, '', ''"
        " FROM catalogue.folders WHERE tenant_id = $1 AND parent_id = $3",
        tenant_id,
        plan_id,
        root,
    )
    await conn.execute(
        f"{version} SELECT $1, $2, folder_id, 1, 0, 'f', 0, 0, 0, 1, 0, now(),"
        " convert_to('f' || n, 'UTF8'), '', '' FROM catalogue.folders, generate_series(1, $4) n"
        " WHERE tenant_id = $1 AND parent_id = $3",
        tenant_id,
        plan_id,
        root,
        FILES,
    )
    return [row[0] for row in rows]


@pytest.fixture
async def conn(unknown: Unknown) -> AsyncIterator[Any]:
    pool = await database.create_pool(unknown.dsn("portal"), "portal", max_size=1)
    async with database.tenant_transaction(pool, unknown.tenant_id) as conn:
        yield conn
    await pool.close()


async def test_slices_of_several_folders_fit_together(unknown: Unknown, conn: Any) -> None:
    wanted = [unknown.folders[place] for place in (90, 7, 350)]
    files = sorted(f"f{n}".encode() for n in range(1, FILES + 1))
    for limit in (1, 10, FILES, 3 * FILES, 3 * FILES + 1):
        found: list[tuple[int, bytes]] = []
        after, left = (0, b""), wanted
        while True:
            part = Slice(unknown.tenant_id, unknown.plan_id, 1, left, after, limit)
            children = await entries.list_slice(conn, part)
            found += [(child.folder_id, child.entry.name) for child in children]
            if len(children) < limit:
                break
            after = found[-1]
        assert found == [(folder, name) for folder in sorted(wanted) for name in files]


async def test_a_slice_reads_its_folders_and_no_other(unknown: Unknown, conn: Any) -> None:
    wanted = unknown.folders[200:210]
    for after in ((0, b""), (wanted[4], b"f3")):
        before = await count_read(conn, "versions")
        part = Slice(unknown.tenant_id, unknown.plan_id, 1, wanted, after, 2_000)
        assert await entries.list_slice(conn, part)
        assert await count_read(conn, "versions") - before <= len(wanted) * FILES


async def test_a_walk_reads_each_version_once(unknown: Unknown, conn: Any) -> None:
    met = 0
    async for _, found in catalogue.walk(conn, unknown.tenant_id, unknown.plan_id, 1):
        met += len(found)
    assert met == FOLDERS * (FILES + 1)
    assert await count_read(conn, "versions") <= met


async def test_a_whole_list_reads_each_version_once(unknown: Unknown) -> None:
    async with (
        await database.create_pool(unknown.dsn("ingest"), "ingest", max_size=1) as pool,
        database.transaction(pool) as conn,
    ):
        met = 0
        async for _, versions in whole.walk_versions(conn, unknown.tenant_id, unknown.plan_id):
            met += len(versions)
        assert met == FOLDERS * (FILES + 1)
        assert await count_read(conn, "versions") <= met


@pytest.mark.parametrize("run_number", [1, None])
async def test_new_names_are_read_in_their_folders_only(
    unknown: Unknown, run_number: int | None
) -> None:
    wanted = unknown.folders[100:103]
    due = names.NamesDue(1, unknown.tenant_id, unknown.plan_id, run_number, wanted[::-1])
    async with (
        await database.create_pool(unknown.dsn("ingest"), "ingest", max_size=1) as pool,
        database.transaction(pool) as conn,
    ):
        found = [each async for some in names.list_new_names(conn, due) for each in some]
        files = sorted(f"f{n}".encode() for n in range(1, FILES + 1))
        assert found == [(folder, file) for folder in wanted for file in files]
        assert await count_read(conn, "versions") <= 2 * len(found)
