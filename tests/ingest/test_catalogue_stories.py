"""What each restore point shows: added, changed, removed, retyped; and any name that bytes make."""

from __future__ import annotations

import io
import itertools
import zlib
from functools import partial
from typing import Any
from uuid import UUID

from libs.shared import bucket, catalogue, database, frames, sealing
from libs.shared.batches import MAX_BATCH_BYTES, decode_batch
from libs.shared.entries import Entry, FolderDelta
from libs.shared.keys import KeyRing
from tests.world.agents import Agent, folder, link
from tests.world.house import House


class Reader:
    """Reads a plan as the portal does, under row-level security."""

    def __init__(self, pool: Any, agent: Agent, plan: str) -> None:
        self.pool = pool
        self.tenant_id = agent.tenant.tenant_id
        self.plan_id = UUID(plan)

    async def tree(self, run: int, path: bytes = b"") -> dict[bytes, catalogue.EntryRow]:
        """Every path that a run sees; parents must come before what is in them."""
        seen: dict[bytes, catalogue.EntryRow] = {}
        begin = partial(database.tenant_transaction, self.pool, self.tenant_id)
        tree = catalogue.Tree(self.tenant_id, self.plan_id, run, path)
        top = path.rpartition(b"/")[0]
        async for folders in catalogue.walk(begin, tree, catalogue.ROWS):
            for at, rows in folders:
                assert at == top or seen[at].kind == "d"
                for row in rows:
                    whole = catalogue.join_path(at, row.name)
                    assert whole not in seen
                    seen[whole] = row
        return seen

    async def paths(self, run: int) -> list[bytes]:
        return sorted(await self.tree(run))

    async def entry(self, run: int, path: bytes) -> catalogue.EntryRow | None:
        async with database.tenant_transaction(self.pool, self.tenant_id) as conn:
            return await catalogue.find_entry(conn, self.tenant_id, self.plan_id, run, path)

    async def names(self, run: int, path: bytes) -> list[bytes]:
        async with database.tenant_transaction(self.pool, self.tenant_id) as conn:
            place = self.tenant_id, self.plan_id, run, path
            page = await catalogue.list_page(conn, place, catalogue.FolderOrder(), 1_000)
            return [row.entry.name for row in page.entries]

    async def totals(self, run: int) -> tuple[int, int]:
        async with database.tenant_transaction(self.pool, self.tenant_id) as conn:
            point = await catalogue.resolve_run(conn, self.tenant_id, self.plan_id, run)
            assert point is not None
            return point.files_total, point.bytes_protected


async def check_totals(reader: Reader, ingest: House, run: int) -> None:
    """What is counted by deltas is what is there."""
    files = [row for row in (await reader.tree(run)).values() if row.kind == "f"]
    expected = (len(files), sum(row.size for row in files))
    assert await reader.totals(run) == expected
    rows = await ingest.fetch(
        "SELECT protected_bytes FROM catalogue.volumes WHERE tenant_id = $1", reader.tenant_id
    )
    assert rows[0]["protected_bytes"] == expected[1]


