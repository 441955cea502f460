"""Growth: what a tenant's stored volume may come to, judged where no other growth can pass by."""

from __future__ import annotations

from libs.shared.catalogue import volumes
from libs.shared.database import Connection
from services.ingest import rules, store


async def grow(
    conn: Connection, agent: rules.agents.Agent, added_bytes: int, growth_bytes: int
) -> None:
    """Adds to a tenant's stored volume and publishes it, as the last act of a transaction.

    growth_bytes: as much of it as is to fit; the rest replaces what was damaged.

    Raises GrowthBlocked where that passes what quota allows at this moment: the transaction, and
    the change with it, must then be undone. All growth meets at the lock on the volume, so that
    what comes at once can't pass the ceiling together.
    """
    volume = await volumes.change(conn, agent.tenant_id, added_bytes, 0)
    allowance = await store.agents.lock_allowance(conn, agent.tenant_id)
    rules.agents.check_growth(
        allowance.ceiling_bytes,
        allowance.reason,
        volume.stored_bytes - added_bytes,
        growth_bytes,
    )
