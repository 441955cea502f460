"""Roles, schemas and forward-only numbered SQL, applied as the owner under one lock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from libs.shared import clock, logs
from libs.shared.database.connections import (
    CONNECT_SECONDS,
    Connection,
    NotReady,
    Pool,
    acquire,
    connect,
)

SERVICES = ("ingest", "quota", "reporting", "retention", "portal")
OWNER = "coffre_owner"
ROLES = (OWNER, *(f"coffre_{service}" for service in SERVICES))
READS_CATALOGUE = ("ingest", "retention", "portal")

_LOCK = 0x436F6666726501  # any number that only we use: "Coffre", 1
_ROOT = Path(__file__).parents[3]
_SHARED = _ROOT / "libs" / "shared" / "migrations"


class MigrationRefused(Exception):  # noqa: N818 - a sentence for the operator
    """The files and what the database says was applied don't fit together."""


async def bootstrap(admin_dsn: str, name: str, passwords: Mapping[str, str]) -> None:
    """Creates roles, the database `name` and its schemas, or sets what is there right again.

    `admin_dsn` is a superuser's; `passwords` has one for each of ROLES.
    """
    admin = await asyncpg.connect(admin_dsn, timeout=CONNECT_SECONDS)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", _LOCK)
        for role in ROLES:
            await _create_role(admin, role, passwords[role])
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await admin.execute(f"CREATE DATABASE {_quoted(name)} OWNER {OWNER} ENCODING 'UTF8'")
        await admin.execute(f"REVOKE ALL ON DATABASE {_quoted(name)} FROM PUBLIC")
        await admin.execute(
            f"GRANT CONNECT, TEMPORARY ON DATABASE {_quoted(name)} TO {', '.join(ROLES)}"
        )
    finally:
        await admin.close()
    inside = await asyncpg.connect(admin_dsn, database=name, timeout=CONNECT_SECONDS)
    try:
        async with inside.transaction():
            await inside.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await _create_schemas(inside)
    finally:
        await inside.close()


async def _create_role(admin: Connection, role: str, password: str) -> None:
    exists = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    literal = await admin.fetchval("SELECT quote_literal($1)", password)
    await admin.execute(
        f"""
        {verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS
            PASSWORD {literal}
        """
    )


async def _create_schemas(inside: Connection) -> None:
    await inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    await inside.execute(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
    )
    for schema in ("catalogue", *SERVICES):
        await inside.execute(f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {OWNER}")
    for service in SERVICES:
        await inside.execute(f"GRANT USAGE ON SCHEMA {service} TO coffre_{service}")
    for service in READS_CATALOGUE:
        await inside.execute(f"GRANT USAGE ON SCHEMA catalogue TO coffre_{service}")
    # When a base backup last ended is told by names of files alone, which only who monitors sees.
    await inside.execute("GRANT EXECUTE ON FUNCTION pg_ls_archive_statusdir() TO coffre_retention")


async def migrate(owner_dsn: str, service: str) -> list[str]:
    """Applies what is missing: the catalogue's files, the events' tables, the service's own.

    Each file is one transaction, run as the owner; several may call this at once.
    Returns the names applied; raises MigrationRefused where an applied file was changed.
    """
    connection = await connect(owner_dsn, service, name=f"{service}-migrate")
    try:
        await connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=600)
        applied = []
        for schema, prefix, folder in _folders(service):
            applied += await apply(connection, schema, prefix, folder)
        return applied
    finally:
        await connection.close()


def _folders(service: str) -> tuple[tuple[str, str, Path], ...]:
    """Each schema that a service works with, and the files of it: schema, prefix, folder."""
    return (
        ("catalogue", "", _SHARED / "catalogue"),
        (service, "shared/", _SHARED / "service"),
        (service, "", _ROOT / "services" / service / "migrations"),
    )


async def check_migrated(pool: Pool, service: str) -> list[str]:
    """Raises NotReady where `migrate` has still to be run; returns what only a newer one knows.

    Migrations stay compatible with the version before, so that what is newer hinders nobody.
    """
    ours = {
        f"{schema}.{prefix}{stem}"
        for schema, prefix, folder in _folders(service)
        for stem, _ in _files(folder)
        if schema == service or service in READS_CATALOGUE
    }
    schemas = sorted({name.partition(".")[0] for name in ours})
    command = f"run `python -m services.{service} migrate`"
    try:
        async with acquire(pool) as conn:
            applied = {
                f"{schema}.{row['name']}"
                for schema in schemas
                for row in await conn.fetch(f"SELECT name FROM {schema}.migrations")  # noqa: S608 - names of ours
            }
    except asyncpg.PostgresError as error:
        raise NotReady(f"The database was not prepared for this version: {command}.") from error
    if missing := sorted(ours - applied):
        raise NotReady(
            f"The database is older than this version, {missing[0]} is the first of {len(missing)}"
            f" migrations that it lacks: {command}."
        )
    return sorted(applied - ours)


async def apply(connection: Connection, schema: str, prefix: str, folder: Path) -> list[str]:
    """Applies the SQL files of one folder to one schema, in the order of their names."""
    await connection.execute(
        f"""
        CREATE TABLE IF NOT EXISTS {schema}.migrations
            (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL)
        """
    )
    # Services compare it with their files at their start. The catalogue is no service, and has
    # several readers.
    readers = READS_CATALOGUE if schema == "catalogue" else [schema]
    roles = ", ".join(f"coffre_{reader}" for reader in readers if reader in SERVICES)
    if roles:
        await connection.execute(f"GRANT SELECT ON {schema}.migrations TO {roles}")
    known = {
        row["name"]: row["sha256"]
        for row in await connection.fetch(f"SELECT name, sha256 FROM {schema}.migrations")  # noqa: S608 - names of ours
    }
    applied = []
    for stem, sql in _files(folder):
        name = prefix + stem
        digest = hashlib.sha256(sql.encode()).hexdigest()
        if known.get(name) == digest:
            continue
        if name in known:
            raise MigrationRefused(
                f"{name}.sql was changed after it was applied to schema {schema};"
                " restore it and write a new file instead."
            )
        async with connection.transaction():
            await connection.execute(f"SET LOCAL search_path = {schema}, catalogue")
            await connection.execute(f"SET LOCAL coffre.service_role = 'coffre_{schema}'")
            await connection.execute(sql)
            await connection.execute(
                f"INSERT INTO {schema}.migrations VALUES ($1, $2, $3)",  # noqa: S608 - names of ours
                name,
                digest,
                clock.now(),
            )
        logs.get().info("migration.applied", schema=schema, name=name)
        applied.append(f"{schema}.{name}")
    return applied


def _files(folder: Path) -> list[tuple[str, str]]:
    return [(file.stem, file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.sql"))]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
