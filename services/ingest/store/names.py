"""Names that can be searched for: what is due, and the bundles and terms made of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from libs.shared.catalogue import terms
from libs.shared.database import Connection
from services.ingest.store.plans import CommitPlace

_FOLDERS_A_ROW = 1_000
_ROWS_AT_ONCE = 2_000


class NamesDue(NamedTuple):
    """Folders into which a run brought entries; None stands for any run."""

    due_id: int
    tenant_id: UUID
    plan_id: UUID
    run_number: int | None
    folder_ids: list[int]


class Bundle(NamedTuple):
    """Names of one folder that are found together."""

    bundle_no: int
    folder_id: int
    names: list[bytes]


async def put_names_due(conn: Connection, place: CommitPlace, folder_ids: Sequence[int]) -> None:
    """Notes the folders into which a run brought entries, some hundreds a row."""
    for at in range(0, len(folder_ids), _FOLDERS_A_ROW):
        await conn.execute(
            """
            INSERT INTO names_due (tenant_id, plan_id, run_number, folder_ids)
            VALUES ($1, $2, $3, $4)
            """,
            *place,
            folder_ids[at : at + _FOLDERS_A_ROW],
        )


async def take_names_due(conn: Connection) -> NamesDue | None:
    """Takes the oldest row that nobody else is busy with; it is gone with this transaction."""
    row = await conn.fetchrow(
        """
        DELETE FROM names_due WHERE due_id = (SELECT due_id FROM names_due ORDER BY due_id
        LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING due_id, tenant_id, plan_id, run_number, folder_ids
        """
    )
    return NamesDue(*row) if row else None


async def list_new_names(conn: Connection, due: NamesDue) -> AsyncIterator[list[tuple[int, bytes]]]:
    """Yields (folder id, name) of paths that the run was the first to see, by folder and name."""
    # A look-up for each folder and name, as in libs.shared.catalogue.walk.
    names = (
        "SELECT v.name FROM catalogue.versions v WHERE v.tenant_id = $1"
        " AND v.folder_id = k.folder_id AND v.first_run = $3 AND (SELECT true"
        "  FROM catalogue.versions o WHERE o.tenant_id = $1 AND o.folder_id = v.folder_id"
        "  AND o.name = v.name AND o.first_run < $3 LIMIT 1) IS NULL ORDER BY v.name"
        if due.run_number is not None
        else "SELECT DISTINCT v.name FROM catalogue.versions v WHERE v.tenant_id = $1"
        " AND v.folder_id = k.folder_id AND $3::integer IS NULL ORDER BY v.name"
    )
    cursor = await conn.cursor(
        f"""
        SELECT k.folder_id, n.name FROM unnest($2::bigint[]) WITH ORDINALITY
            AS k (folder_id, place) CROSS JOIN LATERAL ({names}) n ORDER BY k.place, n.name
        """,
        due.tenant_id,
        sorted(due.folder_ids),
        due.run_number,
    )
    while rows := await cursor.fetch(_ROWS_AT_ONCE):
        yield [(row[0], row[1]) for row in rows]


async def find_above(
    conn: Connection, tenant_id: UUID, folder_ids: Sequence[int]
) -> dict[int, list[int]]:
    """Returns for each folder the ids from its root down to itself."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE up (folder_id, above_id, depth) AS (
        SELECT t.folder_id, t.folder_id, 0 FROM unnest($2::bigint[]) AS t (folder_id)
        UNION ALL
        SELECT up.folder_id, f.parent_id, up.depth + 1 FROM up
        CROSS JOIN LATERAL (SELECT parent_id FROM catalogue.folders
        WHERE tenant_id = $1 AND folder_id = up.above_id LIMIT 1) f WHERE f.parent_id <> 0
            ) SELECT folder_id, array_agg(above_id ORDER BY depth DESC) FROM up GROUP BY folder_id
        """,
        tenant_id,
        folder_ids,
    )
    return {row[0]: row[1] for row in rows}


async def lock_bundle_count(conn: Connection, tenant_id: UUID) -> int:
    """Returns how many bundles a tenant has; nobody else adds any until this transaction ends."""
    count: int = await conn.fetchval(
        """
        INSERT INTO catalogue.bundle_counts AS c (tenant_id, bundles) VALUES ($1, 0)
        ON CONFLICT (tenant_id) DO UPDATE SET bundles = c.bundles RETURNING bundles
        """,
        tenant_id,
    )
    return count


async def set_bundle_count(conn: Connection, tenant_id: UUID, bundles: int) -> None:
    """Says how many bundles a tenant has now."""
    await conn.execute(
        """
        UPDATE catalogue.bundle_counts SET bundles = $2 WHERE tenant_id = $1
        """,
        tenant_id,
        bundles,
    )


async def add_bundles(
    conn: Connection, tenant_id: UUID, plan_id: UUID, bundles: Sequence[Bundle]
) -> None:
    """Adds bundles, whose numbers are new."""
    await conn.execute(
        """
        INSERT INTO catalogue.bundles (tenant_id, plan_id, bundle_no, folder_id, names)
        SELECT $1, $2, * FROM unnest($3::bigint[], $4::bigint[], $5::bytea[])
        """,
        tenant_id,
        plan_id,
        [bundle.bundle_no for bundle in bundles],
        [bundle.folder_id for bundle in bundles],
        [b"\0".join(bundle.names) for bundle in bundles],
    )


async def add_places(
    conn: Connection, tenant_id: UUID, shelf: int, places: Mapping[bytes, Sequence[int]]
) -> None:
    """Adds places on a shelf to terms; all of them are behind those that are there."""
    ordered = sorted(places)
    await conn.execute(
        """
        INSERT INTO catalogue.terms AS t (tenant_id, shelf, term, places)
        SELECT $1, $2, * FROM unnest($3::bytea[], $4::bytea[])
        ON CONFLICT (tenant_id, term, shelf) DO UPDATE SET places = t.places || excluded.places
        """,
        tenant_id,
        shelf,
        ordered,
        [terms.pack_places(places[term]) for term in ordered],
    )
