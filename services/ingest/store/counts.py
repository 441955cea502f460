"""SQL of what a run changed, as the catalogue has it at the end of its commit."""

from __future__ import annotations

from typing import NamedTuple

from libs.shared.catalogue.rows import kept
from libs.shared.database import Connection
from libs.shared.events import DumpCounted
from services.ingest.store.plans import CommitPlace
from services.ingest.store.sessions import LONG_SECONDS

DUMPS = b"@dumps"
"""The folder at the top of a plan that its dumps lie in (docs/decisions/0011)."""

MOST_DUMPS = 100


class Superseded(NamedTuple):
    """Of the files of the restore point before: how many, and their bytes.

    replaced: another version has their path, changed: with other content; removed: no file has it;
    renamed: removed, and there under the new ending. size_bytes: of those changed or removed.
    """

    replaced: int
    changed: int
    removed: int
    renamed: int
    size_bytes: int


async def count_superseded(conn: Connection, place: CommitPlace, ending: bytes) -> Superseded:
    """Counts the files whose versions this run closed; what somebody dropped is not removed."""
    row = await conn.fetchrow(
        # Look-ups by key, one a version: LIMIT keeps them so (docs/decisions/0018).
        f"""
        SELECT count(*) FILTER (WHERE is_there), count(*) FILTER (WHERE is_there AND NOT is_same),
            count(*) FILTER (WHERE NOT is_there AND is_kept),
            count(*) FILTER (WHERE NOT is_there AND is_kept AND is_renamed),
            coalesce(sum(size) FILTER (WHERE is_there AND NOT is_same OR NOT is_there AND is_kept),
                0)::bigint
        FROM (SELECT v.size, n.chunk_ids IS NOT NULL AS is_there,
            n.chunk_ids = v.chunk_ids AS is_same, {kept("v")} AS is_kept,
            n.chunk_ids IS NULL AND $4 <> ''::bytea AND (r.is_there OR s.is_there) IS TRUE
                AS is_renamed
            FROM catalogue.versions v LEFT JOIN LATERAL (SELECT o.chunk_ids
                FROM catalogue.versions o WHERE o.tenant_id = $1 AND o.folder_id = v.folder_id
                AND o.name = v.name AND o.first_run = $3 AND o.kind = 'f' LIMIT 1) n ON true
            LEFT JOIN LATERAL (SELECT true AS is_there FROM catalogue.versions o
                WHERE o.tenant_id = $1 AND o.folder_id = v.folder_id AND o.name = v.name || $4
                AND o.first_run = $3 AND o.kind = 'f' AND n.chunk_ids IS NULL LIMIT 1) r ON true
            LEFT JOIN LATERAL (SELECT true AS is_there FROM catalogue.versions o
                WHERE o.tenant_id = $1 AND o.folder_id = v.folder_id AND o.name = decode(
                    regexp_replace(encode(v.name, 'escape'), '[.][^.]*$', ''), 'escape') || $4
                AND o.first_run = $3 AND o.kind = 'f' AND n.chunk_ids IS NULL LIMIT 1) s ON true
            WHERE v.tenant_id = $1 AND v.plan_id = $2 AND v.last_run = $3 - 1 AND v.kind = 'f'
        ) AS closed
        """,
        place.tenant_id,
        place.plan_id,
        place.number,
        ending,
        timeout=LONG_SECONDS,
    )
    assert row is not None
    return Superseded(*row)


async def list_dumps(conn: Connection, place: CommitPlace) -> list[DumpCounted]:
    """Returns the plan's dumps, and whether each is what the restore point before has."""
    rows = await conn.fetch(
        """
        SELECT v.name, v.size, v.first_run < $3 OR EXISTS (SELECT FROM catalogue.versions o
            WHERE o.tenant_id = $1 AND o.folder_id = v.folder_id AND o.name = v.name
            AND o.last_run = $3 - 1 AND o.chunk_ids = v.chunk_ids) AS is_same
        FROM catalogue.folders r JOIN catalogue.folders f ON f.tenant_id = $1 AND f.plan_id = $2
            AND f.parent_id = r.folder_id AND f.name = $4
        JOIN catalogue.versions v ON v.tenant_id = $1 AND v.folder_id = f.folder_id
        WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.parent_id = 0 AND r.name = ''
            AND v.kind = 'f' AND v.last_run IS NULL ORDER BY v.name LIMIT $5
        """,
        place.tenant_id,
        place.plan_id,
        place.number,
        DUMPS,
        MOST_DUMPS,
    )
    return [
        DumpCounted(
            name=row["name"].decode("utf-8", "replace"),
            size_bytes=row["size"],
            is_same=row["is_same"],
        )
        for row in rows
    ]
