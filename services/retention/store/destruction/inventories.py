"""The work on a destruction that began: one row, whose step says where it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.events import Locale

Step = Literal[
    "inventory", "asking", "ledger", "keys", "objects", "looking", "rows", "certificate", "done"
]

_COLUMNS = """destruction_id, tenant_id, step, begun_at, marker_key, marker_version, objects,
    size_bytes, objects_left, merkle_root, asked_at, permitted_at, client, locale, reason,
    keys_destroyed_at, tried_at, first_empty_at, second_empty_at, rows_asked_at,
    completed_at, certificate, again"""


@dataclass(frozen=True, slots=True)
class Inventory:
    """A destruction that began, and how far it is."""

    destruction_id: UUID
    tenant_id: UUID
    step: Step
    begun_at: datetime
    marker_key: str
    marker_version: str
    objects: int
    size_bytes: int
    objects_left: int | None
    merkle_root: bytes | None
    asked_at: datetime | None
    permitted_at: datetime | None
    client: str
    locale: Locale
    reason: str
    keys_destroyed_at: datetime | None
    tried_at: datetime | None
    first_empty_at: datetime | None
    second_empty_at: datetime | None
    rows_asked_at: datetime | None
    completed_at: datetime | None
    certificate: str | None
    again: bool


async def find(conn: Connection, tenant_id: UUID) -> Inventory | None:
    """The work on a tenant's destruction; None where it has not begun."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM inventories WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return Inventory(**row) if row else None


async def begin(conn: Connection, tenant_id: UUID, destruction_id: UUID, now: datetime) -> None:
    """Writes down that a destruction begins, with its inventory."""
    await conn.execute(
        """
        INSERT INTO inventories (destruction_id, tenant_id, step, begun_at)
        VALUES ($1, $2, 'inventory', $3)
        """,
        destruction_id,
        tenant_id,
        now,
    )


async def begin_again(
    conn: Connection,
    tenant_id: UUID,
    destruction_id: UUID,
    begun_at: datetime,
    permitted_at: datetime,
    client: str,
    locale: str,
    reason: str,
    objects: int,
    size_bytes: int,
    merkle_root: bytes,
    certificate: str | None,
) -> None:
    """Writes down a destruction that the ledger tells of and the database does not."""
    await conn.execute(
        """
        INSERT INTO inventories (destruction_id, tenant_id, step, begun_at, permitted_at, client,
            locale, reason, objects, size_bytes, merkle_root, certificate, again)
        VALUES ($1, $2, 'keys', $3, $4, $5, $6, $7, $8, $9, $10, $11, true)
        """,
        destruction_id,
        tenant_id,
        begun_at,
        permitted_at,
        client,
        locale,
        reason,
        objects,
        size_bytes,
        merkle_root,
        certificate,
    )


async def drop(conn: Connection, tenant_id: UUID) -> None:
    """Forgets a destruction that begins anew, or never will: nothing was destroyed yet."""
    await conn.execute(
        """
        WITH dropped AS (
            DELETE FROM inventories WHERE tenant_id = $1 RETURNING destruction_id
        )
        DELETE FROM inventory_objects o USING dropped d
        WHERE o.destruction_id = d.destruction_id
        """,
        tenant_id,
    )


async def move(conn: Connection, destruction_id: UUID, step: Step, to: Step) -> bool:
    """Goes on to another step, where it still is at this one; returns whether it was."""
    status = await conn.execute(
        """
        UPDATE inventories SET step = $3 WHERE destruction_id = $1 AND step = $2
        """,
        destruction_id,
        step,
        to,
    )
    return database.changed(status) == 1


async def end_inventory(conn: Connection, destruction_id: UUID, merkle_root: bytes) -> None:
    """Freezes the inventory: next the portal is asked."""
    await conn.execute(
        """
        UPDATE inventories SET step = 'asking', merkle_root = $2, objects_left = objects
        WHERE destruction_id = $1 AND step = 'inventory'
        """,
        destruction_id,
        merkle_root,
    )


async def note_asked(conn: Connection, destruction_id: UUID, now: datetime) -> None:
    """Notes when the portal was asked last."""
    await conn.execute(
        """
        UPDATE inventories SET asked_at = $2 WHERE destruction_id = $1
        """,
        destruction_id,
        now,
    )


