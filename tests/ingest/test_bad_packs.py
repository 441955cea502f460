"""What is sent as a pack and is none: refused by name, and nothing of it is kept."""

from __future__ import annotations

import asyncio
import hashlib
import random
import struct
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import zstandard

from libs.shared import bucket, packs
from tests.hostile.counting import Campaign
from tests.world.agents import Agent, problem_of
from tests.world.house import House

_TRAILER = struct.Struct(">II4s")


def named(body: bytes | bytearray, index_at: int | None = None) -> packs.Pack:
    """A pack under the name of its index, wherever that is said to be."""
    if index_at is None:
        try:
            index_at = packs.wire.find_index(memoryview(body))[1]
        except packs.PackMalformed:
            index_at = 0
    return packs.Pack(hashlib.sha256(body[index_at:]).hexdigest(), memoryview(body))


def build(*records: tuple[bytes, bytes, int, int]) -> packs.Pack:
    """A pack of (chunk id, payload, size, encoding), whatever they say."""
    return build_frames(*((payload, enc, [(i, size)]) for i, payload, size, enc in records))


def build_frames(*frames: tuple[bytes, int, list[tuple[bytes, int]]]) -> packs.Pack:
    """A pack of (payload, encoding, (id, size) of the chunks), whatever they say."""
    index = b"".join(struct.pack(">IIB", len(p), len(chunks), enc) for p, enc, chunks in frames)
    each = [chunk for _, _, chunks in frames for chunk in chunks]
    index += b"".join(struct.pack(">32sI", *chunk) for chunk in each)
    payloads = b"".join(frame[0] for frame in frames)
    trailer = _TRAILER.pack(len(frames), len(each), b"CFP2")
    return named(b"CFPACK2\n" + payloads + index + trailer)


def damaged(agent: Agent) -> dict[str, tuple[packs.Pack, str]]:
    """Each kind of damage, and the code of its refusal."""
    good = agent.pack(b"a" * 100, random.Random(1).randbytes(4000))
    body = bytes(good.body)
    content = b"x" * 100
    bomb = zstandard.compress(bytes(500_000_000), 19)
    quiet_bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(3_000_000))
    own = agent.id_of(content)
    x, y = (agent.id_of(b"x" * 100), 100), (agent.id_of(b"y" * 100), 100)
    both = b"x" * 100 + b"y" * 100
    index_at = len(body) - 12 - 2 * 36 - 9
    outside = bytearray(body)
    outside[index_at : index_at + 4] = struct.pack(">I", 2**31)
    return {
        "cut short": (named(body[:-20]), "pack-malformed"),
        "empty": (named(b""), "pack-malformed"),
        "noise": (named(random.Random(2).randbytes(5000)), "pack-malformed"),
        "another name": (packs.Pack("0" * 64, memoryview(body)), "pack-hash-mismatch"),
        "one bit of its index": (
            packs.Pack(good.id, memoryview(body[:-20] + b"!" + body[-19:])),
            "pack-hash-mismatch",
        ),
        "one bit of a chunk": (
            packs.Pack(good.id, memoryview(body[:500] + b"!" + body[501:])),
            "chunk-hash-mismatch",
        ),
        "the form of release 0.2": (named(b"CFPACK1\n" + body[8:]), "pack-malformed"),
        "index points outside": (named(outside), "pack-malformed"),
        "more chunks than index": (
            named(body[:-12] + _TRAILER.pack(1, 3, b"CFP2")),
            "pack-malformed",
        ),
        "more frames than chunks": (
            named(body[:-12] + _TRAILER.pack(3, 2, b"CFP2")),
            "pack-malformed",
        ),
        "index longer than pack": (
            named(body[:-12] + _TRAILER.pack(1, 65_000, b"CFP2")),
            "pack-malformed",
        ),
        "group bomb": (build_frames((bomb, 1, [x, y])), "chunk-bomb"),
        "group too short": (
            build_frames((zstandard.compress(both[:-1]), 1, [x, y])),
            "chunk-size-mismatch",
        ),
        "group of which the border lies elsewhere": (
            build_frames((both, 0, [(x[0], 99), (y[0], 101)])),
            "chunk-hash-mismatch",
        ),
        "group in another order": (build_frames((both, 0, [y, x])), "chunk-hash-mismatch"),
        "group above its bound": (
            build_frames((bomb, 1, [x, (y[0], packs.MAX_GROUP_BYTES)])),
            "pack-malformed",
        ),
        "chunk twice in a group": (build_frames((b"x" * 200, 0, [x, x])), "pack-malformed"),
        "chunk in two groups": (
            build_frames((both, 0, [x, y]), (b"x" * 100, 0, [x])),
            "pack-malformed",
        ),
        "group of none": (build_frames((both, 0, [x, y]), (b"z", 0, [])), "pack-malformed"),
        "wrong chunk id": (build((b"\7" * 32, content, 100, 0)), "chunk-hash-mismatch"),
        "another tenant's chunk id": (
            build((packs.chunk_id(content, b"k" * 32), content, 100, 0)),
            "chunk-hash-mismatch",
        ),
        "bomb": (build((own, bomb, 100, 1)), "chunk-bomb"),
        "quiet bomb": (build((own, quiet_bomb, 100, 1)), "chunk-undecodable"),
        "too short": (build((own, zstandard.compress(b"x" * 99), 100, 1)), "chunk-size-mismatch"),
        "not zstd": (build((own, content, 100, 1)), "chunk-undecodable"),
        "unknown encoding": (build((own, content, 100, 9)), "pack-malformed"),
        "huge chunk": (build((own, content, 2**32 - 1, 1)), "pack-malformed"),
        "same chunk twice": (
            build((own, content, 100, 0), (own, content, 100, 0)),
            "pack-malformed",
        ),
    }


