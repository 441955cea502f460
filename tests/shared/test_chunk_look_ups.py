"""Chunks are looked up by their ids, also of a tenant that the database's statistics don't know."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg

from libs.shared import catalogue
from libs.shared.database import create_pool, transaction
from services.ingest.store.intake import packs
from tests.shared.conftest import count_read

_CHUNK = "sha256(convert_to(n::text, 'UTF8'))"


async def fill(conn: Any, tenant_id: uuid.UUID, packs_made: int) -> list[bytes]:
    """Packs of a thousand chunks each; returns the chunks' ids."""
    await conn.execute(
        "INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count, stored_at,"
        f" verified_at) SELECT $1, {_CHUNK}, 1, 1000, now(), now()"
        " FROM generate_series(1, $2::int) n",
        tenant_id,
        packs_made,
    )
    rows = await conn.fetch(
        'INSERT INTO catalogue.chunks (tenant_id, pack_no, crc32, "offset", length, size, encoding,'
        f" chunk_id) SELECT $1, pack_no, 0, 0, 1, 1, 0, sha256(pack_id || {_CHUNK})"
        " FROM catalogue.packs, generate_series(1, 1000) n WHERE tenant_id = $1 RETURNING chunk_id",
        tenant_id,
    )
    return [row[0] for row in rows]


async def test_a_new_tenants_chunks_are_read_one_by_one(database: Any) -> None:
    tenant_id = uuid.uuid4()
    admin = await asyncpg.connect(database.admin_dsn)
    try:
        await fill(admin, uuid.uuid4(), 60)
        await admin.execute("ANALYZE")
        chunk_ids = await fill(admin, tenant_id, 5)
    finally:
        await admin.close()
    asked = chunk_ids[1000:1100]
    async with (
        await create_pool(database.dsn("ingest"), "ingest", max_size=1) as pool,
        transaction(pool) as conn,
    ):
        assert await packs.find_present(conn, tenant_id, asked) == set(asked)
        assert await count_read(conn, "chunks") <= len(asked)
        assert set(await packs.find_chunk_facts(conn, tenant_id, asked)) == set(asked)
        assert await count_read(conn, "chunks") <= 2 * len(asked)
        assert set(await catalogue.locate_chunks(conn, tenant_id, asked)) == set(asked)
        assert await count_read(conn, "chunks") <= 3 * len(asked)
