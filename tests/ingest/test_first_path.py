"""One machine, one plan, three nights."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from libs.shared import catalogue, database
from libs.shared.entries import FolderDelta
from tests.world.agents import Agent, folder


async def test_three_nights(agent: Agent, portal_pool: Any) -> None:
    plan = await agent.declare()
    run = await agent.start(plan)
    hello = b"hello" * 60_000
    assert await agent.missing(run, hello, b"world") == [True, True]
    pack = agent.pack(hello, b"world", hello + b"!")
    first = await agent.upload(run, pack)
    assert first.status_code == 201
    assert first.json()["stored_bytes"] > 0
    assert (await agent.upload(run, pack)).status_code == 200
    assert await agent.missing(run, hello, b"world", b"new") == [False, False, True]
    deltas = [
        FolderDelta(b"", [folder(b"srv")], []),
        FolderDelta(b"srv", [folder(b"docs")], []),
        FolderDelta(
            b"srv/docs",
            [agent.file(b"a", hello), agent.file(b"b", hello, hello + b"!", b"world")],
            [],
        ),
    ]
    sent = await agent.send(run, *deltas)
    assert sent.status_code == 204, sent.text
    answer = await agent.commit(run)
    assert answer.status_code == 200, answer.text
    assert answer.json()["number"] == 1
    assert answer.json()["protected_bytes"] == 900_006
    again = await agent.commit(run)
    assert again.json() == answer.json()

    second = await agent.start(plan)
    unchanged = await agent.commit(second, batches=0)
    assert unchanged.status_code == 200, unchanged.text
    assert unchanged.json()["number"] == 2

    third = await agent.start(plan)
    change = FolderDelta(b"srv/docs", [agent.file(b"a", b"world")], [b"b"])
    assert (await agent.send(third, change)).status_code == 204
    changed = await agent.commit(third)
    assert changed.json()["protected_bytes"] == 5

    tenant_id = agent.tenant.tenant_id
    async with database.tenant_transaction(portal_pool, tenant_id) as conn:
        names = [
            [row.entry.name for row in page.entries]
            for number in (1, 2, 3)
            for page in [
                await catalogue.list_page(
                    conn, (tenant_id, UUID(plan), number, b"srv/docs"), catalogue.FolderOrder(), 10
                )
            ]
        ]
    assert names == [[b"a", b"b"], [b"a", b"b"], [b"a"]]