async def test_damaged_packs_are_refused_by_name(agent: Agent, ingest: House) -> None:
    run = await agent.start(await agent.declare())
    for kind, (pack, code) in damaged(agent).items():
        assert problem_of(await agent.upload(run, pack)) == (422, code), kind
    rows = await ingest.fetch(
        "SELECT count(*) AS n FROM catalogue.packs WHERE tenant_id = $1", agent.tenant.tenant_id
    )
    assert rows[0]["n"] == 0
    prefix = bucket.packs_of(agent.tenant.tenant_id)
    assert [key async for key, _ in ingest.objects.list(prefix)] == []
    assert (await agent.upload(run, agent.pack(b"still open"))).status_code == 201


def mutate(pack: packs.Pack, dice: random.Random) -> packs.Pack:
    """A pack with a bit turned, cut short or grown, under its old name or the one that fits."""
    body = bytearray(pack.body)
    place = dice.randrange(len(body))
    match dice.randrange(4):
        case 0:
            del body[place:]
        case 1:
            body[place:place] = dice.randbytes(dice.randrange(1, 50))
        case 2:
            body[-53:] = dice.randbytes(53)  # the trailer, and a record of the index
        case _:
            body[place] ^= 1 << dice.randrange(8)
    return packs.Pack(pack.id, memoryview(body)) if dice.random() < 0.3 else named(body)


async def test_no_mutation_of_a_pack_is_acknowledged(
    agent: Agent, ingest: House, campaign: Campaign
) -> None:
    run = await agent.start(await agent.declare())
    dice = random.Random(20)
    pack = agent.pack(*(dice.randbytes(dice.randrange(1, 3000)) for _ in range(20)))
    mutations = [mutate(pack, dice) for _ in range(1_000)]
    campaign.tried("mutations of packs", len(mutations))
    for at in range(0, len(mutations), 20):
        some = mutations[at : at + 20]
        answers = await asyncio.gather(*(agent.upload(run, one) for one in some))
        assert [answer.status_code for answer in answers] == [422] * 20
    tenant_id = agent.tenant.tenant_id
    assert [key async for key, _ in ingest.objects.list(bucket.packs_of(tenant_id))] == []


