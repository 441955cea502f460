"""How a service erases all that it has of a tenant: one list of its tables, in `store/erasure.py`.

Each table with something of a tenant stands in it, to be deleted, or to be kept on a ground that
is named; a test fails for one that doesn't (docs/destruction.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared import database, logs, outbox
from libs.shared.database import Connection
from libs.shared.events import DestructionStarted, TenantErased

Ground = Literal[
    "accounting",  # code de commerce, article L123-22: ten years
    "contract",  # proof of what was agreed and done, until claims are barred: five years
    "certificate",  # what proves the destruction
    "until-mailed",  # where the certificate is sent to, as long as it is tried
    "never-again",  # an identifier alone, so that nothing of the tenant comes back
]
"""On which ground something stays."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A table whose rows of the tenant go; `where` finds them, $1 being the tenant."""

    table: str
    where: str = "tenant_id = $1"


@dataclass(frozen=True, slots=True)
class Kept:
    """A table of which something stays; `blank` empties what has no ground to."""

    table: str
    ground: Ground
    blank: str = ""
    where: str = "tenant_id = $1"


Plan = Sequence[Deleted | Kept]
"""Tables in the order in which they are erased: what refers to others comes first."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows went, by table, and on which ground something of the others stays."""

    rows: dict[str, int]
    kept: dict[str, str]


EVENTS: Plan = (
    Kept("inbox", "never-again"),
    Kept("outbox", "never-again"),
    Kept("erased_tenants", "never-again"),
)
"""What every service has: of events the ids stay, so that one that comes once more is known."""


async def forget(
    conn: Connection, service: str, plan: Plan, event: DestructionStarted, now: datetime
) -> None:
    """Erases what a service has of a tenant whose objects are gone, and says what that was."""
    erased = await erase(conn, plan, event.tenant_id, event.destruction_id, now)
    await outbox.add(
        conn,
        TenantErased(
            tenant_id=event.tenant_id,
            destruction_id=event.destruction_id,
            service=service,
            rows=erased.rows,
            kept=erased.kept,
        ),
    )
    logs.get().warning("tenant.erased", tenant_id=str(event.tenant_id))


async def lock(conn: Connection, tenant_id: UUID) -> None:
    """Waits until none of the tenant's events is being handled, and keeps others from it."""
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || $1::text, 0))
        """,
        str(tenant_id),
    )


async def erase(
    conn: Connection, plan: Plan, tenant_id: UUID, destruction_id: UUID, now: datetime
) -> Erased:
    """Deletes what a service has of a tenant, and remembers that it did; again, deletes what came
    since.

    Waits until nobody handles an event of the tenant.
    """
    await lock(conn, tenant_id)
    await _remember(conn, tenant_id, destruction_id, now)
    rows: dict[str, int] = {}
    kept: dict[str, str] = {}
    for each in plan:
        if isinstance(each, Deleted):
            rows[each.table] = await _delete(conn, each, tenant_id)
            continue
        kept[each.table] = each.ground
        if each.blank:
            await _blank(conn, each, tenant_id)
    rows["outbox"] = await _forget_published(conn, tenant_id, now)
    rows["inbox"] = await _forget_received(conn, tenant_id, now)
    return Erased(rows, kept)


async def _remember(conn: Connection, tenant_id: UUID, destruction_id: UUID, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO erased_tenants (tenant_id, destruction_id, erased_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        """,
        tenant_id,
        destruction_id,
        now,
    )


async def _delete(conn: Connection, table: Deleted, tenant_id: UUID) -> int:
    status = await conn.execute(
        f"""
        DELETE FROM {table.table} WHERE {table.where}
        """,  # noqa: S608 - from our own lists
        tenant_id,
    )
    return database.changed(status)


async def _blank(conn: Connection, table: Kept, tenant_id: UUID) -> None:
    await conn.execute(
        f"""
        UPDATE {table.table} SET {table.blank} WHERE {table.where}
        """,  # noqa: S608 - from our own lists
        tenant_id,
    )


async def _forget_published(conn: Connection, tenant_id: UUID, now: datetime) -> int:
    """What was said of the tenant is emptied; what was not yet said is not any more."""
    status = await conn.execute(
        """
        UPDATE outbox SET payload = '{}', blank = '{}', published_at = coalesce(published_at, $2)
        WHERE tenant_id = $1 AND payload <> '{}' AND type NOT LIKE 'destruction.%'
          AND type <> 'tenant.erased.v1'
        """,
        tenant_id,
        now,
    )
    return database.changed(status)


async def _forget_received(conn: Connection, tenant_id: UUID, now: datetime) -> int:
    """What was heard of the tenant is emptied, also what could not be read and names it.

    What a worker has just taken is left to it: it will see that the tenant is erased.
    """
    status = await conn.execute(
        """
        UPDATE inbox SET payload = '{}', raw = NULL, envelope = '', error = '', state = 'done',
            done_at = coalesce(done_at, $2)
        WHERE event_id IN (
            SELECT event_id FROM inbox
            WHERE (tenant_id = $1 OR (raw IS NOT NULL
                   AND (position($3::bytea IN raw) > 0 OR position($4 IN envelope) > 0)))
              AND (payload <> '{}' OR raw IS NOT NULL) AND type NOT LIKE 'destruction.%'
              AND type <> 'tenant.erased.v1'
            FOR UPDATE SKIP LOCKED)
        """,
        tenant_id,
        now,
        str(tenant_id).encode(),
        str(tenant_id),
    )
    return database.changed(status)
