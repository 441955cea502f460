"""Before anything is destroyed: the inventory, the guards, the question to the portal."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from libs.shared import bucket, database, logs, outbox
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.events import DestructionAsked
from libs.shared.objects import StoredVersion
from libs.shared.reasons import Reason
from services.retention import rules, store
from services.retention.actions.destruction import telling
from services.retention.actions.resources import Resources
from services.retention.store.destruction.days import Due
from services.retention.store.destruction.inventories import Inventory

PAGES_OF_TURN = 50


async def begin(resources: Resources, due: Due, now: datetime) -> int:
    """Begins a destruction that is due: with its inventory, which harms nothing."""
    async with database.transaction(resources.pool) as conn:
        locked = await store.destruction.days.lock(conn, due.tenant_id)
        if locked is None or locked.version != due.version or locked.state == "held":
            return 0
        if await store.destruction.inventories.find(conn, due.tenant_id) is None:
            await store.destruction.inventories.begin(conn, due.tenant_id, uuid4(), now)
        await telling.move(conn, due.tenant_id, "running")
    logs.get().warning("destruction.begun", tenant_id=str(due.tenant_id))
    crashpoint("retention.after_begin")
    return 1


async def take_inventory(resources: Resources, _due: Due, work: Inventory, _now: datetime) -> int:
    """Writes down some thousands of versions more, or freezes the inventory at its end."""
    marker = work.marker_key, work.marker_version
    for _ in range(PAGES_OF_TURN):
        found = await _list_page(resources, work, marker)
        if found is None:
            await _freeze(resources, work)
            return 1
        page, marker = found
        async with database.transaction(resources.pool) as conn:
            await store.destruction.objects.add_page(conn, work.destruction_id, page, marker)
        crashpoint("retention.in_inventory")
    return 1


async def _list_page(
    resources: Resources, work: Inventory, marker: tuple[str, str]
) -> tuple[list[StoredVersion], tuple[str, str]] | None:
    """The next page over all prefixes of the tenant, and where it ended; None: that was all.

    A marker below no prefix means: the prefix before it is done.
    """
    for prefix in bucket.prefixes_of(work.tenant_id):
        if marker[0] > prefix and not marker[0].startswith(prefix):
            continue
        behind = marker if marker[0].startswith(prefix) else ("", "")
        page = await resources.objects.list_versions(prefix, behind)
        if page.versions or page.goes_on_behind:
            last = page.goes_on_behind or _end_of(prefix)
            return page.versions, last
        marker = _end_of(prefix)
    return None


def _end_of(prefix: str) -> tuple[str, str]:
    """Behind all keys that begin with the prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1), ""


async def _freeze(resources: Resources, work: Inventory) -> None:
    tree = rules.destruction.MerkleTree()
    async with database.transaction(resources.pool) as conn:
        async for one in store.destruction.objects.read(conn, work.destruction_id):
            tree.add(rules.destruction.hash_leaf(*one))
        await store.destruction.inventories.end_inventory(conn, work.destruction_id, tree.root())
        await telling.tell(conn, work.tenant_id, "running")
    crashpoint("retention.after_inventory")


async def ask(resources: Resources, due: Due, work: Inventory, now: datetime) -> int:
    """Asks the portal whether the end still stands, once nothing needs to be confirmed."""
    async with database.transaction(resources.pool) as conn:
        locked = await store.destruction.days.lock(conn, due.tenant_id)
        if locked is None or locked.version != due.version or locked.state == "held":
            return 0
        objections = (
            [] if locked.confirmed_by else await _find_objections(conn, resources, locked, work)
        )
        if objections:
            await telling.move(conn, due.tenant_id, "waiting", objections)
            return 0
        await telling.move(conn, due.tenant_id, "running")
        again_at = (work.asked_at or now) + rules.destruction.ASK_AGAIN_AFTER
        if work.asked_at is not None and now < again_at:
            return 0
        await store.destruction.inventories.note_asked(conn, work.destruction_id, now)
        await outbox.add(
            conn,
            DestructionAsked(
                tenant_id=due.tenant_id,
                destruction_id=work.destruction_id,
                version=due.version,
                ended_at=due.ended_at,
            ),
        )
    crashpoint("retention.after_ask")
    return 0


async def _find_objections(
    conn: Connection, resources: Resources, due: Due, work: Inventory
) -> list[Reason]:
    standing = rules.destruction.Standing(
        due_at=due.due_at,
        size_bytes=work.size_bytes,
        largest_bytes=await store.destruction.inventories.find_largest(conn),
        due_in_a_day=await store.destruction.days.count_due(conn, due.due_at),
        last_sent_at=due.last_sent_at,
    )
    return rules.destruction.find_objections(standing, resources.guards)
