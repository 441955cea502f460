"""Parts of runs' deltas in the bucket that no rebuild can need: those of runs that failed.

docs/decisions/0019 tells why the catalogue and the heads in the bucket decide that, and no event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec

from libs.shared import bucket, database, logs
from libs.shared.bucket import End, Head, RunObject, RunObjects, Unreadable
from libs.shared.keys import KeysDestroyed, KeysUnreadable
from libs.shared.objects import ObjectMissing, StoredObject
from services.retention import rules, store
from services.retention.actions.collection.packs import DELETIONS_AT_ONCE, sliced
from services.retention.actions.resources import Resources

S = TypeVar("S", bound=msgspec.Struct)


class Leftover(NamedTuple):
    """Parts of one closed run that no rebuild can need."""

    plan_id: UUID
    number: int
    parts: list[StoredObject]


class PlanObjects(NamedTuple):
    """What the bucket has of a plan's runs, and the parts of their deltas by runs' numbers."""

    runs: RunObjects
    parts: dict[int, list[StoredObject]]


async def list_leftovers(
    resources: Resources, tenant_id: UUID, now: datetime, store_now: datetime
) -> AsyncIterator[Leftover]:
    """Yields the parts that no rebuild of a tenant can need, once their grace is over.

    now, store_now: as for `sweep_parts`.
    """
    async with database.acquire(resources.pool) as conn:
        closed = await store.parts.list_closed(conn, tenant_id, now - resources.limits.grace)
    for plan in closed:
        found = await list_objects(resources, tenant_id, plan.plan_id)
        for number in sorted(found.parts):
            if number < plan.closed_before:
                parts = await _find_unneeded(resources, tenant_id, found, number, store_now)
                if parts:
                    yield Leftover(plan.plan_id, number, parts)


async def sweep_parts(
    resources: Resources,
    tenant_id: UUID,
    now: datetime,
    store_now: datetime,
    *,
    again: bool = False,
) -> int:
    """Deletes parts that no rebuild of a tenant can need; returns how many.

    now, store_now: the installation's time, checked by `check_time`, and the store's own, by
    which the age of objects is told. again: looks once more at runs that were swept before.
    """
    async with database.acquire(resources.pool) as conn:
        closed = await store.parts.list_closed(conn, tenant_id, now - resources.limits.grace)
    swept = 0
    for plan in closed:
        first = 0 if again else plan.swept_before
        if first >= plan.closed_before:
            continue
        found = await list_objects(resources, tenant_id, plan.plan_id)
        done_before = plan.closed_before
        for number in sorted(found.parts):
            if not first <= number < plan.closed_before:
                continue
            parts = await _find_unneeded(resources, tenant_id, found, number, store_now)
            await _delete(resources, parts)
            swept += len(parts)
            if any(_is_young(resources, part, store_now) for part in found.parts[number]):
                done_before = min(done_before, number)
        async with database.transaction(resources.pool) as conn:
            await store.parts.put_swept(conn, tenant_id, plan.plan_id, done_before)
    if swept:
        logs.get().info("parts.swept", tenant_id=str(tenant_id), parts=swept)
    return swept


async def list_objects(resources: Resources, tenant_id: UUID, plan_id: UUID) -> PlanObjects:
    """Returns what the bucket has of a plan's runs."""
    found = PlanObjects(RunObjects(plan_id), {})
    async for listed in resources.objects.list_dated(bucket.runs_of(tenant_id, plan_id)):
        named = bucket.parse_key(listed.key)
        if not isinstance(named, RunObject):
            continue
        found.runs.add(listed.key, named)
        if named.kind == "part":
            found.parts.setdefault(named.number, []).append(listed)
    return found


async def _find_unneeded(
    resources: Resources, tenant_id: UUID, found: PlanObjects, number: int, store_now: datetime
) -> list[StoredObject]:
    old = {
        part.key: part for part in found.parts[number] if not _is_young(resources, part, store_now)
    }
    if not old:
        return []
    tries = found.runs.heads.get(number, [])
    is_known = number in found.runs.ends or number in found.runs.lists
    if is_known and not tries:
        return []  # its head is lost, and may come back from a copy of the bucket
    heads = await read_all(resources, tenant_id, tries, Head)
    unneeded = rules.parts.find_unneeded(old, heads)
    if len(unneeded) < len(old) and await _is_given_up(resources, tenant_id, found, number):
        unneeded = set(old)
    return [old[key] for key in sorted(unneeded)]


async def _is_given_up(
    resources: Resources, tenant_id: UUID, found: PlanObjects, number: int
) -> bool:
    if number not in found.runs.ends or number in found.runs.lists:
        return False
    [end] = await read_all(resources, tenant_id, [found.runs.ends[number]], End)
    if end is None or end.state != "failed":
        return False  # without a look at the heads of all runs since
    later = [key for n, keys in found.runs.heads.items() if n > number for key in keys]
    heads = await read_all(resources, tenant_id, later, Head)
    return rules.parts.is_given_up(number, end, heads)


def _is_young(resources: Resources, part: StoredObject, store_now: datetime) -> bool:
    return part.modified_at + resources.limits.grace > store_now


async def read_all(
    resources: Resources, tenant_id: UUID, names: Sequence[str], kind: type[S]
) -> list[S | None]:
    """What is sealed in objects of runs; None for what can't be read."""
    read: list[S | None] = []
    for some in sliced(names, DELETIONS_AT_ONCE):
        read += await asyncio.gather(*(_read(resources, tenant_id, key, kind) for key in some))
    return read


async def _read(resources: Resources, tenant_id: UUID, key: str, kind: type[S]) -> S | None:
    try:
        keys = await resources.keys.get(tenant_id)
        sealed = await resources.objects.get(key)
        return bucket.open_as(sealed, keys, key, kind)
    except (KeysDestroyed, KeysUnreadable, ObjectMissing, Unreadable) as trouble:
        logs.get().warning("run_object.unreadable", key=key, why=str(trouble))
        return None


async def _delete(resources: Resources, parts: list[StoredObject]) -> None:
    for some in sliced(parts, DELETIONS_AT_ONCE):
        await asyncio.gather(*(resources.objects.delete(part.key) for part in some))
