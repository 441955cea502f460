"""What is said of files: bad entries are refused, one by one, and all others are kept."""

from __future__ import annotations

import random

import msgspec
import pytest
import zstandard

from libs.shared.batches import encode_batch
from libs.shared.entries import Entry, FolderDelta
from tests.world.agents import Agent, folder, link, problem_of
from tests.world.house import House


def file(name: bytes) -> Entry:
    return Entry(name, "f", 0o644, 1, 0, 0, 0, b"", b"")


BAD_ENTRIES = {
    "..": FolderDelta(b"", [file(b"..")], []),
    ".. in a folder's path": FolderDelta(b"a/../b", [file(b"x")], []),
    ".": FolderDelta(b"", [file(b".")], []),
    "absolute folder": FolderDelta(b"/etc", [file(b"x")], []),
    "slash in a name": FolderDelta(b"", [file(b"a/b")], []),
    "empty name": FolderDelta(b"", [file(b"")], []),
    "NUL": FolderDelta(b"", [file(b"a\0b")], []),
    "NUL in a folder": FolderDelta(b"a\0", [file(b"b")], []),
    "long name": FolderDelta(b"", [file(b"n" * 256)], []),
    "long path": FolderDelta(b"/".join([b"n" * 200] * 21), [file(b"x")], []),
    "double slash": FolderDelta(b"a//b", [file(b"x")], []),
    "trailing slash": FolderDelta(b"a/", [file(b"x")], []),
    "removed ..": FolderDelta(b"", [], [b".."]),
    "twice": FolderDelta(b"", [file(b"x"), file(b"x")], []),
    "size without chunks": FolderDelta(b"", [Entry(b"x", "f", 0, 0, 0, 0, 5, b"", b"")], []),
    "half a chunk id": FolderDelta(b"", [Entry(b"x", "f", 0, 0, 0, 0, 5, b"", b"ab")], []),
    "negative size": FolderDelta(b"", [Entry(b"x", "f", 0, 0, 0, 0, -5, b"", b"")], []),
    "huge mode": FolderDelta(b"", [Entry(b"x", "f", 2**40, 0, 0, 0, 0, b"", b"")], []),
    "link to nothing": FolderDelta(b"", [link(b"x", b"")], []),
    "folder with chunks": FolderDelta(b"", [Entry(b"x", "d", 0, 0, 0, 0, 0, b"", b"c" * 32)], []),
}

REASONS = {
    "long name": "name-over-limit",
    "long path": "name-over-limit",
    "link to nothing": "target-invalid",
    **dict.fromkeys(
        ("size without chunks", "half a chunk id", "negative size"), "entry-over-limit"
    ),
    **dict.fromkeys(("huge mode", "folder with chunks"), "entry-over-limit"),
}


async def test_bad_entries_are_refused_and_not_the_run(agent: Agent, ingest: House) -> None:
    """Each is named by its place, with the reason; all else of the batch is kept."""
    kinds = [kind for kind in BAD_ENTRIES if kind != "twice"]
    deltas = [FolderDelta(b"", [folder(b"good")], []), *(BAD_ENTRIES[kind] for kind in kinds)]
    run = await agent.start(await agent.declare())
    answer = await agent.send(run, *deltas)
    assert answer.status_code == 200
    refused = {one["folder"]: one for one in answer.json()["refused"]}
    assert [kinds[folder - 1] for folder in sorted(refused)] == kinds
    for number, kind in enumerate(kinds, 1):
        whole = "folder's path" in kind or kind in (
            *("absolute folder", "NUL in a folder", "long path"),
            *("double slash", "trailing slash"),
        )
        assert refused[number]["entries"] == (None if whole else [0]), kind
        assert refused[number]["reason"]["code"] == REASONS.get(kind, "name-invalid")
        assert refused[number]["reason"]["detail"] == "", "our own words are codes"
    assert (await agent.commit(run)).status_code == 200
    assert await names_of(ingest, agent) == [b"good"]


async def names_of(ingest: House, agent: Agent) -> list[bytes]:
    rows = await ingest.fetch(
        "SELECT name FROM catalogue.versions WHERE tenant_id = $1 ORDER BY name",
        agent.tenant.tenant_id,
    )
    return [row["name"] for row in rows]


async def test_of_a_name_told_twice_none_is_believed(agent: Agent, ingest: House) -> None:
    run = await agent.start(await agent.declare())
    delta = FolderDelta(b"", [file(b"x"), file(b"y"), file(b"x")], [b"z", b"x"])
    (refused,) = (await agent.send(run, delta)).json()["refused"]
    assert (refused["folder"], refused["entries"]) == (0, [0, 2, 4])
    assert (await agent.commit(run)).status_code == 200
    assert await names_of(ingest, agent) == [b"y"]


async def test_an_entry_that_can_not_be_read_as_one_costs_only_itself(
    agent: Agent, ingest: House
) -> None:
    """Such as of a kind that comes later."""
    run = await agent.start(await agent.declare())
    whole = list(msgspec.structs.astuple(file(b"x")))[:-1]
    upserts = [whole, [b"socket", "s", *whole[2:]], [b"half", "f"], [b"t", "f", "mode", *whole[3:]]]
    body = zstandard.compress(msgspec.msgpack.encode([[b"", upserts, []]]))
    answer = await agent.client.post(f"/v1/runs/{run}/entries?batch=0", content=body)
    (refused,) = answer.json()["refused"]
    assert refused["entries"] == [1, 2, 3]
    assert refused["reason"]["code"] == "entry-over-limit"
    assert (await agent.commit(run)).status_code == 200
    assert await names_of(ingest, agent) == [b"x"]


