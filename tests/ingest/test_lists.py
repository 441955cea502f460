"""What whole lists of a plan spare a rebuild, and what had expired before the loss."""

from __future__ import annotations

from uuid import UUID

import pytest

from libs.shared import database as databases
from libs.shared.entries import FolderDelta
from services.ingest import actions, store
from services.ingest.actions.manifests import lists
from tests.ingest.lost import Empty, empty_database, fingerprint_of, keys_like, numbers
from tests.world.agents import Agent, folder
from tests.world.house import House


async def write_list(service: House, agent: Agent, plan: str) -> None:
    """Has the plan's whole list written now, as the job does when it is due."""
    dsn = service.dsn("ingest")
    async with empty_database(service, dsn) as own:
        due = store.manifests.due.DueList(agent.tenant.tenant_id, UUID(plan), 0, 0, 0)
        await lists.write_list(own.ingest, due)


async def write_list_when_due(service: House, plan: str) -> None:
    """The job finds a plan that had 500 runs since its last list, and then no more."""
    async with empty_database(service, service.dsn("ingest")) as own:
        state = "SELECT unlisted_runs, unlisted_entries, listed_entries FROM plans"
        state += " WHERE plan_id = $1"
        assert await own.rows(state, UUID(plan)) == [(1, 2, 8_003)]
        async with databases.transaction(own.ingest.pool) as conn:
            await conn.execute(
                "UPDATE plans SET unlisted_runs = 500 WHERE plan_id = $1", UUID(plan)
            )
        await actions.manifests.lists.write_due_lists(own.ingest)
        assert await own.rows(state, UUID(plan)) == [(0, 0, 8_004)]


async def test_a_whole_list_stands_for_all_that_was_before_it(
    agent: Agent, ingest: House, empty: Empty
) -> None:
    plan = await agent.declare()
    start = [
        FolderDelta(b"", [folder(b"d"), agent.file(b"gone", b"1"), agent.file(b"f", b"1")], []),
        FolderDelta(b"d", [agent.file(b"%04d" % i, b"1") for i in range(8_000)], []),
    ]
    await agent.copy(plan, *start, contents=[b"1", b"22"])
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"f", b"22")], [b"gone"]), contents=[])
    await write_list_when_due(ingest, plan)
    await agent.copy(plan, FolderDelta(b"d", [agent.file(b"new", b"22")], []), contents=[])
    tenant_id = agent.tenant.tenant_id
    parts = await keys_like(ingest, agent, plan, "2.list.")
    assert len(parts) > 1
    for name in ("1.", "2.0."):
        for key in await keys_like(ingest, agent, plan, name):
            await ingest.objects.delete(key)
    (rebuilt,) = await empty.rebuild(tenant_id)
    assert rebuilt.troubles == []
    assert await empty.fingerprint(tenant_id) == await fingerprint_of(ingest, tenant_id)
    assert await numbers(empty, plan) == [1, 2, 3]
    assert await empty.read(tenant_id, plan, 1, b"gone") == b"1"


async def test_a_damaged_list_is_named_and_the_deltas_are_used(
    agent: Agent, ingest: House, empty: Empty
) -> None:
    plan = await agent.declare()
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"f", b"1")], []), contents=[b"1"])
    await write_list(ingest, agent, plan)
    (part,) = await keys_like(ingest, agent, plan, "1.list.")
    sealed = bytearray(await ingest.objects.get(part))
    sealed[20] ^= 1
    await ingest.objects.put(part, sealed)
    tenant_id = agent.tenant.tenant_id
    (rebuilt,) = await empty.rebuild(tenant_id)
    (trouble,) = rebuilt.troubles
    assert part in trouble
    assert await empty.fingerprint(tenant_id) == await fingerprint_of(ingest, tenant_id)


async def expire(ingest: House, tenant_id: UUID, before: int) -> None:
    """Does what retention does to versions that ended before a run, and to points that see them."""
    await ingest.fetch(
        "DELETE FROM catalogue.runs r WHERE tenant_id = $1 AND number < $2 AND EXISTS (SELECT"
        " FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.plan_id = r.plan_id"
        " AND v.last_run < $2 AND v.last_run >= r.number AND v.first_run <= r.number)",
        tenant_id,
        before,
    )
    await ingest.fetch(
        "DELETE FROM catalogue.versions WHERE tenant_id = $1 AND last_run < $2", tenant_id, before
    )


@pytest.mark.parametrize(
    ("listed_after", "expired_before", "kept"),
    [(0, 4, [4, 5, 6]), (2, 4, [4, 5, 6]), (4, 4, [4, 5, 6]), (0, 5, [5, 6]), (3, 5, [5, 6])],
)
async def test_what_had_expired_stays_away(
    agent: Agent,
    ingest: House,
    empty: Empty,
    listed_after: int,
    expired_before: int,
    kept: list[int],
) -> None:
    plan = await agent.declare()
    tenant_id = agent.tenant.tenant_id
    contents = [b"%d" % number for number in range(7)]
    nights = [FolderDelta(b"", [agent.file(b"f", content)], []) for content in contents]
    nights[1].upserts.append(agent.file(b"stays", contents[0]))
    nights[2].upserts.append(agent.file(b"short", contents[0]))
    nights[3].removed.append(b"short")
    for number in range(1, 6):
        await agent.copy(plan, nights[number], contents=contents)
        if number == listed_after:
            await write_list(ingest, agent, plan)
    await expire(ingest, tenant_id, expired_before)
    # Where all that was superseded had expired, the last night supersedes nothing more.
    last = [nights[6]] if expired_before == 4 else []
    await agent.copy(plan, *last, contents=[])
    (rebuilt,) = await empty.rebuild(tenant_id)
    assert rebuilt.troubles == []
    assert await numbers(empty, plan) == kept
    assert await empty.fingerprint(tenant_id) == await fingerprint_of(ingest, tenant_id)
