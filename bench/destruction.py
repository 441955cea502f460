"""Destroying what a client left, against the SDK that deletes as many objects in batches."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import minio
from minio.deleteobjects import DeleteObject

from libs.shared import bucket, clock, database, keys
from libs.shared.certificates import Notary
from libs.shared.objects import ObjectStore
from libs.shared.objects.s3 import Bucket
from services.retention import actions, rules, store
from services.retention.actions.resources import Resources

OBJECTS = 100_000
_THREADS = 16
_BODY = b"x" * 64


def measure(described: dict[str, Any], objects: int, rounds: int) -> dict[str, float]:
    """Objects a second: deleted by the SDK, by a destruction's own step, and with all steps.

    described: an installation's `stack.json`. Medians of rounds, in turn.
    """
    return asyncio.run(_measure(described, objects, rounds))


async def _measure(described: dict[str, Any], objects: int, rounds: int) -> dict[str, float]:
    s3 = described["s3"]
    objects_store = ObjectStore.in_s3(
        s3["endpoint"], s3["access_key"], s3["secret_key"], s3["bucket"]
    )
    pool = await database.create_pool(described["postgres"]["dsn"], "retention")
    keeper = Resources(
        pool,
        objects_store,
        keys.KeyRing(objects_store, bytes(32)),
        rhythm=rules.rhythm.Rhythm(destroy_rate_objects=10**9),
        guards=rules.destruction.Guards(10**6, 1 << 60),
        notary=Notary(bytes(32)),
    )
    alone: list[float] = []
    deleting: list[float] = []
    whole: list[float] = []
    for number in range(rounds):
        ways: list[Callable[[], Awaitable[None]]] = [
            lambda: _by_sdk(s3, objects, alone),
            lambda: _by_retention(keeper, s3, objects, deleting, whole),
        ]
        for way in ways if number % 2 else reversed(ways):
            await way()
    await pool.close()
    await objects_store.close()
    return {
        "objects": objects,
        "sdk_per_second": median(alone),
        "deleted_per_second": median(deleting),
        "destroyed_per_second": median(whole),
        "ratio": median(deleting) / median(alone),
        "ratio_of_all": median(whole) / median(alone),
    }


def _client(s3: dict[str, str]) -> minio.Minio:
    return minio.Minio(
        urlsplit(s3["endpoint"]).netloc,
        s3["access_key"],
        s3["secret_key"],
        secure=False,
        region="us-east-1",
    )


def _fill(s3: dict[str, str], tenant_id: UUID, objects: int) -> None:
    """As many small objects of a client as its packs might be."""
    buckets = [
        Bucket(s3["endpoint"], s3["access_key"], s3["secret_key"], s3["bucket"], threads=1)
        for _ in range(_THREADS)
    ]

    def put(thread: int) -> None:
        for number in range(thread, objects, _THREADS):
            name = f"{number:064x}"
            buckets[thread].put(f"{bucket.packs_of(tenant_id)}{name[-2:]}/{name}", _BODY)

    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(put, range(_THREADS)))


async def _by_sdk(s3: dict[str, str], objects: int, rates: list[float]) -> None:
    tenant_id = uuid4()
    await asyncio.to_thread(_fill, s3, tenant_id, objects)
    rates.append(await asyncio.to_thread(_delete, s3, tenant_id, objects))


def _delete(s3: dict[str, str], tenant_id: UUID, objects: int) -> float:
    client, began = _client(s3), time.perf_counter()
    listed = client.list_objects(s3["bucket"], bucket.folder_of(tenant_id), recursive=True)
    errors = client.remove_objects(
        s3["bucket"], (DeleteObject(str(one.object_name)) for one in listed)
    )
    assert not list(errors)
    return objects / (time.perf_counter() - began)


async def _by_retention(
    keeper: Resources,
    s3: dict[str, str],
    objects: int,
    deleting: list[float],
    whole: list[float],
) -> None:
    """From the inventory to the first look that finds nothing; the portal's answer is given."""
    tenant_id, now = uuid4(), clock.now()
    await asyncio.to_thread(_fill, s3, tenant_id, objects)
    ended_at = now - timedelta(days=31)
    async with database.transaction(keeper.pool) as conn:
        await store.destruction.days.schedule_destruction(
            conn, tenant_id, 1, ended_at, ended_at + timedelta(days=30), "left"
        )
    began = time.perf_counter()
    while (step := await _advance(keeper, tenant_id)) != "looking":
        if step == "asking":
            async with database.transaction(keeper.pool) as conn:
                work = await store.destruction.inventories.find(conn, tenant_id)
                assert work is not None
                assert work.objects == objects
                named = work.destruction_id, "Dupré", "fr", "", now
                await store.destruction.inventories.permit(conn, tenant_id, *named)
        if step in {"asking", "ledger", "keys"}:
            began_deleting = time.perf_counter()
    ended = time.perf_counter()
    deleting.append(objects / (ended - began_deleting))
    whole.append(objects / (ended - began))


async def _advance(keeper: Resources, tenant_id: UUID) -> str | None:
    async with database.transaction(keeper.pool) as conn:
        due = await store.destruction.days.lock(conn, tenant_id)
    assert due is not None
    await actions.destruction.advancing.advance(keeper, due, clock.now())
    async with database.acquire(keeper.pool) as conn:
        work = await store.destruction.inventories.find(conn, tenant_id)
    return work.step if work else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", help="stack.json of a running installation")
    parser.add_argument("--objects", type=int, default=OBJECTS)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    with open(told.stack) as file:
        print(json.dumps(measure(json.load(file), told.objects, told.rounds)))
    sys.exit(0)
