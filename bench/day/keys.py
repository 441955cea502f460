"""Which tables could be spread by tenant: what their keys say, read from a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

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
    ready = [one.name for one in tables if one.has_tenant and not one.keys_without]
    lacking = [one for one in tables if one.has_tenant and one.keys_without]
    without = [one.name for one in tables if not one.has_tenant]
    return "\n".join(
        [
            BEGIN,
            f"The tenant is in every unique key of {len(ready)} tables: {_name(ready)}.",
            "",
            f"{len(lacking)} tables name the tenant, but these keys are made without it:",
            "",
            "| table | keys |",
            "|---|---|",
            *(f"| `{one.name}` | {_name(one.keys_without)} |" for one in lacking),
            "",
            f"{len(without)} tables know no tenant: {_name(without)}.",
            END,
        ]
    )


def _name(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