async def test_five_nights(agent: Agent, ingest: House, portal_pool: Any) -> None:
    plan = await agent.declare()
    reader = Reader(portal_pool, agent, plan)
    a, b, c = b"a" * 300_000, b"b" * 270_000, b"ccccc"

    first = [
        FolderDelta(b"", [folder(b"srv")], []),
        FolderDelta(b"srv", [folder(b"d"), folder(b"e"), agent.file(b"top", a)], []),
        FolderDelta(b"srv/d", [agent.file(b"1", a), agent.file(b"2", b), folder(b"sub")], []),
        FolderDelta(b"srv/d/sub", [agent.file(b"deep", a, b, c), link(b"l", b"../1")], []),
    ]
    assert await agent.copy(plan, *first, contents=[a, b, c]) == 1
    await check_totals(reader, ingest, 1)
    # The second night: one file more, one other content, one gone, one only touched.
    second = [
        FolderDelta(
            b"srv/d",
            [agent.file(b"1", b), agent.file(b"3", c), agent.file(b"2", b, mtime_ns=9)],
            [],
        ),
        FolderDelta(b"srv", [], [b"top", b"never was"]),
        FolderDelta(b"srv/nowhere", [], [b"x"]),
    ]
    assert await agent.copy(plan, *second, contents=[]) == 2
    await check_totals(reader, ingest, 2)
    # The third: a folder becomes a file, a file becomes a folder, a link becomes a file.
    third = [
        FolderDelta(b"srv", [agent.file(b"d", c)], []),
        FolderDelta(b"srv/e", [agent.file(b"inside", a)], []),
    ]
    assert await agent.copy(plan, *third, contents=[]) == 3
    await check_totals(reader, ingest, 3)
    # The fourth: it is a folder again, with something else in it.
    fourth = [
        FolderDelta(b"srv", [folder(b"d")], []),
        FolderDelta(b"srv/d", [agent.file(b"1", a)], []),
    ]
    assert await agent.copy(plan, *fourth, contents=[]) == 4
    await check_totals(reader, ingest, 4)
    # The fifth: everything is gone.
    assert await agent.copy(plan, FolderDelta(b"", [], [b"srv"]), contents=[]) == 5
    await check_totals(reader, ingest, 5)

    base = [b"srv", b"srv/d", b"srv/d/1", b"srv/d/2"]
    deep = [b"srv/d/sub", b"srv/d/sub/deep", b"srv/d/sub/l"]
    assert await reader.paths(1) == [*base, *deep, b"srv/e", b"srv/top"]
    assert await reader.paths(2) == [*base, b"srv/d/3", *deep, b"srv/e"]
    assert await reader.paths(3) == [b"srv", b"srv/d", b"srv/e", b"srv/e/inside"]
    assert await reader.paths(4) == [b"srv", b"srv/d", b"srv/d/1", b"srv/e", b"srv/e/inside"]
    assert await reader.paths(5) == []
    assert await reader.names(1, b"srv/d") == [b"sub", b"1", b"2"]
    assert await reader.names(1, b"/srv//d/") == [b"sub", b"1", b"2"]
    assert await reader.names(3, b"srv/d") == []
    assert sorted(await reader.tree(1, b"srv/d/sub")) == [
        b"srv/d/sub", b"srv/d/sub/deep", b"srv/d/sub/l",
    ]  # fmt: skip

    deepest = await reader.entry(2, b"srv/d/sub/deep")
    assert deepest is not None
    assert deepest.size == 570_005
    keys = await KeyRing(ingest.objects, ingest.master_key).get(agent.tenant.tenant_id)
    plain = sealing.mask_crc32(keys, deepest.chunk_ids, deepest.crc32)
    assert plain == zlib.crc32(a + b + c) != deepest.crc32
    assert (deepest.first_run, deepest.last_run) == (1, 2)
    touched = await reader.entry(2, b"srv/d/2")
    assert touched is not None
    assert (touched.mtime_ns, touched.first_run) == (9, 2)
    assert await reader.entry(3, b"srv/d/2") is None
    assert await reader.entry(3, b"srv/d/sub/deep") is None
    assert await reader.entry(1, b"nothing/here") is None
    assert await reader.entry(1, b"") == catalogue.ROOT


async def test_any_name(agent: Agent, ingest: House, portal_pool: Any) -> None:
    plan = await agent.declare()
    reader = Reader(portal_pool, agent, plan)
    names = [
        b"\xff\xfe invalid utf-8",
        b"new\nline",
        b"-rf",
        b" ",
        b"...",
        b"%2e%2e",
        b"'; DROP TABLE versions; --",
        b"n" * 255,
        bytes(range(1, 47)) + bytes(range(48, 256)),
        "é\u0301\u202e".encode(),
    ]
    deep = [b"d%02d" % i + b"x" * 197 for i in range(19)]
    deltas = [FolderDelta(b"", [*(agent.file(name, b"x") for name in names), folder(deep[0])], [])]
    deltas += [FolderDelta(b"/".join(deep[:i]), [folder(deep[i])], []) for i in range(1, len(deep))]
    deltas.append(FolderDelta(b"/".join(deep), [agent.file(b"end", b"x")], []))
    deltas.reverse()  # children may come before their folders
    await agent.copy(plan, *deltas, contents=[b"x"])
    tree = await reader.tree(1)
    assert set(names) <= set(tree)
    longest = b"/".join([*deep, b"end"])
    assert len(longest) > 3_800
    assert tree[longest].size == 1
    assert await reader.entry(1, longest) is not None
    # A thousand levels of one letter.
    many = [b"a"] * 1_000
    deltas = [FolderDelta(b"/".join(many[:i]), [folder(b"a")], []) for i in range(1_000)]
    await agent.copy(plan, *deltas, contents=[])
    assert await reader.entry(2, b"/".join(many)) is not None
    await agent.copy(plan, FolderDelta(b"", [], [b"a"]), contents=[])
    assert await reader.entry(3, b"a") is None
    assert await reader.entry(3, b"/".join(many)) is None
    assert set(await reader.tree(3)) == set(tree)


