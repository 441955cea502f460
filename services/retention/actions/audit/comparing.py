"""The audit's first half: where catalogue and bucket disagree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import bucket, database
from libs.shared.bucket import PackObject
from libs.shared.catalogue import volumes
from libs.shared.objects import StoredObject
from services.retention import rules, store
from services.retention.actions.audit.proving import compare_points
from services.retention.actions.collection.strays import STRAY_AFTER
from services.retention.actions.parts import Leftover, list_leftovers
from services.retention.actions.resources import Resources
from services.retention.rules.audit import Disagreement

NAMED = 100
"""How many disagreements of a kind are named one by one."""

_ROWS_AT_ONCE = 1_000
_REMOVAL_TAKES = timedelta(hours=1)


async def compare_tenant(
    resources: Resources, tenant_id: UUID, now: datetime, store_now: datetime
) -> AsyncIterator[Disagreement]:
    """Yields each disagreement about a tenant, reading only.

    Objects younger than a day that no row names may be uploads under way, and are passed over;
    so are parts of failed runs whose grace is not over.
    """
    async for found in _compare_objects(resources, tenant_id, store_now):
        yield found
    async for left in list_leftovers(resources, tenant_id, now, store_now):
        yield _describe_leftover(tenant_id, left)
    async for found in compare_points(resources, tenant_id, now):
        yield found
    async with (
        database.acquire(resources.pool) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        await store.sessions.allow_long_statements(conn)
        for found in [
            *await _compare_chunks(conn, tenant_id),
            *await _compare_packs(conn, tenant_id, now),
            *await _compare_sums(conn, tenant_id),
        ]:
            yield found


async def _compare_objects(
    resources: Resources, tenant_id: UUID, store_now: datetime
) -> AsyncIterator[Disagreement]:
    """Walks rows and objects side by side, both in the order of their ids.

    What seems to disagree is looked at again, for both go on changing while they are walked.
    """
    rows = _walk_rows(resources, tenant_id)
    row = await anext(rows, None)
    async for listed in resources.objects.list_dated(bucket.packs_of(tenant_id)):
        named = bucket.parse_key(listed.key)
        if not isinstance(named, PackObject):
            yield Disagreement(
                "object-that-is-no-pack", tenant_id, f"{listed.key}: nothing of ours."
            )
            continue
        pack_id = named.pack_id
        while row is not None and row[0] < pack_id:
            async for found in _look_again(resources, tenant_id, row[0], None, store_now):
                yield found
            row = await anext(rows, None)
        is_named = row is not None and row[0] == pack_id
        if not is_named or (row is not None and row[1] != listed.size_bytes):
            async for found in _look_again(resources, tenant_id, pack_id, listed, store_now):
                yield found
        if is_named:
            row = await anext(rows, None)
    while row is not None:
        async for found in _look_again(resources, tenant_id, row[0], None, store_now):
            yield found
        row = await anext(rows, None)


async def _walk_rows(
    resources: Resources, tenant_id: UUID
) -> AsyncIterator[tuple[bytes, int, str]]:
    after = b""
    while True:
        async with database.acquire(resources.pool) as conn:
            rows = await store.audit.list_pack_rows(conn, tenant_id, after, _ROWS_AT_ONCE)
        for row in rows:
            yield row
        if len(rows) < _ROWS_AT_ONCE:
            return
        after = rows[-1][0]


async def _look_again(
    resources: Resources,
    tenant_id: UUID,
    pack_id: bytes,
    listed: StoredObject | None,
    store_now: datetime,
) -> AsyncIterator[Disagreement]:
    size_bytes = listed.size_bytes if listed else None
    if listed is None and await resources.objects.exists(bucket.key_of_pack(tenant_id, pack_id)):
        return
    async with database.acquire(resources.pool) as conn:
        pack = await store.audit.find_pack(conn, tenant_id, pack_id)
    if pack is not None and pack.state == "damaged":
        return  # told as such
    if pack is None and (listed is None or listed.modified_at + STRAY_AFTER > store_now):
        return
    found = rules.audit.compare_object(
        tenant_id, pack_id, pack.object_bytes if pack else None, size_bytes
    )
    if found is not None:
        yield found


def _describe_leftover(tenant_id: UUID, left: Leftover) -> Disagreement:
    size_bytes = sum(part.size_bytes for part in left.parts)
    parts = "1 part of it lies" if len(left.parts) == 1 else f"{len(left.parts)} parts of it lie"
    return Disagreement(
        "part-that-nothing-needs",
        tenant_id,
        f"Plan {left.plan_id}, run {left.number}: {parts} in the bucket ({size_bytes} bytes),"
        " which no restore point needs.",
    )


async def _compare_chunks(conn: database.Connection, tenant_id: UUID) -> list[Disagreement]:
    found = [
        Disagreement(
            "chunk-outside-its-pack" if pack_id else "chunk-without-pack",
            tenant_id,
            f"Chunk {chunk_id.hex()[:16]}…: "
            + (
                f"lies outside pack {pack_id.hex()[:16]}…."
                if pack_id
                else f"its pack, number {pack_no}, does not exist."
            ),
            pack_id or b"",
        )
        for chunk_id, pack_no, pack_id in await store.audit.list_misplaced(conn, tenant_id, NAMED)
    ]
    for chunk_id, files in await store.audit.list_absent_chunks(conn, tenant_id, NAMED):
        paths = await store.scrubbing.find_concerned(conn, tenant_id, [chunk_id], 3)
        names = ", ".join(
            path.decode("utf-8", "backslashreplace") for one in paths for path in one.paths
        )
        found.append(
            Disagreement(
                "chunk-that-nobody-has",
                tenant_id,
                f"Chunk {chunk_id.hex()[:16]}…: {files} versions need it, no pack has it"
                f" (in {names}).",
            )
        )
    return found


async def _compare_packs(
    conn: database.Connection, tenant_id: UUID, now: datetime
) -> list[Disagreement]:
    found = [
        Disagreement(
            "needed-but-condemned",
            tenant_id,
            f"Pack {pack_id.hex()[:16]}…: condemned, though a version needs it.",
            pack_id,
        )
        for _, pack_id in await store.audit.list_needed_condemned(conn, tenant_id)
    ]
    for pack_no, pack_id in await store.audit.list_damaged(conn, tenant_id):
        chunks = [
            chunk
            for _, chunk in await store.collection.packs.list_chunks(conn, tenant_id, [pack_no])
        ]
        concerned = await store.scrubbing.find_concerned(
            conn, tenant_id, [chunk.chunk_id for chunk in chunks], NAMED
        )
        names = [
            path.decode("utf-8", "backslashreplace") for one in concerned for path in one.paths
        ]
        found.append(
            Disagreement(
                "damaged",
                tenant_id,
                f"Pack {pack_id.hex()[:16]}…: damaged; in it or in part in it: "
                + (", ".join(names) or "nothing that anybody needs")
                + ".",
                pack_id,
            )
        )
    waiting = await store.audit.count_old_removals(conn, tenant_id, now - _REMOVAL_TAKES)
    if waiting:
        sentence = f"{waiting} objects should have been deleted more than an hour ago."
        found.append(Disagreement("removal-not-ended", tenant_id, sentence))
    return found


async def _compare_sums(conn: database.Connection, tenant_id: UUID) -> list[Disagreement]:
    found = []
    sums = await volumes.read_sums(conn, tenant_id)
    if sums is not None and sums.volume.stored_bytes != sums.packs_bytes:
        sentence = (
            f"Stored volume {sums.volume.stored_bytes} bytes; its packs come to {sums.packs_bytes}."
        )
        found.append(Disagreement("volume-not-the-sum", tenant_id, sentence))
    if sums is not None and sums.volume.protected_bytes != sums.files_bytes:
        sentence = (
            f"Protected volume {sums.volume.protected_bytes} bytes;"
            f" the current files come to {sums.files_bytes}."
        )
        found.append(Disagreement("protected-not-the-sum", tenant_id, sentence))
    for plan_id, number, files, size, seen, seen_size in await store.audit.list_wrong_points(
        conn, tenant_id
    ):
        sentence = (
            f"Plan {plan_id}, run {number}: told as {files} files and {size} bytes,"
            f" seen {seen} and {seen_size}."
        )
        found.append(Disagreement("restore-point-not-the-sum", tenant_id, sentence))
    return found
