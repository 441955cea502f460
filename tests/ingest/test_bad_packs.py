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

_RECORD = struct.Struct(">32sIIB")
_TRAILER = struct.Struct(">II4s")


def named(body: bytes) -> packs.Pack:
    return packs.Pack(hashlib.sha256(body).hexdigest(), body)


def build(*records: tuple[bytes, bytes, int, int]) -> packs.Pack:
    """A pack of (chunk id, payload, size, encoding), whatever they say."""
    index = b"".join(_RECORD.pack(i, len(p), size, enc) for i, p, size, enc in records)
    payloads = b"".join(record[1] for record in records)
    trailer = _TRAILER.pack(len(records), len(index), b"CFP1")
    return named(b"CFPACK1\n" + payloads + index + trailer)


def damaged(agent: Agent) -> dict[str, tuple[packs.Pack, str]]:
    """Each kind of damage, and the code of its refusal."""
    good = agent.pack(b"a" * 1000, random.Random(1).randbytes(1000))
    body = bytes(good.body)
    content = b"x" * 100
    bomb = zstandard.compress(bytes(500_000_000), 19)
    quiet_bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(3_000_000))
    own = agent.id_of(content)
    index_at = len(body) - 12 - 2 * 41
    outside = bytearray(body)
    outside[index_at + 32 : index_at + 36] = struct.pack(">I", 2**31)
    return {
        "cut short": (named(body[:-20]), "pack-malformed"),
        "empty": (named(b""), "pack-malformed"),
        "noise": (named(random.Random(2).randbytes(5000)), "pack-malformed"),
        "another name": (packs.Pack("0" * 64, body), "pack-hash-mismatch"),
        "one bit": (packs.Pack(good.id, body[:50] + b"!" + body[51:]), "pack-hash-mismatch"),
        "index points outside": (named(bytes(outside)), "pack-malformed"),
        "more chunks than index": (
            named(body[:-12] + _TRAILER.pack(3, 82, b"CFP1")),
            "pack-malformed",
        ),
        "index longer than pack": (
            named(body[:-12] + _TRAILER.pack(65_000, 65_000 * 41, b"CFP1")),
            "pack-malformed",
        ),
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
    name = pack.id if dice.random() < 0.3 else hashlib.sha256(body).hexdigest()
    return packs.Pack(name, bytes(body))


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
    assert problem_of(await agent.upload(run, named(body))) == (413, "body-too-large")

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

    async def slowly() -> AsyncIterator[bytes]:
        for at in range(0, len(pack.body), 10_000):
            yield pack.body[at : at + 10_000]
            await asyncio.sleep(0.6)

    url = f"/v1/runs/{run}/packs/{pack.id}"
    slow = [asyncio.create_task(agent.client.put(url, content=slowly())) for _ in range(3)]
    await asyncio.sleep(0.5)
    quick = await agent.upload(run, agent.pack(b"quick"))
    assert quick.status_code == 201
    assert not any(task.done() for task in slow)
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
