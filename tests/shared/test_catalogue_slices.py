"""Folders are read by their keys, also of a tenant that the database's statistics don't know."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import asyncpg
import pytest

from libs.shared import catalogue, database
from services.ingest.store import names
from services.ingest.store.manifests import whole
from tests.shared.conftest import count_read

FOLDERS, FILES = 400, 25
# Where a slice is full, the folder in which it ends was read further than it is passed on.
SLICE_ENDS = 10 * FILES


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
    """A run that saw a root with folders of some files each; returns the folders' ids."""
    await conn.execute(
        "INSERT INTO catalogue.plans VALUES ($1, $2, $2, 'plan', now(), 1)", tenant_id, plan_id
    )
    await conn.execute(
        "INSERT INTO catalogue.runs VALUES ($1, $2, 1, $2, now(), 1, 1)", tenant_id, plan_id
    )
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


async def walk(
    conn: Any, unknown: Unknown, path: bytes = b"", **how: Any
) -> list[tuple[bytes, list[bytes]]]:
    """What a walk meets: folders' paths with some names."""
    tree = catalogue.Tree(unknown.tenant_id, unknown.plan_id, 1, path)
    walked = catalogue.walk(lambda: nullcontext(conn), tree, catalogue.ROWS, **how)
    return [
        (folder, [entry.name for entry in found])
        async for folders in walked
        for folder, found in folders
    ]


@pytest.mark.parametrize("in_order", [False, True])
async def test_slices_fit_together_wherever_they_are_cut(
    unknown: Unknown, conn: Any, in_order: bool
) -> None:
    names = sorted(f"f{n}".encode() for n in range(1, FILES + 1))
    for at_once in (7, FILES, FILES + 1, FOLDERS, 100_000):
        met: dict[bytes, list[bytes]] = {}
        for folder, found in await walk(conn, unknown, in_order=in_order, at_once=at_once):
            assert not folder or folder in met[b""], "a folder's entry comes before what is in it"
            met.setdefault(folder, []).extend(found)
        assert met.pop(b"") == sorted(met)
        assert len(met) == FOLDERS
        assert all(found == names for found in met.values())


async def test_in_order_nothing_comes_between_a_folder_and_what_is_in_it(
    unknown: Unknown, conn: Any
) -> None:
    for at_once in (7, 100, 2_000):
        walked = await walk(conn, unknown, in_order=True, at_once=at_once)
        met = [catalogue.join_path(folder, name) for folder, found in walked for name in found]
        assert met == sorted(met, key=lambda path: path.split(b"/"))


async def test_a_walk_reads_its_folder_and_no_other(unknown: Unknown, conn: Any) -> None:
    before = await count_read(conn, "versions")
    assert [folder for folder, _ in await walk(conn, unknown, b"d7")] == [b"", b"d7"]
    assert await count_read(conn, "versions") - before <= FILES + 2


@pytest.mark.parametrize("in_order", [False, True])
async def test_a_walk_reads_each_version_once(unknown: Unknown, conn: Any, in_order: bool) -> None:
    walked = await walk(conn, unknown, in_order=in_order)
    met = sum(len(found) for _, found in walked)
    assert met == FOLDERS * (FILES + 1)
    assert await count_read(conn, "versions") <= met + SLICE_ENDS


async def test_a_walk_begins_with_the_path_itself(unknown: Unknown, conn: Any) -> None:
    assert await walk(conn, unknown, b"d7/f3") == [(b"d7", [b"f3"])]
    assert (await walk(conn, unknown, b"d7"))[0] == (b"", [b"d7"])
    for nothing in (b"d", b"d7/f", b"d7/f3/f3", b"none/f3"):
        assert await walk(conn, unknown, nothing) == []


async def test_a_whole_list_reads_each_version_once(unknown: Unknown) -> None:
    async with (
        await database.create_pool(unknown.dsn("ingest"), "ingest", max_size=1) as pool,
        database.transaction(pool) as conn,
    ):
        met = 0
        async for _, versions in whole.walk_versions(conn, unknown.tenant_id, unknown.plan_id):
            met += len(versions)
        assert met == FOLDERS * (FILES + 1)
        assert await count_read(conn, "versions") <= met + SLICE_ENDS


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