async def test_what_is_no_batch_is_refused(agent: Agent) -> None:
    run = await agent.start(await agent.declare())
    good = encode_batch([FolderDelta(b"", [folder(b"good")], [])])
    wrong_form = zstandard.compress(msgspec.msgpack.encode([[1, 2, 3]]))
    deep = zstandard.compress(b"\x91" * 1_000_000)
    bomb = zstandard.compress(bytes(300_000_000))
    for body in (b"", b"noise", good[:-3], good + b"x", wrong_form, deep, bomb):
        answer = await agent.client.post(f"/v1/runs/{run}/entries?batch=0", content=body)
        assert problem_of(answer) == (422, "batch-malformed"), body[:20]
    for number in ("-1", "x", "100000", str(2**70)):
        answer = await agent.client.post(f"/v1/runs/{run}/entries?batch={number}", content=good)
        assert problem_of(answer) == (422, "invalid-request")


async def test_too_many_deep_folders_are_refused(agent: Agent) -> None:
    run = await agent.start(await agent.declare())
    deltas = [FolderDelta(b"%05d" % i + b"/a" * 2000, [file(b"x")], []) for i in range(100)]
    assert problem_of(await agent.send(run, *deltas)) == (422, "entry-invalid")


async def test_chunks_that_the_tenant_does_not_have(agent: Agent, stranger: Agent) -> None:
    theirs = b"a stranger's secret"
    their_run = await stranger.start(await stranger.declare())
    assert (await stranger.upload(their_run, stranger.pack(theirs))).status_code == 201

    run = await agent.start(await agent.declare())
    entry = Entry(b"x", "f", 0o644, 1, 0, 0, len(theirs), b"", stranger.id_of(theirs))
    answer = await agent.send(run, FolderDelta(b"", [entry, agent.file(b"y", b"unsent")], []))
    assert problem_of(answer) == (422, "chunk-unknown")
    unknown = {stranger.id_of(theirs).hex(), agent.id_of(b"unsent").hex()}
    assert set(answer.json()["chunks"]) == unknown
    missing = await agent.client.post(f"/v1/runs/{run}/missing", content=stranger.id_of(theirs))
    assert missing.content == b"\1"
    await agent.upload(run, agent.pack(b"unsent"))
    sent = await agent.send(run, FolderDelta(b"", [agent.file(b"y", b"unsent")], []))
    assert sent.status_code == 204
    assert (await agent.commit(run)).status_code == 200


async def test_sizes_must_be_those_of_the_chunks(agent: Agent, ingest: House) -> None:
    run = await agent.start(await agent.declare())
    parts = b"1" * 300_000, b"3" * 300_000
    await agent.upload(run, agent.pack(*parts))
    entry = msgspec.structs.replace(agent.file(b"x", *parts), size=600_001)
    good = agent.file(b"y", *parts)
    answer = await agent.send(run, FolderDelta(b"", [entry, good], []))
    (refused,) = answer.json()["refused"]
    assert refused["entries"] == [0]
    assert refused["reason"]["code"] == "entry-over-limit"
    assert (await agent.commit(run)).status_code == 200
    (kept,) = await ingest.fetch(
        "SELECT name, size FROM catalogue.versions WHERE tenant_id = $1", agent.tenant.tenant_id
    )
    assert tuple(kept) == (b"y", 600_000)


async def test_a_batch_can_be_sent_again_and_otherwise(agent: Agent, ingest: House) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    for name in (b"first", b"second", b"second"):
        sent = await agent.send(run, FolderDelta(b"", [folder(name)], []), batch=0)
        assert sent.status_code == 204
    await agent.send(run, FolderDelta(b"", [folder(b"third")], []), batch=2)
    answer = await agent.commit(run, batches=3)
    assert problem_of(answer) == (409, "batches-missing")
    assert answer.json()["batches"] == [1]
    await agent.send(run, FolderDelta(b"", [folder(b"second")], []), batch=1)
    answer = await agent.commit(run, batches=3)
    assert problem_of(answer) == (422, "entry-invalid")
    await agent.send(run, batch=1)
    assert (await agent.commit(run, batches=3)).status_code == 200
    rows = await ingest.fetch(
        "SELECT name FROM catalogue.versions WHERE tenant_id = $1 ORDER BY name",
        agent.tenant.tenant_id,
    )
    assert [row["name"] for row in rows] == [b"second", b"third"]


async def test_a_file_in_a_folder_that_is_not_there(agent: Agent) -> None:
    run = await agent.start(await agent.declare())
    await agent.send(
        run, FolderDelta(b"a/b", [file(b"x")], []), FolderDelta(b"", [folder(b"a")], [])
    )
    answer = await agent.commit(run)
    assert problem_of(answer) == (422, "entry-invalid")
    assert "'b'" in answer.json()["detail"]
    await agent.send(run, FolderDelta(b"a", [folder(b"b")], []), batch=1)
    assert (await agent.commit(run, batches=2)).status_code == 200


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16_384])
async def test_missing_takes_up_to_16384_ids(agent: Agent, count: int) -> None:
    run = await agent.start(await agent.declare())
    await agent.upload(run, agent.pack(b"known"))
    ids = [random.Random(6).randbytes(32) for _ in range(count)]
    if count > 2:
        ids[2] = agent.id_of(b"known")
    answer = await agent.client.post(f"/v1/runs/{run}/missing", content=b"".join(ids))
    bits = int.from_bytes(answer.content, "little")
    expected = (1 << count) - 1
    assert bits == (expected & ~4 if count > 2 else expected)
    for bad in (31, 33, 16_385 * 32):
        answer = await agent.client.post(f"/v1/runs/{run}/missing", content=bytes(bad))
        assert answer.status_code in (413, 422)