async def test_a_whole_list_replaces_all(agent: Agent, ingest: House, portal_pool: Any) -> None:
    plan = await agent.declare()
    reader = Reader(portal_pool, agent, plan)
    start = [
        FolderDelta(b"", [folder(b"a"), folder(b"gone"), agent.file(b"f", b"1")], []),
        FolderDelta(b"a", [agent.file(b"same", b"1"), agent.file(b"other", b"1")], []),
        FolderDelta(b"gone", [agent.file(b"x", b"1")], []),
    ]
    await agent.copy(plan, *start, contents=[b"1", b"22"])
    run = await agent.start(plan)
    whole = [
        FolderDelta(b"", [folder(b"a"), agent.file(b"f", b"1"), folder(b"new")], []),
        FolderDelta(b"a", [agent.file(b"same", b"1"), agent.file(b"other", b"22")], []),
    ]
    assert (await agent.send(run, *whole)).status_code == 204
    answer = await agent.commit(run, full=True)
    assert answer.json()["protected_bytes"] == 4
    await check_totals(reader, ingest, 2)
    assert await reader.paths(2) == [b"a", b"a/other", b"a/same", b"f", b"new"]
    assert await reader.paths(1) == [b"a", b"a/other", b"a/same", b"f", b"gone", b"gone/x"]
    same = await reader.entry(2, b"a/same")
    other = await reader.entry(2, b"a/other")
    assert same is not None
    assert other is not None
    assert (same.first_run, other.first_run) == (1, 2)
    run = await agent.start(plan)
    assert (await agent.commit(run, 0, full=True)).json()["protected_bytes"] == 0
    assert await reader.paths(3) == []


async def test_the_list_that_an_agent_fetches(
    agent: Agent, ingest: House, portal_pool: Any
) -> None:
    plan = await agent.declare()
    empty = await agent.client.get(f"/v1/plans/{plan}/entries")
    assert (empty.headers["x-coffre-run"], empty.content) == ("", frames.END)
    files = [agent.file(b"%05d" % i, b"x") for i in range(12_000)]
    large = bytes(400_000), bytes(300_000)
    deltas = [
        FolderDelta(b"", [folder(b"many"), link(b"l", b"\xff"), agent.file(b"big", *large)], []),
        FolderDelta(b"many", files, []),
    ]
    await agent.copy(plan, *deltas, contents=[b"x", *large])
    answer = await agent.client.get(f"/v1/plans/{plan}/entries")
    assert answer.headers["x-coffre-run"] == "1"
    fetched: dict[bytes, dict[bytes, Entry]] = {}
    batches = list(frames.read_frames(io.BytesIO(answer.content), MAX_BATCH_BYTES))
    assert len(batches) > 1
    for delta in itertools.chain.from_iterable(map(decode_batch, batches)):
        assert not delta.removed
        fetched.setdefault(delta.folder, {}).update({e.name: e for e in delta.upserts})
    for delta in deltas:
        assert fetched[delta.folder] == {entry.name: entry for entry in delta.upserts}
    # The same said again is no new version.
    await agent.copy(plan, *deltas, contents=[])
    rows = await ingest.fetch(
        "SELECT count(*) AS n FROM catalogue.versions WHERE tenant_id = $1", agent.tenant.tenant_id
    )
    assert rows[0]["n"] == 12_003


async def test_the_delta_in_the_bucket_opens(agent: Agent, ingest: House) -> None:
    """With the master key alone, a run's manifest and its parts can be read."""
    import json

    from libs.shared.keys import KeyRing

    plan = await agent.declare()
    delta = FolderDelta(b"", [agent.file(b"x", b"x")], [])
    await agent.copy(plan, delta, contents=[b"x"])
    keys = await KeyRing(ingest.objects, ingest.master_key).get(agent.tenant.tenant_id)

    async def read(key: str) -> bytes:
        return bucket.open_object(await ingest.objects.get(key), keys, key)

    prefix = bucket.runs_of(agent.tenant.tenant_id, UUID(plan))
    (head_key,) = [key async for key, _ in ingest.objects.list(f"{prefix}1.head.")]
    head = json.loads(await read(head_key))
    assert (head["number"], head["parent"], head["plan"]) == (1, None, "docs")
    assert head["declaration"]["folders"] == ["/srv/docs"]
    (part,) = head["parts"]
    assert decode_batch(await read(part["key"])) == [delta]
