"""SQL of what two restore points of a plan have otherwise in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from libs.shared.catalogue.rows import Kind, kept
from libs.shared.database import Connection

SHOWN = 200
"""Changes of a folder at once."""


@dataclass(frozen=True)
class Change:
    """A name in a folder; `within`: something below it. Sizes are None where it is not there."""

    name: bytes
    kind: Kind
    what: Literal["added", "changed", "removed", "within"]
    size_before: int | None
    size_after: int | None


async def list_changes(
    conn: Connection,
    tenant_id: UUID,
    plan_id: UUID,
    folder_id: int,
    numbers: tuple[int, int],
    after: bytes,
) -> list[Change]:
    """Returns SHOWN and one more at most, by name; numbers: of the older point and the newer."""
    rows = await conn.fetch(
        f"""
        WITH seen AS (
            SELECT v.name, v.kind::text AS kind, v.size, v.first_run,
                   v.first_run <= $4 AS was, v.last_run IS NULL OR v.last_run >= $5 AS remained
            FROM catalogue.versions v
            WHERE v.tenant_id = $1 AND v.folder_id = $3 AND v.name > $6 AND v.first_run <= $5
              AND (v.last_run IS NULL OR v.last_run >= $4)
              AND (v.first_run <= $4 OR v.last_run IS NULL OR v.last_run >= $5) AND {kept("v")}
        )
        SELECT name, coalesce(n.kind, o.kind) AS kind,
               CASE WHEN o.name IS NULL THEN 'added' WHEN n.name IS NULL THEN 'removed'
                    WHEN o.first_run = n.first_run OR (o.kind = 'd' AND n.kind = 'd') THEN 'within'
                    ELSE 'changed' END AS what,
               o.size AS size_before, n.size AS size_after
        FROM (SELECT * FROM seen WHERE was) o
        FULL JOIN (SELECT * FROM seen WHERE remained) n USING (name)
        WHERE o.name IS NULL OR n.name IS NULL
           OR (o.first_run <> n.first_run AND NOT (o.kind = 'd' AND n.kind = 'd'))
           OR (o.kind = 'd' AND n.kind = 'd' AND EXISTS (
                SELECT FROM catalogue.folder_digests g JOIN catalogue.folders f
                  ON f.tenant_id = $1 AND f.folder_id = g.folder_id
                WHERE g.tenant_id = $1 AND f.plan_id = $2 AND f.parent_id = $3 AND f.name = o.name
                  AND g.first_run > $4 AND g.first_run <= $5))
        ORDER BY name LIMIT $7
        """,
        tenant_id,
        plan_id,
        folder_id,
        *numbers,
        after,
        SHOWN + 1,
    )
    return [Change(**row) for row in rows]
