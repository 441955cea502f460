"""The ledger of erasure: outside the database, whose backups know nothing of what came after.

One signed entry a tenant under a prefix of its own, written before the keys are destroyed, and once
more with the certificate. Whoever restores an old database gets the erasure done again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared import bucket, certificates, database, logs
from libs.shared.certificates import CertificateInvalid, Json
from libs.shared.objects import ObjectMissing
from services.retention import store
from services.retention.actions.destruction import telling
from services.retention.actions.resources import Resources
from services.retention.store.destruction.days import Due
from services.retention.store.destruction.inventories import Inventory

NAME = "erased"


async def write(
    resources: Resources, due: Due, work: Inventory, certificate: str | None = None
) -> None:
    """Writes a tenant's entry, signed; again, in its place."""
    permitted_at = work.permitted_at
    assert permitted_at is not None
    entry: dict[str, Json] = {
        "tenant_id": str(work.tenant_id),
        "destruction_id": str(work.destruction_id),
        "ended_at": due.ended_at.isoformat(),
        "due_at": due.due_at.isoformat(),
        "begun_at": work.begun_at.isoformat(),
        "permitted_at": permitted_at.isoformat(),
        # The certificate says these; until there is one, whoever goes on needs them.
        "client": "" if certificate else work.client,
        "reason": "" if certificate else work.reason,
        "locale": work.locale,
        "objects": work.objects,
        "bytes": work.size_bytes,
        "merkle_root": (work.merkle_root or b"").hex(),
        "certificate": certificate,
    }
    signed = resources.signer.sign(entry, NAME)
    await resources.objects.put(bucket.key_of_erased(work.tenant_id), signed.encode())


async def replay(resources: Resources) -> int:
    """Takes up again what the ledger tells of and the database doesn't know; returns how many."""
    taken_up = 0
    async for key, _ in resources.objects.list(bucket.ERASED_PREFIX):
        try:
            tenant_id = UUID(key.removeprefix(bucket.ERASED_PREFIX))
            entry = certificates.open_signed(
                await resources.objects.get(key), resources.signer.public_pem, NAME
            )
        except ObjectMissing:
            continue
        except (ValueError, CertificateInvalid) as error:
            # Not ours, or not as it was: whoever can write into the bucket could erase clients.
            logs.get().error("ledger.refused", key=key, why=str(error))
            continue
        if entry.get("tenant_id") != str(tenant_id):
            logs.get().error("ledger.refused", key=key, why="it is about another tenant")
            continue
        taken_up += await _take_up(resources, tenant_id, entry)
    return taken_up


async def _take_up(resources: Resources, tenant_id: UUID, entry: dict[str, Any]) -> bool:
    destruction_id = UUID(entry["destruction_id"])
    inventories = store.destruction.inventories
    async with database.transaction(resources.pool) as conn:
        known = await inventories.find(conn, tenant_id)
        if known is not None and known.destruction_id == destruction_id and known.permitted_at:
            return False
        await inventories.drop(conn, tenant_id)
        await store.destruction.days.restore(
            conn,
            tenant_id,
            datetime.fromisoformat(entry["ended_at"]),
            datetime.fromisoformat(entry["due_at"]),
            entry["reason"],
        )
        await inventories.begin_again(
            conn,
            tenant_id,
            destruction_id,
            datetime.fromisoformat(entry["begun_at"]),
            datetime.fromisoformat(entry["permitted_at"]),
            entry["client"],
            entry["locale"],
            entry["reason"],
            entry["objects"],
            entry["bytes"],
            bytes.fromhex(entry["merkle_root"]),
            entry["certificate"],
        )
        await telling.tell(conn, tenant_id, "running")
        await store.destruction.days.wake(conn)
    logs.get().error(
        "destruction.taken_up_again",
        tenant_id=str(tenant_id),
        destruction_id=str(destruction_id),
        why="the ledger of erasure tells of it, and this database is from before",
    )
    return True
