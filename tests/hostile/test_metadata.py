"""What costs next to nothing to send, and made rows and megabytes of names and ids of us."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import zstandard

from libs.shared import entries, packs
from libs.shared.entries import Entry, FolderDelta
from tests.hostile.counting import Campaign
from tests.world.agents import Agent, problem_of, taken
from tests.world.house import House, open_house
from tests.world.tenants import Tenant

pytestmark = pytest.mark.xdist_group("metadata")


@pytest.fixture(scope="module")
def house(
    servers: Any, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """An ingest of these tests' own."""
    folder = tmp_path_factory.mktemp("metadata")
    with open_house(servers, database_template, folder, "ingest") as running:
        yield running


@pytest.fixture
async def attacker(house: House) -> AsyncIterator[Agent]:
    """A machine whose token was stolen."""
    tenant = Tenant(house)
    await tenant.becomes("active")
    agent = await tenant.enrol()
    yield agent
    await agent.client.aclose()


async def send(agent: Agent, run: str, plain: bytes, batch: int = 0) -> Any:
    """A batch that is as short as such a one can be."""
    body = zstandard.compress(plain, 19)
    assert len(body) < 200_000
    return await agent.client.post(f"/v1/runs/{run}/entries?batch={batch}", content=body)


async def test_a_small_file_has_no_thousands_of_chunks(
    attacker: Agent, house: House, campaign: Campaign
) -> None:
    """12 KB became 128 MB of ids, of one chunk of one byte."""
    run = await attacker.start(await attacker.declare())
    taken(await attacker.upload(run, attacker.pack(b"x", bytes(2), bytes(524_288))))
    one = attacker.id_of(b"x")
    for size, count in ((2, 2), (4_096, 4_096), (524_287, 2), (524_288, 4), (1_048_576, 6)):
        many = Entry(b"a", "f", 0o644, 1, 0, 0, size, b"", one * count)
        plain = msgspec.msgpack.encode([FolderDelta(b"", [many], [])])
        answer = await send(attacker, run, plain)
        assert [one["entries"] for one in answer.json()["refused"]] == [[0]], size
        campaign.tried("files of too many chunks")
    large = attacker.file(b"a", bytes(524_288))
    taken(await attacker.send(run, FolderDelta(b"", [large], [])))
    # Scripts are cut here, and so by the same rule.
    content = random.Random(3).randbytes(3_000_000)
    script = await attacker.start(await attacker.declare("script"))
    put = taken(await attacker.client.put(f"/v1/runs/{script}/files/b", content=content)).json()
    assert put["chunks"] <= entries.most_chunks(len(content))
    taken(await attacker.client.post(f"/v1/runs/{script}/commit", json={}))


async def test_what_unpacks_to_millions_is_counted_before_it_is_read(
    attacker: Agent, campaign: Campaign
) -> None:
    run = await attacker.start(await attacker.declare())
    millions = 3_000_000
    array = b"\xdd" + millions.to_bytes(4, "big")
    swollen = {
        "removals": b"\x91\x93\xc4\x00\x90" + array + b"\xc4\x01a" * millions,
        "folders": array + b"\x93\xc4\x00\x90\x90" * millions,
        "upserts": b"\x91\x93\xc4\x00" + array + b"\x90" * millions + b"\x90",
        "a length that is a lie": b"\x91\x93\xc4\x00\xdd\xff\xff\xff\xff",
    }
    for kind, plain in swollen.items():
        answer = await send(attacker, run, plain)
        assert problem_of(answer) == (422, "batch-malformed"), kind
        campaign.tried("batches that swell")
    assert (await attacker.commit(run, 0)).status_code == 200


async def test_frames_with_a_huge_window_are_refused(attacker: Agent, campaign: Campaign) -> None:
    """One that says how much it holds was unpacked without a look at its window."""
    content = bytes(100_000)
    # No single segment, four bytes of content size, a window of 128 MiB; one block of one byte.
    head = b"\x28\xb5\x2f\xfd\x80\x88" + len(content).to_bytes(4, "little")
    frame = head + (1 | 1 << 1 | len(content) << 3).to_bytes(3, "little") + b"\0"
    assert zstandard.ZstdDecompressor().decompress(frame) == content
    run = await attacker.start(await attacker.declare())
    builder = packs.PackBuilder()
    chunk = packs.PackedChunk(attacker.id_of(content), len(content))
    builder.add_frame(frame, packs.ZSTD, [chunk])
    answer = await attacker.upload(run, builder.finish())
    assert problem_of(answer) == (422, "chunk-undecodable")
    answer = await attacker.client.post(f"/v1/runs/{run}/entries?batch=0", content=frame)
    assert problem_of(answer) == (422, "batch-malformed")
    campaign.tried("frames with a window of 128 MiB", 2)
