"""Row-level security on the catalogue: one tenant per transaction for the portal."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg
import pytest

from libs.shared import catalogue, database

TABLES = ("plans", "runs", "folders", "versions", "packs", "chunks", "volumes")
NAMES = ("bundles", "terms", "bundle_counts")


async def fill(conn: Any, tenant_id: uuid.UUID) -> uuid.UUID:
    """One row in each table."""
    plan_id = uuid.uuid4()
    at = "2026-11-22T01:00:00Z"
    await conn.execute(
        f"""
        INSERT INTO catalogue.plans VALUES
            ('{tenant_id}', '{plan_id}', '{plan_id}', 'p', '{at}', 1);
        INSERT INTO catalogue.runs VALUES
            ('{tenant_id}', '{plan_id}', 1, '{uuid.uuid4()}', '{at}', 1, 1);
        INSERT INTO catalogue.folders (tenant_id, plan_id, parent_id, name)
            VALUES ('{tenant_id}', '{plan_id}', 0, '');
        INSERT INTO catalogue.versions (tenant_id, plan_id, folder_id, first_run, mode, kind,
            mtime_ns, uid, gid, size, crc32, received_at, name, target, chunk_ids)
            SELECT tenant_id, plan_id, folder_id, 1, 0, 'f', 0, 0, 0, 1, 0, '{at}', 'n', '', ''
            FROM catalogue.folders WHERE plan_id = '{plan_id}';
        INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count, stored_at,
            verified_at) VALUES ('{tenant_id}', sha256('{plan_id}'), 1, 1, '{at}', '{at}');
        INSERT INTO catalogue.chunks SELECT tenant_id, pack_no, 0, 8, 29, 1, 0, pack_id
            FROM catalogue.packs WHERE tenant_id = '{tenant_id}';
        INSERT INTO catalogue.volumes VALUES ('{tenant_id}', 1, 1, 1);
        INSERT INTO catalogue.bundles VALUES ('{tenant_id}', 0, '{plan_id}', 1, 'n');
        INSERT INTO catalogue.terms VALUES ('{tenant_id}', 0, 'n', '\\x0000');
        INSERT INTO catalogue.bundle_counts VALUES ('{tenant_id}', 1);
        """
    )
    return plan_id


async def test_the_portal_sees_one_tenant(database_of_two: Any) -> None:
    dsn, ours, theirs = database_of_two
    conn = await asyncpg.connect(dsn("portal"))
    try:
        for table in (*TABLES, *NAMES):
            statement = f"SELECT DISTINCT tenant_id FROM catalogue.{table}"
            assert await conn.fetch(statement) == [], table
            for tenant_id in (ours, theirs):
                async with conn.transaction():
                    await conn.execute(
                        "SELECT set_config('coffre.tenant', $1, true)", str(tenant_id)
                    )
                    assert [row[0] for row in await conn.fetch(statement)] == [tenant_id], table
            assert await conn.fetch(statement) == [], f"{table}, with the setting left empty"
    finally:
        await conn.close()


async def test_a_wrong_query_still_finds_nothing(database_of_two: Any) -> None:
    dsn, ours, theirs = database_of_two
    pool = await database.create_pool(dsn("portal"), "portal", max_size=1)
    try:
        async with database.tenant_transaction(pool, ours) as conn:
            rows = await conn.fetch("SELECT plan_id FROM catalogue.plans")
            assert len(rows) == 1
            assert await catalogue.find_plan(conn, theirs, rows[0][0]) is None
            assert await catalogue.list_runs(conn, theirs, rows[0][0]) == []
    finally:
        await pool.close()


@pytest.mark.parametrize("table", [*TABLES, *NAMES])
async def test_rights(database_of_two: Any, table: str) -> None:
    """The portal reads; ingest adds and never deletes; the others have no business here."""
    dsn, ours, _ = database_of_two
    allowed = {
        "portal": {"SELECT"},
        "ingest": {"SELECT", "UPDATE"},
        "retention": {"SELECT", "UPDATE", "DELETE"},
        "quota": set(),
        "reporting": set(),
    }
    statements = {
        "SELECT": f"SELECT count(*) FROM catalogue.{table}",
        "UPDATE": f"UPDATE catalogue.{table} SET tenant_id = tenant_id WHERE false",
        "DELETE": f"DELETE FROM catalogue.{table} WHERE false",
    }
    for service, rights in allowed.items():
        conn = await asyncpg.connect(dsn(service))
        try:
            await conn.execute(f"SELECT set_config('coffre.tenant', '{ours}', false)")
            for right, statement in statements.items():
                if right in rights:
                    await conn.execute(statement)
                else:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await conn.execute(statement)
        finally:
            await conn.close()


@pytest.fixture
async def database_of_two(database: Any) -> Any:
    """A database in which two tenants have one row of everything."""
    conn = await asyncpg.connect(database.admin_dsn)
    ours, theirs = uuid.uuid4(), uuid.uuid4()
    await fill(conn, ours)
    await fill(conn, theirs)
    await conn.close()
    return database.dsn, ours, theirs
