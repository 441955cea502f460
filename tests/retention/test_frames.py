"""Frames of several chunks: what is given back of them, and what was stored before them."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Sequence
from datetime import timedelta

import pytest
from blake3 import blake3

from libs.shared import clock, database
from libs.shared.catalogue import volumes
from libs.shared.sealing import SealedChunk
from services.ingest import store as ingest_store
from services.ingest.actions.rebuild import fetching
from services.retention import actions
from tests.retention.garbage import NOW, expire
from tests.retention.house import Client, House

DICE = random.Random(67)
MANY = [DICE.randbytes(20_000) for _ in range(26)]  # two frames of thirteen


async def frames_of(client: Client) -> dict[tuple[int, int], int]:
    """(pack, offset) of each frame that rows name, and how many chunks they name in it."""
    rows = await client.house.fetch(
        'SELECT pack_no, "offset", count(*) FROM catalogue.chunks WHERE tenant_id = $1'
        " GROUP BY 1, 2",
        client.tenant_id,
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def test_what_is_left_of_a_frame_moves_without_what_died_in_it(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"%02d" % n: [one] for n, one in enumerate(MANY)})
    assert sorted((await frames_of(client)).values()) == [13, 13]
    [[old_no]] = await house.fetch(
        "SELECT pack_no FROM catalogue.packs WHERE tenant_id = $1", client.tenant_id
    )
    left = [*range(6), 20]
    await client.copy(plan, {}, removed=[b"%02d" % n for n in range(26) if n not in left])
    await expire(client, plan)
    done = await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, NOW)
    assert (done.repacked, done.failed) == (1, [])
    await client.read([MANY[n] for n in left])
    # One frame for what was needed of two; what died stays where it was, until the pack goes.
    moved = {at: count for at, count in (await frames_of(client)).items() if at[0] != old_no}
    assert list(moved.values()) == [7]
    assert await client.stored_bytes() < 7 * 20_000 + 1_000


async def test_a_frame_that_is_needed_whole_moves_as_it_is(house: House, client: Client) -> None:
    plan = await client.plan()
    text = [b"%d green bottles " % n * 900 for n in range(26)]
    dead = [DICE.randbytes(140_000)]
    await client.copy(plan, {b"t%02d" % n: [one] for n, one in enumerate(text)} | {b"dead": dead})
    before = await frames_of(client)
    await client.copy(plan, {}, removed=[b"dead"])
    await expire(client, plan)
    await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, NOW)
    await client.read(text)
    moved = [count for at, count in (await frames_of(client)).items() if at not in before]
    assert sorted(moved) == sorted(count for count in before.values() if count > 1)


async def store_alone(client: Client, contents: Sequence[bytes]) -> bytes:
    """A pack as release 0.2 stored it, with its rows: each chunk sealed by its own name."""
    keys, tenant_id, pack_id = client.keys, client.tenant_id, os.urandom(32)

    def sealed(aad: bytes, plain: bytes) -> bytes:
        nonce = blake3(aad + plain).digest(12)
        return nonce + keys.cipher.encrypt(nonce, plain, aad)

    body, index = b"CFSEAL1\n", b""
    places = []
    for content in contents:
        chunk_id, size = client.id_of(content), len(content)
        aad = b"coffre/chunk/v1" + tenant_id.bytes + chunk_id + struct.pack(">IB", size, 0)
        blob = sealed(aad, content)
        places.append(SealedChunk(chunk_id, len(body), len(blob), size, 0, 0))
        index += struct.pack(">32sIIBI", chunk_id, len(blob), size, 0, 0)
        body += blob
    index = sealed(b"coffre/index/v1" + tenant_id.bytes + pack_id, index)
    body += index + struct.pack(">II4s", len(contents), len(index), b"CFS1")
    await client.house.objects.put(client.key(pack_id), body)
    async with database.transaction(client.house.ingest.pool) as conn:
        put = await ingest_store.intake.packs.put(
            conn, tenant_id, pack_id, len(body), len(contents), clock.now()
        )
        await ingest_store.intake.packs.add_chunks(conn, tenant_id, put.pack_no, places)
        await volumes.change(conn, tenant_id, len(body), 0)
    return pack_id


async def test_a_pack_of_the_release_before_is_read_and_finds_the_new_form(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [b"kept"]})
    contents = [DICE.randbytes(3_000) for _ in range(4)]
    old = await store_alone(client, contents)
    run = await client.start(plan)
    assert await client.missing(run, contents) == []
    await client.batch(run, {b"%d" % n: [one] for n, one in enumerate(contents)})
    await client.commit(run)
    await client.read(contents)
    later = clock.now()
    scrubbed = await actions.scrubbing.scrub_tenant(house.keeper, client.tenant_id, later, later)
    assert (scrubbed.packs, scrubbed.damaged) == (2, 0)
    for verify in (True, False):
        found = fetching.read_packs(house.ingest, client.tenant_id, client.keys, verify=verify)
        packs = {one.pack_id: one async for one in found if isinstance(one, fetching.StoredPack)}
        assert not packs[old].is_damaged
        assert [chunk.chunk_id for chunk in packs[old].chunks] == list(map(client.id_of, contents))
    await client.copy(plan, {}, removed=[b"1", b"2", b"3"])
    await expire(client, plan)
    done = await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, NOW)
    assert (done.repacked, done.failed) == (1, [])
    await client.read([b"kept", contents[0]])
    [[frame_size]] = await house.fetch(
        "SELECT frame_size FROM catalogue.chunks WHERE tenant_id = $1 AND chunk_id = $2",
        client.tenant_id,
        client.id_of(contents[0]),
    )
    assert frame_size == 3_000


async def test_a_chunk_that_weighs_less_than_a_byte_keeps_its_pack(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"empty line": [b"\n"], b"log": [b"all is well\n" * 9_000]})
    await client.copy(plan, {}, removed=[b"log"])
    await expire(client, plan)
    for days in (0, 8, 16):
        await actions.collection.tenant.collect_tenant(
            house.keeper, client.tenant_id, NOW + timedelta(days=days)
        )
    await client.read([b"\n"])


@pytest.mark.parametrize("column", ["frame_size", "start", "encoding"])
async def test_a_row_that_says_another_place_than_the_pack_is_damage(
    house: House, client: Client, column: str
) -> None:
    plan = await client.plan()
    contents = [b"first", b"second"]
    await client.copy(plan, {b"%d" % n: [one] for n, one in enumerate(contents)})
    await house.fetch(
        f"UPDATE catalogue.chunks SET {column} = {column} + 1"
        " WHERE tenant_id = $1 AND chunk_id = $2",
        client.tenant_id,
        client.id_of(b"second"),
    )
    later = clock.now()
    scrubbed = await actions.scrubbing.scrub_tenant(house.keeper, client.tenant_id, later, later)
    assert scrubbed.damaged == 1
    # It is asked for and sent again.
    run = await client.start(plan)
    assert set(await client.missing(run, contents)) == set(contents)
    await client.upload(run, *contents)
    await client.read(contents)
