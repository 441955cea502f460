"""Collection: packs that nothing needs are condemned, and deleted after a grace.

docs/decisions/0009 proves why this can't pull data from under a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from libs.shared import bucket, database, logs
from libs.shared.catalogue import volumes
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.sealing import SealedChunk
from services.retention import rules, store
from services.retention.actions.resources import Resources

T = TypeVar("T")

SLICE = 200
DELETIONS_AT_ONCE = 8
REPACKED_AT_ONCE = 256
REMOVALS_KEPT = timedelta(days=7)


@dataclass
class Marked:
    """What a mark found: packs by their verdict, and what is needed of those to repack.

    dropped: of packs of which some counts no more, or did, (pack, chunk, bytes) of what that is.
    """

    mark: store.collection.marks.Mark
    packs: dict[rules.collection.Verdict, list[rules.collection.Usage]]
    needed: dict[int, list[SealedChunk]]
    dropped: dict[int, list[tuple[int, bytes, int]]]


@dataclass
class Collected:
    """What one collection of a tenant did, in packs and bytes."""

    condemned: int = 0
    discounted: int = 0
    resurrected: int = 0
    deleted: int = 0
    repacked: int = 0
    freed_bytes: int = 0
    failed: list[str] = field(default_factory=list)


class MarkOutdated(Exception):  # noqa: N818 - named after what happened
    """Another process took a newer mark of the tenant: this one may not be acted on."""


async def mark_tenant(resources: Resources, tenant_id: UUID, now: datetime) -> Marked:
    """Finds out what a tenant needs, in one snapshot, and judges its packs by that."""
    async with database.transaction(resources.pool) as conn:
        number = await store.collection.marks.begin_mark(conn, tenant_id, now)
    async with (
        database.acquire(resources.pool) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        await store.sessions.allow_long_statements(conn)
        snapshot = await store.collection.marks.read_snapshot(conn)
        usages = await store.collection.packs.list_usage(
            conn, tenant_id, resources.limits.sparse_share
        )
        packs: dict[rules.collection.Verdict, list[rules.collection.Usage]] = {}
        for usage in usages:
            packs.setdefault(rules.collection.judge_pack(usage, now, resources.limits), []).append(
                usage
            )
        needed: dict[int, list[SealedChunk]] = {}
        sparse = packs.get("repack", [])[:REPACKED_AT_ONCE]
        if sparse:
            packs["repack"] = sparse
            numbers = [usage.pack_no for usage in sparse]
            for pack_no, chunk in await store.collection.packs.list_chunks(
                conn, tenant_id, numbers, needed=True
            ):
                needed.setdefault(pack_no, []).append(chunk)
        dropped: dict[int, list[tuple[int, bytes, int]]] = {
            usage.pack_no: [] for usage in usages if usage.is_shared
        }
        if dropped:
            for found in await store.collection.packs.list_dropped_chunks(
                conn, tenant_id, list(dropped)
            ):
                dropped[found[0]].append(found)
    mark = store.collection.marks.Mark(tenant_id, number, snapshot)
    return Marked(mark, packs, needed, dropped)


async def condemn(
    resources: Resources, marked: Marked, now: datetime, *, only_dropped: bool = False
) -> Collected:
    """Condemns packs that the mark found dead, but those that a commit has held since.

    only_dropped: only those that a reduction made so.
    """
    done = Collected()
    dead = [one for one in marked.packs.get("condemn", []) if one.dropped_bytes or not only_dropped]
    for packs in sliced(dead, SLICE):
        async with database.transaction(resources.pool) as conn:
            await check_newest(conn, marked.mark)
            numbers = await lock_unheld(conn, marked.mark, [one.pack_no for one in packs], "stored")
            freed = await store.collection.packs.condemn_packs(
                conn, marked.mark.tenant_id, numbers, now
            )
            await volumes.change(conn, marked.mark.tenant_id, -freed, 0)
        done.condemned += len(numbers)
        done.freed_bytes += freed
        crashpoint("retention.after_condemn")
    return done


async def discount(resources: Resources, marked: Marked) -> Collected:
    """Counts of packs that stay what the mark found that not only dropped versions need.

    But of those that a commit has held since: it may need what was dropped.
    """
    done = Collected()
    for numbers in sliced(list(marked.dropped), SLICE):
        async with database.transaction(resources.pool) as conn:
            await check_newest(conn, marked.mark)
            unheld = await lock_unheld(conn, marked.mark, numbers, "stored")
            chunks = [chunk for number in unheld for chunk in marked.dropped[number]]
            freed = await store.collection.packs.discount_packs(
                conn, marked.mark.tenant_id, unheld, chunks
            )
            await volumes.change(conn, marked.mark.tenant_id, -freed, 0)
        done.discounted += len(unheld)
        done.freed_bytes += freed
    return done


async def resurrect(resources: Resources, marked: Marked) -> Collected:
    """Takes back the condemnation of packs that the mark found needed after all."""
    done = Collected()
    for packs in sliced(marked.packs.get("resurrect", []), SLICE):
        async with database.transaction(resources.pool) as conn:
            numbers = await store.collection.packs.lock_packs(
                conn, marked.mark.tenant_id, [one.pack_no for one in packs], "condemned"
            )
            regained = await store.collection.packs.resurrect_packs(
                conn, marked.mark.tenant_id, numbers
            )
            await volumes.change(conn, marked.mark.tenant_id, regained, 0)
        done.resurrected += len(numbers)
        done.freed_bytes -= regained
    return done


async def delete(resources: Resources, marked: Marked, now: datetime) -> Collected:
    """Deletes packs whose grace is over and that the mark found dead still: rows, then objects.

    The transaction proves that nothing needs them: they are condemned and locked, the mark saw
    all that was committed before it, and what was committed since has held none of them.
    """
    done = Collected()
    for packs in sliced(marked.packs.get("delete", []), SLICE):
        async with database.transaction(resources.pool) as conn:
            await check_newest(conn, marked.mark)
            numbers = await lock_unheld(
                conn, marked.mark, [one.pack_no for one in packs], "condemned"
            )
            await store.collection.removals.remove_packs(conn, marked.mark.tenant_id, numbers, now)
        done.deleted += len(numbers)
        crashpoint("retention.after_rows")
        await remove_objects(resources, marked.mark.tenant_id, now)
    return done


async def remove_objects(resources: Resources, tenant_id: UUID, now: datetime) -> int:
    """Deletes the objects that are to go, those too which a crash left; returns how many.

    Until that is written down, no upload of the same pack is acknowledged.
    """
    total = 0
    turns = asyncio.Semaphore(DELETIONS_AT_ONCE)

    async def remove(pack_id: bytes) -> None:
        async with turns:
            await resources.objects.delete(bucket.key_of_pack(tenant_id, pack_id))

    while True:
        async with database.acquire(resources.pool) as conn:
            waiting = await store.collection.removals.list_removals(conn, tenant_id, SLICE)
        if not waiting:
            return total
        await asyncio.gather(*(remove(pack_id) for pack_id in waiting))
        crashpoint("retention.after_objects")
        async with database.transaction(resources.pool) as conn:
            await store.collection.removals.end_removals(conn, tenant_id, waiting, now)
        total += len(waiting)
        logs.get().info("packs.deleted", tenant_id=str(tenant_id), packs=len(waiting))


async def forget(resources: Resources, mark: store.collection.marks.Mark, now: datetime) -> None:
    """Forgets the holds that the mark saw, and removals of long ago."""
    async with database.transaction(resources.pool) as conn:
        await check_newest(conn, mark)
        await store.collection.marks.forget_holds(conn, mark)
        await store.collection.removals.forget_removals(conn, mark.tenant_id, now - REMOVALS_KEPT)


async def check_newest(conn: Connection, mark: store.collection.marks.Mark) -> None:
    """Raises MarkOutdated unless nobody has taken, or can take, a newer mark of the tenant."""
    if not await store.collection.marks.is_newest(conn, mark):
        raise MarkOutdated(f"tenant {mark.tenant_id} was marked again")


async def lock_unheld(
    conn: Connection, mark: store.collection.marks.Mark, pack_nos: Sequence[int], state: str
) -> list[int]:
    """Locks those packs that are in this state and that no commit has held since the mark."""
    locked = await store.collection.packs.lock_packs(conn, mark.tenant_id, pack_nos, state)
    held = await store.collection.marks.find_held(conn, mark, locked)
    return [number for number in locked if number not in held]


def sliced(sequence: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    """Yields a sequence in parts of at most that length."""
    for at in range(0, len(sequence), length):
        yield sequence[at : at + length]
