"""Roles, migrations and failures on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from libs.shared import database
from libs.shared.database import migrations
from libs.shared.errors import InvalidRequest, Unavailable
from tests.shared.gate import Gate

Databases = Any


@pytest.fixture
async def fresh(servers: Any) -> Any:
    """A database with roles and schemas, and no migration yet: its owner's DSN."""
    name = f"fresh_{uuid.uuid4().hex[:10]}"
    await database.bootstrap(
        servers.postgres_admin_dsn, name, {role: role for role in database.ROLES}
    )
    yield f"postgresql://coffre_owner:coffre_owner@127.0.0.1:{servers.postgres_port}/{name}"
    admin = await asyncpg.connect(servers.postgres_admin_dsn)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def test_migrating_twice_and_at_once_applies_each_file_once(fresh: str) -> None:
    results = await asyncio.gather(*(database.migrate(fresh, "quota") for _ in range(4)))
    assert sum("quota.shared/0001_events" in applied for applied in results) == 1
    assert await database.migrate(fresh, "quota") == []
    others = await database.migrate(fresh, "retention")
    assert not any(name.startswith("catalogue.") for name in others)


async def test_a_changed_file_is_refused_and_a_failed_one_leaves_nothing(
    fresh: str, tmp_path: Path
) -> None:
    conn = await database.connect(fresh, "quota")
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x int);")
    (tmp_path / "0002_b.sql").write_text("CREATE TABLE b (x int); SELECT nonsense;")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrations.apply(conn, "quota", "", tmp_path)
    assert await conn.fetchval("SELECT to_regclass('quota.a')") == "a"
    assert await conn.fetchval("SELECT to_regclass('quota.b')") is None

    (tmp_path / "0002_b.sql").write_text("CREATE TABLE b (x int);")
    assert await migrations.apply(conn, "quota", "", tmp_path) == ["quota.0002_b"]
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x bigint);")
    with pytest.raises(database.MigrationRefused, match=r"0001_a\.sql was changed"):
        await migrations.apply(conn, "quota", "", tmp_path)
    await conn.close()


async def test_bootstrap_again_changes_passwords_and_nothing_else(servers: Any, fresh: str) -> None:
    name = fresh.rpartition("/")[2]
    await database.migrate(fresh, "quota")
    await database.bootstrap(
        servers.postgres_admin_dsn, name, {role: role for role in database.ROLES}
    )
    assert await database.migrate(fresh, "quota") == []


