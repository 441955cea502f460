"""Databases of tests' own: cloned from the migrated one, emptied, and given to the next test.

Emptying what a test wrote takes a tenth of what cloning takes. A database in which a test changed
anything but rows is dropped instead.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from libs.shared import database
from tests.servers import execute, in_thread

USES = 40
"""How often a database is given: each emptying leaves dead rows in PostgreSQL's own tables."""

_SHAPE = """
SELECT (SELECT sum(hashtext(concat(c.oid, relname, relowner, relacl, relkind, relrowsecurity,
                                   relforcerowsecurity, relhastriggers, reloptions)))
          FROM pg_class c JOIN spaces ON relnamespace = spaces.oid),
       (SELECT sum(hashtext(concat(attrelid, attnum, a.xmin)))
          FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
          JOIN spaces ON relnamespace = spaces.oid),
       (SELECT sum(hashtext(concat(p.oid, p.xmin)))
          FROM pg_proc p JOIN spaces ON pronamespace = spaces.oid),
       (SELECT sum(hashtext(concat(oid, xmin))) FROM pg_constraint),
       (SELECT sum(hashtext(concat(oid, xmin))) FROM pg_trigger),
       (SELECT sum(hashtext(concat(oid, xmin))) FROM pg_policy),
       (SELECT sum(hashtext(concat(oid, xmin))) FROM pg_default_acl),
       (SELECT sum(hashtext(concat(indexrelid, indisvalid, indisready))) FROM pg_index),
       (SELECT sum(hashtext(concat(n.oid, n.xmin)))
          FROM pg_namespace n WHERE nspname !~ '^pg_(toast_)?temp_'),
       (SELECT sum(hashtext(concat(d.oid, d.xmin)))
          FROM pg_database d WHERE datname = current_database()),
       (SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
         WHERE datname = current_database())
"""
_OURS = """
WITH spaces AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)')
"""
_FILLED = """
SELECT c.oid::regclass::text FROM pg_class c JOIN spaces ON relnamespace = spaces.oid
 WHERE relkind = 'r' AND pg_relation_size(c.oid) > 0
"""
_COUNTED = """
SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences WHERE last_value IS NOT NULL
"""


@dataclass
class _Cloned:
    """A database, and what it was before anybody wrote to it."""

    name: str
    dsn: str
    shape: tuple[Any, ...]
    kept: dict[str, list[tuple[Any, ...]]]
    """By table, the rows that migrations wrote."""

    uses: int = field(default=1)


_idle: list[_Cloned] = []


@contextmanager
def cloned_database(servers: Any, template: str) -> Iterator[str]:
    """The name of a migrated database of the caller's own, as if made for it."""
    cloned = _idle.pop() if _idle else _awaited(_clone, servers, template)
    try:
        yield cloned.name
    finally:
        if cloned.uses < USES and _awaited(_empty, cloned):
            cloned.uses += 1
            _idle.append(cloned)
        else:
            execute(servers, f"DROP DATABASE IF EXISTS {cloned.name} WITH (FORCE)")


def drop_idle(servers: Any) -> None:
    """Drops what waited for another test."""
    while _idle:
        execute(servers, f"DROP DATABASE {_idle.pop().name} WITH (FORCE)")


def _awaited(work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
    """What a coroutine gives that runs beside whatever loop the test has."""
    given: list[Any] = []

    async def run() -> None:
        given.append(await work(*arguments))

    in_thread(run)
    return given[0]


async def _clone(servers: Any, template: str) -> _Cloned:
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(servers.postgres_admin_dsn)
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER coffre_owner")
        await admin.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        roles = ", ".join(database.ROLES)
        await admin.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {roles}")
    finally:
        await admin.close()
    dsn = servers.postgres_admin_dsn.rpartition("/")[0] + f"/{name}"
    own = await asyncpg.connect(dsn)
    try:
        filled = [table for (table,) in await own.fetch(_OURS + _FILLED)]
        kept = {table: list(map(tuple, await own.fetch(f"TABLE {table}"))) for table in filled}
        return _Cloned(name, dsn, tuple(await own.fetchrow(_OURS + _SHAPE)), kept)
    finally:
        await own.close()


async def _empty(cloned: _Cloned) -> bool:
    """Takes out what a test wrote; False where it did more than that."""
    try:
        own = await asyncpg.connect(cloned.dsn)
    except asyncpg.InvalidCatalogNameError:
        return False
    try:
        # Whoever is still there would have gone with the database.
        await own.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if tuple(await own.fetchrow(_OURS + _SHAPE)) != cloned.shape:
            return False
        await own.execute("SET session_replication_role = replica; SET lock_timeout = '5s'")
        filled = [table for (table,) in await own.fetch(_OURS + _FILLED)]
        if written := [table for table in filled if table not in cloned.kept]:
            await own.execute(f"TRUNCATE {', '.join(written)} CASCADE")
        for table, rows in cloned.kept.items():
            if list(map(tuple, await own.fetch(f"TABLE {table}"))) != rows:
                await own.execute(f"DELETE FROM {table}")
                await own.copy_records_to_table(
                    table.partition(".")[2], schema_name=table.partition(".")[0], records=rows
                )
        for (sequence,) in await own.fetch(_COUNTED):
            await own.execute(f"ALTER SEQUENCE {sequence} RESTART")
    except asyncpg.LockNotAvailableError:
        return False
    finally:
        await own.close()
    return True