async def permit(
    conn: Connection,
    tenant_id: UUID,
    destruction_id: UUID,
    client: str,
    locale: str,
    reason: str,
    permitted_at: datetime,
) -> bool:
    """Writes down the portal's word, by which nothing can be taken back; returns whether it was
    waited for.
    """
    status = await conn.execute(
        """
        UPDATE inventories SET step = 'ledger', permitted_at = $6, client = $3, locale = $4,
            reason = $5
        WHERE tenant_id = $1 AND destruction_id = $2 AND step = 'asking'
        """,
        tenant_id,
        destruction_id,
        client,
        locale,
        reason,
        permitted_at,
    )
    return database.changed(status) == 1


async def end_keys(conn: Connection, destruction_id: UUID, now: datetime) -> None:
    """The keys are destroyed: nothing that is left can be read any more."""
    await conn.execute(
        """
        UPDATE inventories SET step = 'objects',
            keys_destroyed_at = coalesce(keys_destroyed_at, $2), tried_at = NULL
        WHERE destruction_id = $1 AND step = 'keys'
        """,
        destruction_id,
        now,
    )


async def set_left(conn: Connection, destruction_id: UUID, objects_left: int) -> None:
    """Writes down how many objects are left."""
    await conn.execute(
        """
        UPDATE inventories SET objects_left = $2 WHERE destruction_id = $1
        """,
        destruction_id,
        objects_left,
    )


async def count_down(conn: Connection, destruction_id: UUID, deleted: int) -> int:
    """Counts objects that were deleted; returns how many are left, as far as is known."""
    left: int = await conn.fetchval(
        """
        UPDATE inventories SET objects_left = greatest(objects_left - $2, 0)
        WHERE destruction_id = $1 RETURNING coalesce(objects_left, 0)
        """,
        destruction_id,
        deleted,
    )
    return left


async def set_tried(conn: Connection, destruction_id: UUID, tried_at: datetime | None) -> None:
    """Notes when what is locked was tried last."""
    await conn.execute(
        """
        UPDATE inventories SET tried_at = $2 WHERE destruction_id = $1
        """,
        destruction_id,
        tried_at,
    )


async def set_empty(
    conn: Connection, destruction_id: UUID, first_at: datetime | None, second_at: datetime | None
) -> None:
    """Notes when the bucket was found empty; None: not yet, or something came back."""
    await conn.execute(
        """
        UPDATE inventories SET first_empty_at = $2, second_empty_at = $3 WHERE destruction_id = $1
        """,
        destruction_id,
        first_at,
        second_at,
    )


async def note_rows_asked(conn: Connection, destruction_id: UUID, now: datetime) -> None:
    """Notes that the services were told to delete their rows."""
    await conn.execute(
        """
        UPDATE inventories SET rows_asked_at = $2 WHERE destruction_id = $1
        """,
        destruction_id,
        now,
    )


async def complete(
    conn: Connection, destruction_id: UUID, certificate: str, completed_at: datetime
) -> None:
    """Keeps the certificate; the reason stands in it alone from now on."""
    await conn.execute(
        """
        UPDATE inventories SET certificate = $2, completed_at = $3 WHERE destruction_id = $1
        """,
        destruction_id,
        certificate,
        completed_at,
    )


async def end(conn: Connection, destruction_id: UUID) -> None:
    """Nothing is left to do: what is left of it is the certificate and its figures."""
    await conn.execute(
        """
        UPDATE inventories SET step = 'done', client = '', reason = '', marker_key = '',
            marker_version = '', objects_left = 0 WHERE destruction_id = $1
        """,
        destruction_id,
    )


async def find_largest(conn: Connection) -> int:
    """How large the largest destruction was that is over; 0 where there was none, in bytes."""
    largest: int = await conn.fetchval(
        """
        SELECT coalesce(max(size_bytes), 0) FROM inventories WHERE step = 'done'
        """
    )
    return largest


async def count_left(conn: Connection) -> int:
    """How many objects are left of all destructions that run."""
    left: int = await conn.fetchval(
        """
        SELECT coalesce(sum(objects_left), 0)::bigint FROM inventories WHERE step <> 'done'
        """
    )
    return left