async def test_a_service_reaches_its_own_tables_only(database: Databases) -> None:
    quota = await asyncpg.connect(database.dsn("quota"))
    assert await quota.fetchval("SELECT count(*) FROM quota.outbox") == 0
    for statement in (
        "SELECT 1 FROM ingest.outbox",
        "SELECT 1 FROM portal.inbox",
        "SELECT 1 FROM catalogue.versions",
        "CREATE TABLE quota.mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "DROP TABLE quota.outbox",
        "TRUNCATE quota.outbox",
        "UPDATE quota.migrations SET sha256 = ''",
        "SET ROLE coffre_owner",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await quota.execute(statement)
    await quota.close()


async def _pool(dsn: str, **sizes: int) -> Any:
    return await database.create_pool(dsn, "quota", **sizes)


async def test_a_database_that_goes_away_is_unavailable_and_comes_back(
    database: Databases,
) -> None:
    async with Gate(database.dsn("quota")) as gate:
        pool = await _pool(gate.url)
        await _check(pool)
        await gate.shut()
        with pytest.raises(Unavailable, match="database"):
            await _read(pool)
        with pytest.raises(Unavailable):
            await _pool(gate.url)
        await gate.open()
        await _read(pool)
        await pool.close()


async def test_trouble_in_the_middle_of_a_transaction_is_unavailable(database: Databases) -> None:
    pool = await _pool(database.dsn("quota"))
    for statement in (
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(5)",
        "SET TRANSACTION READ ONLY; UPDATE outbox_counter SET last_sequence = 1",
    ):
        with pytest.raises(Unavailable):
            await _execute(pool, statement)
    with pytest.raises(asyncpg.UndefinedTableError):
        await _execute(pool, "SELECT 1 FROM nowhere")
    await _read(pool)
    await pool.close()


async def test_an_exhausted_pool_is_unavailable(
    database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.shared.database.connections.ACQUIRE_SECONDS", 0.1)
    pool = await _pool(database.dsn("quota"), max_size=1)
    async with pool.acquire():
        with pytest.raises(Unavailable):
            await _read(pool)
    await pool.close()


async def test_what_is_raised_inside_rolls_back_and_stays_what_it_is(database: Databases) -> None:
    pool = await _pool(database.dsn("quota"))
    with pytest.raises(LookupError):
        await _execute(pool, "UPDATE outbox_counter SET last_sequence = 99", LookupError())
    assert await pool.fetchval("SELECT last_sequence FROM outbox_counter") == 0
    await pool.close()


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
async def test_a_text_that_nothing_can_hold_is_the_senders_fault(
    database: Databases, text: str
) -> None:
    pool = await _pool(database.dsn("quota"))
    with pytest.raises(InvalidRequest):
        await _keep(pool, text)
    await pool.close()


async def test_a_tenant_is_set_for_one_transaction(database: Databases) -> None:
    tenant_id = uuid.uuid4()
    pool = await _pool(database.dsn("quota"), max_size=1)
    assert await _tenant(pool, tenant_id) == str(tenant_id)
    assert await pool.fetchval("SELECT nullif(current_setting('coffre.tenant', true), '')") is None
    await pool.close()


@pytest.mark.parametrize("failure", [None, ValueError(), asyncio.CancelledError()])
async def test_what_a_session_holds_ends_with_it(
    database: Databases, failure: BaseException | None
) -> None:
    pool = await _pool(database.dsn("quota"), max_size=1)
    untouched = await _held(pool)
    with contextlib.suppress(ValueError, asyncio.CancelledError):
        await _hold(pool, failure)
    assert await _held(pool) == untouched
    await pool.close()


async def test_a_transaction_leaves_nothing_to_the_next_one(database: Databases) -> None:
    pool = await _pool(database.dsn("quota"), max_size=1)
    untouched = await _held(pool)
    changes = "SET LOCAL statement_timeout = '7s'; SELECT pg_advisory_xact_lock(7)"
    await _execute(pool, changes)
    assert await _held(pool) == untouched
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _execute(pool, changes + "; SELECT 1 / 0")
    assert await _held(pool) == untouched
    await pool.close()


async def test_json_travels_as_python_values(database: Databases) -> None:
    pool = await _pool(database.dsn("quota"))
    value = {"a": [1, None, "é"]}
    assert await pool.fetchval("SELECT $1::jsonb", value) == value
    await pool.close()


async def _hold(pool: Any, failure: BaseException | None) -> None:
    async with database.session(pool) as conn:
        await conn.execute("SELECT pg_advisory_lock(7); SET statement_timeout = '7s'")
        if failure is not None:
            raise failure


async def _held(pool: Any) -> tuple[int, str]:
    """(locks of the pool's connection, its time-out)."""
    async with database.acquire(pool) as conn:
        row = await conn.fetchrow(
            "SELECT count(*), current_setting('statement_timeout') FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
    return tuple(row)


async def _check(pool: Any) -> None:
    await database.check(pool)


async def _read(pool: Any) -> None:
    async with database.transaction(pool) as conn:
        await conn.fetchval("SELECT 1")


async def _execute(pool: Any, sql: str, error: Exception | None = None) -> None:
    async with database.transaction(pool) as conn:
        await conn.execute(sql)
        if error is not None:
            raise error


async def _keep(pool: Any, text: str) -> None:
    async with database.transaction(pool) as conn:
        await conn.fetchval("SELECT $1::text", text)


async def _tenant(pool: Any, tenant_id: uuid.UUID) -> Any:
    async with database.tenant_transaction(pool, tenant_id) as conn:
        return await conn.fetchval("SELECT current_setting('coffre.tenant')")
