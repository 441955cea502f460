"""After the bucket is empty: rows in every service, then the certificate."""

from __future__ import annotations

from datetime import datetime

from libs.shared import database, erasure, logs, outbox
from libs.shared.crashpoints import crashpoint
from libs.shared.events import DestructionCompleted, DestructionStarted, TenantErased
from services.retention import rules, store
from services.retention.actions.destruction import ledger, telling
from services.retention.actions.resources import Resources
from services.retention.store.destruction.days import Due
from services.retention.store.destruction.inventories import Inventory

OTHERS = ("ingest", "portal", "quota", "reporting")
"""Who has to say what was deleted before there is a certificate."""

_ROWS_AT_ONCE = 20_000


async def erase_rows(resources: Resources, due: Due, work: Inventory, now: datetime) -> int:
    """Tells every service to delete its rows, and deletes retention's own and the catalogue."""
    if work.rows_asked_at is None:
        async with database.transaction(resources.pool) as conn:
            await store.destruction.inventories.note_rows_asked(conn, work.destruction_id, now)
            await outbox.add(
                conn,
                DestructionStarted(
                    tenant_id=work.tenant_id,
                    destruction_id=work.destruction_id,
                    version=due.version,
                    again=work.again,
                ),
            )
        crashpoint("retention.after_rows_asked")
    for table in store.destruction.erasing.CATALOGUE:
        while await _delete_some(resources, work, table):
            crashpoint("retention.in_rows")
    return await _end_rows(resources, work, now)


async def _delete_some(resources: Resources, work: Inventory, table: str) -> int:
    erasing = store.destruction.erasing
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        count = await erasing.delete_some(conn, table, work.tenant_id, _ROWS_AT_ONCE)
        if count:
            rows = {f"catalogue.{table}": count}
            await erasing.add_rows(conn, work.destruction_id, "retention", rows)
    return count


async def _end_rows(resources: Resources, work: Inventory, now: datetime) -> int:
    """Retention's own rows, once all others have said what they deleted."""
    erasing = store.destruction.erasing
    async with database.transaction(resources.pool) as conn:
        shares = await erasing.list_shares(conn, work.destruction_id)
        if not {share.service for share in shares} >= set(OTHERS):
            return 0
        erased = await erasure.erase(conn, erasing.PLAN, work.tenant_id, work.destruction_id, now)
        await erasing.add_rows(conn, work.destruction_id, "retention", erased.rows)
        await erasing.set_kept(conn, work.destruction_id, "retention", erased.kept)
        await store.destruction.inventories.move(conn, work.destruction_id, "rows", "certificate")
    crashpoint("retention.after_rows")
    return 1


async def keep_share(conn: database.Connection, event: TenantErased) -> None:
    """Keeps what a service says that it deleted of a tenant, and what it keeps."""
    work = await store.destruction.inventories.find(conn, event.tenant_id)
    if work is not None and work.destruction_id == event.destruction_id and work.step != "done":
        await store.destruction.erasing.put_share(
            conn, event.destruction_id, event.service, event.rows, event.kept
        )
        await store.destruction.days.wake(conn)


async def certify(resources: Resources, due: Due, work: Inventory, now: datetime) -> int:
    """Signs the certificate, and tells everybody; the ledger keeps it as well.

    One that was signed stays as it is, through crashes and restored databases.
    """
    certificate = work.certificate
    if certificate is None:
        certificate = await _sign(resources, due, work, now)
        async with database.transaction(resources.pool) as conn:
            await store.destruction.inventories.complete(
                conn, work.destruction_id, certificate, now
            )
        crashpoint("retention.after_certificate")
    await ledger.write(resources, due, work, certificate)
    await _forget_inventory(resources, work)
    async with database.transaction(resources.pool) as conn:
        await outbox.add(
            conn,
            DestructionCompleted(
                tenant_id=work.tenant_id,
                destruction_id=work.destruction_id,
                certificate=certificate,
                again=work.again,
            ),
        )
        await store.destruction.inventories.end(conn, work.destruction_id)
        await store.destruction.erasing.drop_shares(conn, work.destruction_id)
        await telling.move(conn, work.tenant_id, "completed")
    logs.get().warning(
        "destruction.completed",
        tenant_id=str(work.tenant_id),
        destruction_id=str(work.destruction_id),
        objects=work.objects,
        again=work.again,
    )
    return 1


async def _sign(resources: Resources, due: Due, work: Inventory, now: datetime) -> str:
    async with database.acquire(resources.pool) as conn:
        shares = await store.destruction.erasing.list_shares(conn, work.destruction_id)
        late = await store.destruction.objects.count_late(conn, work.destruction_id)
    looked_at = work.first_empty_at or now, work.second_empty_at or now
    facts = rules.destruction.Facts(
        destruction_id=work.destruction_id,
        tenant_id=work.tenant_id,
        client=work.client,
        locale=work.locale,
        ended_at=due.ended_at,
        reason=work.reason,
        due_at=due.due_at,
        begun_at=work.begun_at,
        keys_destroyed_at=work.keys_destroyed_at or now,
        completed_at=now,
        looked_at=looked_at,
        objects=work.objects,
        size_bytes=work.size_bytes,
        late_objects=late,
        merkle_root=work.merkle_root or rules.destruction.MerkleTree().root(),
        rows={share.service: share.rows for share in shares},
        kept={share.service: share.kept for share in shares},
    )
    return resources.signer.sign(rules.destruction.write_certificate(facts))


async def _forget_inventory(resources: Resources, work: Inventory) -> None:
    """The root stays, in the certificate."""
    while True:
        async with database.transaction(resources.pool) as conn:
            if not await store.destruction.objects.drop(conn, work.destruction_id, _ROWS_AT_ONCE):
                return
