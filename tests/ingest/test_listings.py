"""A folder page by page, in the order that its reader chose; folders that need no choice."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

from libs.shared import catalogue, database
from libs.shared.catalogue import FolderOrder
from libs.shared.entries import FolderDelta
from tests.world.agents import Agent, folder

NAMES = [b"f1", b"f2", b"F10", b"f10", b"f100", "é2".encode(), "É10".encode(), b"e3", b"\xff9"]
NAMES += [b"back\\slash", b"2026-01-02 10.txt", b"2026-01-02 9.txt", b"a%b", "日本".encode()]


async def pages(
    conn: Any, place: Any, by: Any, descending: bool, limit: int, **more: Any
) -> list[Any]:
    """All entries of a folder, some at a time."""
    found: list[Any] = []
    after: bytes | None = None
    while True:
        order = FolderOrder(by, descending, after)
        page = await catalogue.list_page(conn, place, order, limit, deleted=True, **more)
        assert len(page.entries) <= limit
        found += page.entries
        after = page.onward
        if after is None:
            return found


async def test_every_order_is_whole_whatever_the_page(agent: Agent, portal_pool: Any) -> None:
    plan = await agent.declare()
    tenant_id, plan_id = agent.tenant.tenant_id, UUID(plan)
    chance = random.Random(5)
    contents = [b"x" * size for size in (1, 2, 3)]
    files = [agent.file(name, chance.choice(contents)) for name in NAMES]
    folders = [folder(b"d%d" % number) for number in (10, 9, 1)]
    top = FolderDelta(b"", [folder(b"srv")], [])
    deep = [
        FolderDelta(b"srv/d9", [folder(b"one")], []),
        FolderDelta(b"srv/d9/one", [folder(b"two")], []),
    ]
    first = FolderDelta(b"srv", [*files, *folders], [])
    assert await agent.copy(plan, top, first, *deep, contents=contents) == 1
    assert await agent.copy(plan, FolderDelta(b"srv", [], [b"f2", b"d1"]), contents=[]) == 2
    place = tenant_id, plan_id, 2, b"srv"
    async with database.tenant_transaction(portal_pool, tenant_id) as conn:
        for by in ("name", "size", "changed"):
            for descending in (False, True):
                whole = await pages(conn, place, by, descending, 100)
                assert {row.entry.name for row in whole} == {*NAMES, b"d1", b"d9", b"d10"}
                assert [row.entry.kind for row in whole[:3]] == ["d"] * 3
                for limit in (1, 4):
                    assert await pages(conn, place, by, descending, limit) == whole
                sizes = [row.entry.size for row in whole[3:]]
                if by == "size":
                    assert sizes == sorted(sizes, reverse=descending)
        named = [row.entry.name for row in await pages(conn, place, "name", False, 100)]
        assert named[:3] == [b"d1", b"d9", b"d10"]
        order = [n.decode() for n in named[3:] if n not in (b"\xff9", "日本".encode())]
        assert order == [
            "2026-01-02 9.txt", "2026-01-02 10.txt", "a%b", "back\\slash", "é2", "e3", "É10",
            "f1", "f2", "f10", "F10", "f100",
        ]  # fmt: skip
        gone = {
            row.entry.name for row in await pages(conn, place, "name", False, 9) if row.last_point
        }
        assert gone == {b"f2", b"d1"}
        page = await catalogue.list_page(conn, place, FolderOrder(after=b"expired meanwhile"), 3)
        assert (len(page.entries), page.total) == (3, len(NAMES) + 1)
        assert await catalogue.find_opening(conn, *place[:3]) == b"srv"
        ids = {
            row["name"]: row["folder_id"]
            for row in await conn.fetch("SELECT name, folder_id FROM catalogue.folders")
        }
        passed = await catalogue.pass_through(conn, place[:3], [ids[b"d9"]])
        assert passed == {ids[b"d9"]: [b"one", b"two"]}


async def test_a_very_large_folder_comes_by_its_key(agent: Agent, portal_pool: Any) -> None:
    plan = await agent.declare()
    tenant_id = agent.tenant.tenant_id
    entries = [agent.file(b"f%d" % number, b"x") for number in range(30)] + [folder(b"f2x")]
    await agent.copy(plan, FolderDelta(b"", entries, []), contents=[b"x"])
    await agent.copy(plan, FolderDelta(b"", [], [b"f7"]), contents=[])
    place = tenant_id, UUID(plan), 2, b""
    async with database.tenant_transaction(portal_pool, tenant_id) as conn:
        found = await pages(conn, place, "size", True, 7, sorted_max=20)
        page = await catalogue.list_page(conn, place, FolderOrder(), 100, sorted_max=20)
    assert [row.entry.name for row in found] == sorted(entry.name for entry in entries)
    assert [row.entry.name for row in found if row.last_point] == [b"f7"]
    assert (page.total, page.onward, len(page.entries)) == (None, None, 30)