async def test_over_large_bodies_are_not_read(agent: Agent) -> None:
    run = await agent.start(await agent.declare())
    body = bytes(packs.MAX_PACK_BYTES + 1)
    assert problem_of(await agent.upload(run, named(body, 0))) == (413, "body-too-large")

    async def endless() -> object:
        for _ in range(600):
            yield bytes(100_000)

    answer = await agent.client.put(f"/v1/runs/{run}/packs/{'0' * 64}", content=endless())
    assert problem_of(answer) == (413, "body-too-large")
    for route in ("missing", "entries?batch=0", "commit", "abort"):
        answer = await agent.client.post(f"/v1/runs/{run}/{route}", content=bytes(9_000_000))
        assert problem_of(answer) == (413, "body-too-large"), route
    for method, route in (("POST", "/v1/enrolments"), ("PUT", "/v1/plans/x"), ("POST", "/v1/runs")):
        answer = await agent.client.request(method, route, content=bytes(1_100_000))
        assert problem_of(answer) == (413, "body-too-large"), route


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
async def test_a_cut_upload_leaves_nothing_and_goes_on(
    agent: Agent, ingest: House, share: float
) -> None:
    run = await agent.start(await agent.declare())
    pack = agent.pack(random.Random(3).randbytes(400_000))
    address = urlsplit(ingest.url("ingest"))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = (
        f"PUT /v1/runs/{run}/packs/{pack.id} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {agent.token}\r\nContent-Length: {len(pack.body)}\r\n\r\n"
    )
    writer.write(head.encode() + pack.body[: int(len(pack.body) * share)])
    await writer.drain()
    writer.transport.abort()
    del reader
    await asyncio.sleep(0.2)
    assert [
        key async for key, _ in ingest.objects.list(bucket.packs_of(agent.tenant.tenant_id))
    ] == []
    assert (await agent.upload(run, pack)).status_code == 201


async def test_a_slow_sender_is_served_and_holds_nobody_up(agent: Agent, ingest: House) -> None:
    run = await agent.start(await agent.declare())
    pack = agent.pack(random.Random(10).randbytes(200_000))

    is_served = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        for at in range(0, 50_000, 10_000):  # for longer than memory is held for it
            yield pack.body[at : at + 10_000]
            await asyncio.sleep(0.35)
        await is_served.wait()
        yield pack.body[50_000:]

    url = f"/v1/runs/{run}/packs/{pack.id}"
    slow = [asyncio.create_task(agent.client.put(url, content=slowly())) for _ in range(3)]
    await asyncio.sleep(0.5)
    quick = await agent.upload(run, agent.pack(b"quick"))
    assert quick.status_code == 201
    assert not any(task.done() for task in slow)
    is_served.set()
    statuses = sorted([(await task).status_code for task in slow])
    assert statuses == [200, 200, 201]


async def test_the_same_pack_at_once_is_one_copy(agent: Agent, ingest: House) -> None:
    colleague = await agent.tenant.enrol()
    run = await agent.start(await agent.declare())
    other_run = await colleague.start(await colleague.declare())
    dice = random.Random(4)
    for _ in range(5):
        pack = agent.pack(*(dice.randbytes(5_000) for _ in range(50)))
        answers = await asyncio.gather(
            *(
                machine.upload(its, pack)
                for _ in range(3)
                for machine, its in ((agent, run), (colleague, other_run))
            )
        )
        assert sorted(a.status_code for a in answers) == [200] * 5 + [201]
        added = {a.status_code: a.json()["stored_bytes"] for a in answers}
        assert (added[200], added[201] > len(pack.body)) == (0, True)
        assert (await agent.upload(run, pack)).status_code == 200
    await _check_volume(ingest, agent, 5)
    await colleague.client.aclose()


async def test_packs_with_chunks_in_common_do_not_block_each_other(
    agent: Agent, ingest: House
) -> None:
    run = await agent.start(await agent.declare())
    dice = random.Random(5)
    common = [dice.randbytes(500) for _ in range(400)]
    many = []
    for _ in range(8):
        dice.shuffle(common)
        many.append(agent.pack(*common, dice.randbytes(10)))
    answers = await asyncio.gather(*(agent.upload(run, pack) for pack in many))
    assert [answer.status_code for answer in answers] == [201] * 8
    await _check_volume(ingest, agent, 8)


async def _check_volume(ingest: House, agent: Agent, count: int) -> None:
    """Volume, rows and bucket agree, and the last event says the same."""
    tenant_id = agent.tenant.tenant_id
    rows = await ingest.fetch(
        "SELECT count(*) AS n, sum(object_bytes)::bigint AS bytes,"
        " (SELECT stored_bytes FROM catalogue.volumes WHERE tenant_id = $1) AS volume"
        " FROM catalogue.packs WHERE tenant_id = $1",
        tenant_id,
    )
    assert rows[0]["n"] == count
    listed = [size async for _, size in ingest.objects.list(bucket.packs_of(tenant_id))]
    assert len(listed) == count
    assert rows[0]["volume"] == rows[0]["bytes"] == sum(listed)
    events = await ingest.events(tenant_id, "volume.changed.v1")
    assert [event["sequence"] for event in events] == list(range(1, count + 1))
    assert events[-1]["stored_bytes"] == sum(listed)
