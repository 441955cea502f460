"""What is remembered of a path: all its versions, its gaps, and what was deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from libs.shared import catalogue, clock, database
from libs.shared.entries import FolderDelta
from tests.world.agents import Agent, folder


async def test_a_path_with_a_gap_a_failed_run_and_another_kind(
    agent: Agent, portal_pool: Any
) -> None:
    plan = await agent.declare()
    tenant_id, plan_id = agent.tenant.tenant_id, UUID(plan)
    began = clock.now()

    async def night(*entries: Any, removed: tuple[bytes, ...] = (), more: Any = ()) -> int:
        delta = FolderDelta(b"srv", list(entries), list(removed))
        top = FolderDelta(b"", [folder(b"srv")], [])
        return await agent.copy(plan, top, delta, *more, contents=[b"one", b"three"])

    assert await night(agent.file(b"f", b"one"), agent.file(b"other", b"one"), folder(b"d")) == 1
    assert await night(agent.file(b"f", b"three")) == 2
    run = await agent.start(plan)
    assert (await agent.abort(run)).status_code == 200  # number 3: no restore point
    assert await night(removed=(b"f", b"d")) == 4
    assert await night(agent.file(b"unrelated", b"one")) == 5
    assert (
        await night(folder(b"f"), more=[FolderDelta(b"srv/f", [agent.file(b"in", b"one")], [])])
        == 6
    )

    async with database.tenant_transaction(portal_pool, tenant_id) as conn:
        points = {p.number: p for p in await catalogue.list_runs(conn, tenant_id, plan_id)}

        async def history(path: bytes, **more: Any) -> list[catalogue.Version]:
            return await catalogue.list_versions(conn, tenant_id, plan_id, path, **more)

        async def ever(run: int, path: bytes) -> list[tuple[bytes, int | None]]:
            place = tenant_id, plan_id, run, path
            page = await catalogue.list_page(
                conn, place, catalogue.FolderOrder(), 100, deleted=True
            )
            listed = page.entries
            assert page.total == len(listed)
            for row in listed:
                assert (
                    row.last_point is None
                    or row.last_seen_at == points[row.last_point].committed_at
                )
            return [(row.entry.name, row.last_point) for row in listed]

        versions = await history(b"/srv//f/")
        assert [(v.entry.kind, v.entry.size, v.first_point, v.last_point) for v in versions] == [
            ("d", 0, 6, 6),
            ("f", 5, 2, 2),
            ("f", 3, 1, 1),
        ]
        assert [v.removed_at for v in versions] == [None, points[4].committed_at, None]
        assert versions[1].first_seen_at == points[2].committed_at
        assert [v.first_point for v in await history(b"srv/f", before=6, limit=1)] == [2]
        assert await history(b"") == []
        assert await history(b"srv/never") == []
        assert await history(b"nowhere/f") == []

        # Deleted ones stand among the others; what came again is there once.
        assert await ever(5, b"srv") == [
            (b"d", 2), (b"f", 2), (b"other", None), (b"unrelated", None)
        ]  # fmt: skip
        assert await ever(6, b"srv") == [
            (b"d", 2), (b"f", None), (b"other", None), (b"unrelated", None)
        ]  # fmt: skip
        assert await ever(1, b"srv") == [(b"d", None), (b"f", None), (b"other", None)]
        assert await ever(6, b"srv/nowhere") == []

        async def point_at(at: Any) -> int | None:
            point = await catalogue.resolve_run_at(conn, tenant_id, plan_id, at)
            return point.number if point else None

        instant = timedelta(microseconds=1)
        assert await point_at(began - instant) is None
        assert await point_at(points[2].committed_at) == 2
        assert await point_at(points[4].committed_at - instant) == 2
        assert await point_at(points[4].committed_at) == 4
        assert await point_at(clock.now() + timedelta(days=365)) == 6


async def test_a_stranger_remembers_nothing(
    agent: Agent, stranger: Agent, portal_pool: Any
) -> None:
    plan = await agent.declare()
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"f", b"x")], []), contents=[b"x"])
    theirs = stranger.tenant.tenant_id
    for named in (theirs, agent.tenant.tenant_id):
        async with database.tenant_transaction(portal_pool, theirs) as conn:
            assert await catalogue.list_versions(conn, named, UUID(plan), b"f") == []
            place = named, UUID(plan), 1, b""
            page = await catalogue.list_page(conn, place, catalogue.FolderOrder(), 9, deleted=True)
            assert page.entries == []
            assert await catalogue.find_opening(conn, *place[:3]) == b""
            assert await catalogue.find_around(conn, named, UUID(plan), 1) is None
            assert await catalogue.resolve_run_at(conn, named, UUID(plan), clock.now()) is None
