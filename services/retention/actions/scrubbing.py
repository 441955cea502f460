"""Scrubbing: every stored byte is read again within a cycle, before somebody needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from libs.shared import bucket, clock, database, logs, outbox, packs, sealing
from libs.shared.events import StorageDamaged, StorageMended
from libs.shared.keys import KeysDestroyed, KeysUnreadable, TenantKeys
from libs.shared.objects import ObjectMissing
from libs.shared.sealing import SealedChunk
from services.retention import store
from services.retention.actions.resources import Resources

PACKS_AT_ONCE = 50
READS = 2
PATHS_TOLD = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a pack's object, and which of its chunks can't be read."""

    kind: Literal["missing", "damaged"]
    chunks: list[bytes] = field(default_factory=list)


@dataclass
class Scrubbed:
    """What one slice of scrubbing did."""

    packs: int = 0
    read_bytes: int = 0
    damaged: int = 0


async def scrub_tenant(
    resources: Resources, tenant_id: UUID, before: datetime, now: datetime
) -> Scrubbed:
    """Reads some of the tenant's packs that were last read before; writes down what it finds.

    Raises Unavailable where the store does not answer: that is no damage.
    """
    done = Scrubbed()
    async with database.acquire(resources.pool) as conn:
        due = await store.scrubbing.list_due_packs(conn, tenant_id, before, PACKS_AT_ONCE)
        chunks: dict[int, list[SealedChunk]] = {}
        for pack_no, chunk in await store.collection.packs.list_chunks(
            conn, tenant_id, [one.pack_no for one in due]
        ):
            chunks.setdefault(pack_no, []).append(chunk)
    if not due:
        return done
    try:
        keys = await resources.keys.get(tenant_id)
    except (KeysDestroyed, KeysUnreadable) as trouble:
        logs.get().error("scrub.impossible", tenant_id=str(tenant_id), why=str(trouble))
        return done
    whole: list[int] = []
    for pack in due:
        finding = await check_pack(resources, keys, pack, chunks.get(pack.pack_no, []))
        done.packs += 1
        done.read_bytes += pack.object_bytes
        if finding is None:
            whole.append(pack.pack_no)
        else:
            done.damaged += await report_damage(resources, pack, finding, now)
    async with database.transaction(resources.pool) as conn:
        await store.scrubbing.mark_verified(conn, tenant_id, whole, now)
    return done


async def check_pack(
    resources: Resources,
    keys: TenantKeys,
    pack: store.scrubbing.DuePack,
    chunks: Sequence[SealedChunk],
) -> Finding | None:
    """Reads a pack's object and opens every seal in it; None if all of it is as it was stored.

    What looks wrong is read once more: the way to the store may have been at fault.
    """
    finding: Finding | None = None
    for _ in range(READS):
        try:
            body = await resources.objects.get(bucket.key_of_pack(pack.tenant_id, pack.pack_id))
        except ObjectMissing:
            finding = Finding("missing", [chunk.chunk_id for chunk in chunks])
        else:
            finding = await asyncio.to_thread(_verify, body, keys, pack, chunks)
        if finding is None:
            return None
    return finding


def _verify(
    body: bytes, keys: TenantKeys, pack: store.scrubbing.DuePack, chunks: Sequence[SealedChunk]
) -> Finding | None:
    """The index must open and account for each byte, and say what the rows say; each frame, the
    unneeded ones too, must open."""
    view = memoryview(body)
    is_whole = len(body) == pack.object_bytes
    try:
        index: Sequence[SealedChunk] = sealing.open_index(body, keys, pack.tenant_id, pack.pack_id)
    except sealing.SealBroken:
        is_whole, index = False, chunks
    places = {chunk.chunk_id: _place(chunk) for chunk in index}
    # A row that says something else finds no content, though every seal opens.
    broken = {row.chunk_id for row in chunks if places.get(row.chunk_id) != _place(row)}
    for held in packs.by_frame(index):
        first = held[0]
        sealed = view[first.offset : first.offset + first.length]
        try:
            sealing.open_frame(sealed, keys, pack.tenant_id, pack.pack_id, first)
        except sealing.SealBroken:
            broken.update([chunk.chunk_id for chunk in held])
    if is_whole and not broken:
        return None
    return Finding("damaged", sorted(broken))


def _place(chunk: SealedChunk) -> tuple[int, ...]:
    return (
        chunk.offset,
        chunk.length,
        chunk.size,
        chunk.encoding,
        chunk.start,
        chunk.frame_size,
    )


async def report_damage(
    resources: Resources, pack: store.scrubbing.DuePack, finding: Finding, now: datetime
) -> bool:
    """Marks a pack as damaged and says which files that concerns, plan by plan.

    False if the pack went, or was stored anew, while it was read.
    """
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        if not await store.scrubbing.mark_damaged(conn, pack, now):
            return False
        await store.scrubbing.add_damage(conn, pack, now)
        concerned = await store.scrubbing.find_concerned(
            conn, pack.tenant_id, finding.chunks, PATHS_TOLD
        )
        await outbox.add_all(conn, _describe(pack, finding, concerned, now))
    logs.get().error(
        "pack.damaged",
        tenant_id=str(pack.tenant_id),
        pack=pack.pack_id.hex(),
        kind=finding.kind,
        chunks=len(finding.chunks),
        files=sum(one.files for one in concerned),
    )
    return True


async def tell_mended(resources: Resources) -> int:
    """Tells of damaged packs that are no more; returns of how many."""
    async with database.transaction(resources.pool) as conn:
        mended = await store.scrubbing.take_mended(conn, PACKS_AT_ONCE)
        now = clock.now()
        await outbox.add_all(
            conn,
            [
                StorageMended(tenant_id=tenant_id, pack_id=pack_id.hex(), mended_at=now)
                for tenant_id, pack_id in mended
            ],
        )
    return len(mended)


def _describe(
    pack: store.scrubbing.DuePack,
    finding: Finding,
    concerned: Sequence[store.scrubbing.Concerned],
    now: datetime,
) -> list[StorageDamaged]:
    found: list[tuple[UUID | None, int, list[bytes]]] = [(None, 0, [])]
    if concerned:
        found = [(one.plan_id, one.files, one.paths) for one in concerned]
    return [
        StorageDamaged(
            tenant_id=pack.tenant_id,
            damage_id=uuid5(plan_id or pack.tenant_id, f"{pack.pack_id.hex()} {now.isoformat()}"),
            plan_id=plan_id,
            pack_id=pack.pack_id.hex(),
            missing=finding.kind == "missing",
            chunks=len(finding.chunks),
            files=files,
            paths=tuple(path.decode("utf-8", "backslashreplace") for path in paths),
            found_at=now,
        )
        for plan_id, files, paths in found
    ]
