"""What retention has of a tenant: its own tables, and the catalogue, which it alone may empty."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from libs.shared import database, erasure
from libs.shared.database import Connection
from libs.shared.erasure import Deleted, Kept

CATALOGUE = (
    "reductions",
    "dropped",
    "discounts",
    "fills",
    "folder_digests",
    "terms",
    "bundles",
    "bundle_counts",
    "versions",
    "attribute_sets",
    "chunks",
    "removals",
    "holds",
    "packs",
    "folders",
    "runs",
    "plans",
    "volumes",
)
"""Its tables, what refers to others first; they may hold millions of rows."""

PLAN: erasure.Plan = (
    *erasure.EVENTS,
    Deleted("judged_runs"),
    Deleted("expiry_holds"),
    Deleted("marks"),
    Deleted("damages"),
    Deleted("reductions"),
    Deleted("reduction_withdrawals"),
    Deleted("fill_counts"),
    Deleted("swept_runs"),
    Deleted("destruction_holds"),
    Deleted("tenants"),
    Kept("destructions", "certificate", "reason = '', reasons = '[]', confirmed_by = NULL"),
    Kept("inventories", "certificate"),
)


class Share(NamedTuple):
    """What a service deleted and what it keeps."""

    service: str
    rows: dict[str, int]
    kept: dict[str, str]


async def delete_some(conn: Connection, table: str, tenant_id: UUID, at_once: int) -> int:
    """Deletes some rows of a table of the catalogue; returns how many."""
    status = await conn.execute(
        f"""
        DELETE FROM catalogue.{table} WHERE tenant_id = $1 AND ctid = ANY(ARRAY(
            SELECT ctid FROM catalogue.{table} WHERE tenant_id = $1 LIMIT $2))
        """,
        tenant_id,
        at_once,
    )
    return database.changed(status)


async def add_rows(
    conn: Connection, destruction_id: UUID, service: str, rows: dict[str, int]
) -> None:
    """Adds to what a service deleted, in several steps."""
    await conn.execute(
        """
        INSERT INTO erased_rows AS e (destruction_id, service, rows, kept) VALUES ($1, $2, $3, '{}')
        ON CONFLICT (destruction_id, service) DO UPDATE SET rows = (
            SELECT jsonb_object_agg(name, n) FROM (
                SELECT name, sum(n::bigint) AS n FROM (
                    SELECT * FROM jsonb_each_text(e.rows)
                    UNION ALL SELECT * FROM jsonb_each_text($3)) AS each (name, n)
                GROUP BY name) AS summed)
        """,
        destruction_id,
        service,
        rows,
    )


async def put_share(
    conn: Connection,
    destruction_id: UUID,
    service: str,
    rows: dict[str, int],
    kept: dict[str, str],
) -> None:
    """Keeps what a service says that it deleted and keeps; said twice, the first word counts."""
    await conn.execute(
        """
        INSERT INTO erased_rows (destruction_id, service, rows, kept) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        destruction_id,
        service,
        rows,
        kept,
    )


async def set_kept(
    conn: Connection, destruction_id: UUID, service: str, kept: dict[str, str]
) -> None:
    """Writes down what a service keeps, once it has deleted all else."""
    await conn.execute(
        """
        UPDATE erased_rows SET kept = $3 WHERE destruction_id = $1 AND service = $2
        """,
        destruction_id,
        service,
        kept,
    )


async def list_shares(conn: Connection, destruction_id: UUID) -> list[Share]:
    """What each service deleted and keeps, of those that said so."""
    rows = await conn.fetch(
        """
        SELECT service, rows, kept FROM erased_rows WHERE destruction_id = $1 ORDER BY service
        """,
        destruction_id,
    )
    return [Share(*row) for row in rows]


async def drop_shares(conn: Connection, destruction_id: UUID) -> None:
    """Forgets what stands in the certificate."""
    await conn.execute(
        """
        DELETE FROM erased_rows WHERE destruction_id = $1
        """,
        destruction_id,
    )
