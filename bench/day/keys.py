"""Which tables could be spread by tenant: what their keys say, read from a database.

`python -m bench.day.keys` writes that part of docs/scale.md anew, by a database that it makes on
servers of its own, or on those of COFFRE_TEST_SERVERS.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from devstack import lease
from libs.shared import database

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"

_KEYS = """
SELECT n.nspname || '.' || c.relname AS name,
       EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
           AS has_tenant,
       (SELECT coalesce(array_agg(i.indexrelid::regclass::text ORDER BY 1), '{}') FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisunique AND NOT EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnum = ANY (i.indkey)))
           AS keys_without
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 1
"""
BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"


@dataclass(frozen=True)
class Table:
    """A table; `keys_without` are its unique keys in which the tenant has no part."""

    name: str
    has_tenant: bool
    keys_without: tuple[str, ...]


async def read_tables(conn: asyncpg.Connection[asyncpg.Record]) -> list[Table]:
    """All tables of all services and of the catalogue, by name."""
    return [
        Table(row["name"], row["has_tenant"], tuple(row["keys_without"]))
        for row in await conn.fetch(_KEYS)
    ]


def describe(tables: Sequence[Table]) -> str:
    """The list as the page has it, with the marks around it that a test finds it by."""
    lacking = [one for one in tables if one.has_tenant and one.keys_without]
    without = [one.name for one in tables if not one.has_tenant]
    return "\n".join(
        [
            BEGIN,
            f"These {len(lacking)} tables name the tenant, but have keys without it:",
            "",
            "| table | keys |",
            "|---|---|",
            *(f"| `{one.name}` | {_name(one.keys_without)} |" for one in lacking),
            "",
            f"These {len(without)} know no tenant: {_name(without)}.",
            "",
            "In all others the tenant is in every unique key.",
            END,
        ]
    )


def _name(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def replace(text: str, described: str) -> str:
    """The page with the list in it replaced."""
    before, _, rest = text.partition(BEGIN)
    return before + described + rest.partition(END)[2]


async def _read(servers: dict[str, Any]) -> list[Table]:
    name = f"bench_{uuid4().hex[:8]}"
    await database.bootstrap(
        servers["postgres_admin_dsn"], name, {role: role for role in database.ROLES}
    )
    port = servers["postgres_port"]
    owner = f"postgresql://coffre_owner:coffre_owner@127.0.0.1:{port}/{name}"
    for service in database.SERVICES:
        await database.migrate(owner, service)
    conn = await asyncpg.connect(owner)
    try:
        return await read_tables(conn)
    finally:
        await conn.close()


def main() -> None:
    """Reads the schema, writes the list."""
    existing = os.environ.get("COFFRE_TEST_SERVERS")
    if existing:
        tables = asyncio.run(_read(json.loads(Path(existing).read_text())))
    else:
        described, held = lease.take(Path("/tmp") / f"coffre-bench-{os.getpid()}")
        with held:
            tables = asyncio.run(_read(described))
    PAGE.write_text(replace(PAGE.read_text(), describe(tables)))


if __name__ == "__main__":
    main()
