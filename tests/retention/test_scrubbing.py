"""Damage is found before a file is needed: which bytes, which files, and what follows."""

from __future__ import annotations

import random
from datetime import timedelta

from libs.shared import clock, database
from libs.shared.events import StorageDamaged, StorageDoubted
from services.retention import actions, rules, store
from services.retention.actions import scrubbing
from services.retention.consumers import HANDLERS
from tests.retention.house import Client, House

FLIPS = 100
SOON = clock.now() + timedelta(days=1)


async def due_packs(client: Client) -> list[store.scrubbing.DuePack]:
    async with client.house.keeper.pool.acquire() as conn:
        return await store.scrubbing.list_due_packs(conn, client.tenant_id, SOON, 100)


async def test_a_hundred_of_a_hundred_planted_flips_are_found(house: House, client: Client) -> None:
    """Wherever a bit lies: in the frame, a seal, a chunk, the index or the trailer."""
    plan = await client.plan()
    chance = random.Random(20261123)
    for number in range(4):
        contents = [chance.randbytes(chance.randrange(1, 2_000)) for _ in range(number + 1)]
        files = {b"f%d-%d" % (number, place): [one] for place, one in enumerate(contents)}
        await client.copy(plan, files)
    packs = await due_packs(client)
    assert len(packs) == 4
    found = 0
    for flip in range(FLIPS):
        pack = packs[flip % len(packs)]
        key = client.key(pack.pack_id)
        async with house.keeper.pool.acquire() as conn:
            rows = await store.collection.packs.list_chunks(conn, client.tenant_id, [pack.pack_no])
        chunks = [chunk for _, chunk in rows]
        whole = await house.objects.get(key)
        body = bytearray(whole)
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        await house.objects.put(key, body)
        finding = await scrubbing.check_pack(house.keeper, client.keys, pack, chunks)
        found += finding is not None and finding.kind == "damaged"
        await house.objects.put(key, whole)
    assert found == FLIPS
    done = await actions.scrubbing.scrub_tenant(house.keeper, client.tenant_id, SOON, SOON)
    assert (done.packs, done.damaged) == (4, 0)
    assert await due_packs(client) == [], "all were verified just now"


async def test_a_pack_that_somebody_could_not_read_is_read_again_first(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    for number in range(3):
        await client.copy(plan, {b"f%d" % number: [b"content %d" % number]})
    now = clock.now()
    before = now - timedelta(days=20)
    doubted = (await due_packs(client))[1]
    done = await actions.scrubbing.scrub_tenant(house.keeper, client.tenant_id, before, now)
    assert done.packs == 0, "all are fresh"
    told = StorageDoubted(tenant_id=client.tenant_id, pack_id=doubted.pack_id.hex())
    async with database.transaction(house.keeper.pool) as conn:
        for _ in range(3):
            await HANDLERS[StorageDoubted](conn, told)
    await house.objects.delete(client.key(doubted.pack_id))
    done = await actions.scrubbing.scrub_tenant(house.keeper, client.tenant_id, before, now)
    assert (done.packs, done.damaged) == (1, 1)


async def test_damage_names_the_files_of_a_frame_and_the_next_run_mends_it(
    house: House, client: Client
) -> None:
    docs, mails = await client.plan("docs"), await client.plan("mails")
    large = random.Random(3).randbytes(140_000)  # in a frame of its own, the first
    await client.copy(
        docs,
        {"Été.txt".encode(): [b"summer" * 30], b"large": [large], b"other": [b"other"]},
    )
    await client.copy(mails, {b"summer again": [b"summer" * 30]})
    [pack] = await due_packs(client)
    key = client.key(pack.pack_id)
    body = bytearray(await house.objects.get(key))
    body[8 + len(large) + 28 + 20] ^= 4
    await house.objects.put(key, body)
    before = await client.stored_bytes()

    done = await actions.scrubbing.scrub_tenant(house.keeper, client.tenant_id, SOON, SOON)
    assert done.damaged == 1
    said = [StorageDamaged.model_validate(one) for one in await client.said("storage.damaged.v1")]
    broken = {one.plan_id: (one.files, one.paths) for one in said}
    assert broken == {docs: (2, ("other", "Été.txt")), mails: (1, ("summer again",))}
    assert {one.chunks for one in said} == {2}
    assert (await client.packs())[pack.pack_id] == "damaged"
    assert await client.stored_bytes() == before, "damaged packs count"
    await actions.scrubbing.scrub_tenant(house.keeper, client.tenant_id, SOON, SOON)
    assert len(await client.said("storage.damaged.v1")) == len(said), "said once"
    await actions.scrubbing.tell_mended(house.keeper)
    assert await client.said("storage.mended.v1") == []

    run = await client.start(docs)
    everything = [b"summer" * 30, large, b"other"]
    assert await client.missing(run, everything) == everything, "the whole pack is asked for"
    await client.upload(run, *everything)
    await client.read(everything)
    assert (await client.packs())[pack.pack_id] == "live"
    assert await client.stored_bytes() == before
    for _ in "12":
        await actions.scrubbing.tell_mended(house.keeper)
    [over] = await client.said("storage.mended.v1")
    assert over["pack_id"] == pack.pack_id.hex()


async def test_damage_that_another_pack_mends_goes_with_the_next_collections(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"a": [b"content a"], b"b": [b"content b"]})
    [pack] = await due_packs(client)
    await house.objects.delete(client.key(pack.pack_id))
    await actions.scrubbing.scrub_tenant(house.keeper, client.tenant_id, SOON, SOON)
    [said] = await client.said("storage.damaged.v1")
    assert (said["missing"], said["files"], said["paths"]) == (True, 2, ["a", "b"])
    run = await client.start(plan)
    await client.upload(run, b"content b", b"content a", b"content c")
    await client.read([b"content a", b"content b"])
    for days in (1, 3):
        when = SOON + timedelta(days=days)
        await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, when)
    assert pack.pack_id not in await client.packs()
    await actions.scrubbing.tell_mended(house.keeper)
    [mended] = await client.said("storage.mended.v1")
    assert mended["pack_id"] == pack.pack_id.hex()
    await client.read([b"content a", b"content b"])


async def test_a_store_that_is_away_is_no_damage(house: House, client: Client) -> None:
    import pytest

    from libs.shared.errors import Unavailable
    from libs.shared.objects import ObjectStore

    plan = await client.plan()
    await client.copy(plan, {b"a": [b"content a"]})
    away = actions.resources.Resources(
        house.keeper.pool,
        ObjectStore.in_s3("http://127.0.0.1:9", "key", "secret-key", house.place.bucket),
        house.keeper.keys,
        rules.collection.Limits(),
    )
    with pytest.raises(Unavailable):
        await actions.scrubbing.scrub_tenant(away, client.tenant_id, SOON, SOON)
    await away.objects.close()
    assert set((await client.packs()).values()) == {"live"}
    assert len(await due_packs(client)) == 1, "it is still to be read"
