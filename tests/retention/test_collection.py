"""Collection, step by step, and every way in which a run can cross it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from libs.shared import clock
from libs.shared.errors import Unavailable
from services.ingest.rules import ChunksMissing
from services.retention import actions
from services.retention.rules import Limits
from tests.retention.house import Client, House, cancelled

A, B, C, D = (bytes([n]) * 300 + bytes(range(n, 250)) * 3 for n in (1, 2, 3, 4))
NOW = clock.now() + timedelta(hours=1)
LATER = NOW + timedelta(days=2)


async def expire(client: Client, plan: UUID) -> int:
    """Forgets all that any run superseded."""
    forever = NOW + timedelta(days=9_999)
    keeper = client.house.keeper
    async with keeper.pool.acquire() as conn, conn.transaction():
        await actions.judge_runs(conn, client.tenant_id, plan, NOW)
        await conn.execute(
            "UPDATE expiry_holds SET cleared_at = $1, cleared_reason = 'meant'"
            " WHERE cleared_at IS NULL AND plan_id = $2",
            NOW,
            plan,
        )
    return await actions.expire_plan(keeper, client.tenant_id, plan, forever, NOW)


async def test_what_nothing_needs_is_condemned_then_deleted_after_the_grace(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"a": [A], b"b": [B]})
    [first] = await client.packs()
    await client.copy(plan, {b"a": [C], b"b": [D]})
    done = await actions.collect_tenant(house.keeper, client.tenant_id, NOW)
    assert done.condemned == 0, "the first restore point needs it"
    assert await expire(client, plan) == 2
    done = await actions.collect_tenant(house.keeper, client.tenant_id, NOW)
    assert (done.condemned, done.deleted) == (1, 0)
    assert (await client.packs())[first] == "condemned"
    done = await actions.collect_tenant(house.keeper, client.tenant_id, NOW + timedelta(hours=23))
    assert done.deleted == 0, "the grace is a day"
    done = await actions.collect_tenant(house.keeper, client.tenant_id, LATER)
    assert done.deleted == 1
    assert first not in await client.packs()
    assert first not in await client.objects()
    await client.read([C, D])
    [*_, said] = await client.said("volume.changed.v1")
    assert said["stored_bytes"] == await client.stored_bytes()
    sizes = [size async for _, size in house.objects.list(f"t/{client.tenant_id}/packs/")]
    assert sum(sizes) == said["stored_bytes"]


async def make_garbage(client: Client, plan: UUID, *contents: bytes) -> bytes:
    """A run's pack that nothing needs any more; returns its id."""
    before = set(await client.packs())
    await client.copy(plan, {b"garbage": contents})
    [pack_id] = set(await client.packs()) - before
    await client.copy(plan, {}, removed=[b"garbage"])
    await expire(client, plan)
    return pack_id


async def condemn(client: Client) -> None:
    keeper = client.house.keeper
    await actions.condemn(keeper, await actions.mark_tenant(keeper, client.tenant_id, NOW), NOW)


async def test_a_commit_resurrects_what_was_condemned_under_its_run(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    pack_id = await make_garbage(client, plan, A, B)
    run = await client.start(plan)
    assert await client.missing(run, [A, B]) == []
    await client.batch(run, {b"a": [A]})
    await condemn(client)
    assert (await client.packs())[pack_id] == "condemned"
    other = await client.start(await client.plan("other"))
    assert await client.missing(other, [A, B, D]) == [A, B]
    await client.commit(run)
    assert (await client.packs())[pack_id] == "live"
    await actions.collect_tenant(house.keeper, client.tenant_id, LATER)
    await client.read([A, D])


async def test_a_commit_after_the_mark_keeps_its_packs(house: House, client: Client) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    pack_id = await make_garbage(client, plan, A)
    run = await client.start(plan)
    await client.batch(run, {b"a": [A]})
    marked = await actions.mark_tenant(house.keeper, client.tenant_id, NOW)
    await client.commit(run)
    assert (await actions.condemn(house.keeper, marked, NOW)).condemned == 0
    assert (await client.packs())[pack_id] == "live"


async def test_what_is_deleted_under_an_open_run_is_asked_for_again(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    await make_garbage(client, plan, A)
    run = await client.start(plan)
    await client.batch(run, {b"a": [A]})
    await condemn(client)
    await actions.collect_tenant(house.keeper, client.tenant_id, LATER)
    with pytest.raises(ChunksMissing):
        await client.commit(run)
    assert await client.missing(run, [A]) == [A]
    await client.upload(run, A)
    await client.batch(run, {b"a": [A]})
    await client.commit(run)
    await client.read([A, D])


async def test_an_upload_that_a_deletion_crossed_is_not_acknowledged(
    house: House, client: Client
) -> None:
    """The object is put, then its older self's rows and object go, then its rows would come."""
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    pack_id = await make_garbage(client, plan, A)
    await condemn(client)
    run = await client.start(plan)
    house.objects.after_put = gate = asyncio.Event()
    uploading = asyncio.create_task(client.upload(run, A))
    await house.objects.put_arrived.wait()
    house.objects.after_put = None
    marked = await actions.mark_tenant(house.keeper, client.tenant_id, LATER)
    assert (await actions.delete(house.keeper, marked, LATER)).deleted == 1
    gate.set()
    with pytest.raises(Unavailable):
        await uploading
    assert pack_id not in await client.packs()
    await client.upload(run, A)
    await client.batch(run, {b"a": [A]})
    await client.commit(run)
    await client.read([A, D])


async def test_an_upload_before_the_decision_wins(house: House, client: Client) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    pack_id = await make_garbage(client, plan, A)
    await condemn(client)
    marked = await actions.mark_tenant(house.keeper, client.tenant_id, LATER)
    run = await client.start(plan)
    await client.upload(run, A)
    assert (await actions.delete(house.keeper, marked, LATER)).deleted == 0
    assert (await client.packs())[pack_id] == "live"
    await client.read([A])


async def test_rows_gone_but_objects_left_by_a_crash_go_with_the_next_collection(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    pack_id = await make_garbage(client, plan, A)
    await condemn(client)
    marked = await actions.mark_tenant(house.keeper, client.tenant_id, LATER)
    house.objects.refuses_deletes = True
    with pytest.raises(Unavailable):
        await actions.delete(house.keeper, marked, LATER)
    house.objects.refuses_deletes = False
    assert pack_id in await client.objects()
    run = await client.start(plan)
    with pytest.raises(Unavailable):
        await client.upload(run, A)
    await actions.collect_tenant(house.keeper, client.tenant_id, LATER)
    assert pack_id not in await client.objects()
    await client.upload(run, A)
    await client.read([A, D])


async def test_a_sweep_and_an_upload_see_each_other(house: House, client: Client) -> None:
    """A stray is claimed while its pack is uploaded anew: rows or sweep, never both."""
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    run = await client.start(plan)
    house.objects.after_put = gate = asyncio.Event()
    uploading = asyncio.create_task(client.upload(run, A))
    await house.objects.put_arrived.wait()
    house.objects.after_put = None
    assert await actions.sweep_strays(house.keeper, client.tenant_id, NOW, NOW) == 0, "too young"
    assert await actions.sweep_strays(house.keeper, client.tenant_id, LATER, LATER) == 1
    gate.set()
    with pytest.raises(Unavailable):
        await uploading
    await client.upload(run, A)
    assert await actions.sweep_strays(house.keeper, client.tenant_id, LATER, LATER) == 0
    await client.read([A, D])
    gate = house.objects.after_put = asyncio.Event()
    dying = asyncio.create_task(client.upload(run, B))
    await house.objects.put_arrived.wait()
    await cancelled(dying)
    house.objects.after_put = None
    assert len(await client.objects()) == len(await client.packs()) + 1
    assert await actions.sweep_strays(house.keeper, client.tenant_id, LATER, LATER) == 1
    assert await client.objects() == set(await client.packs())


async def test_repacking_moves_what_is_needed_and_a_stale_run_looks_again(
    house: House, client: Client
) -> None:
    """The run's batch remembers the old pack; it is gone by the commit, and the new one too old."""
    plan = await client.plan()
    await client.copy(plan, {b"a": [A], b"b": [B], b"c": [C], b"d": [D]})
    [old] = await client.packs()
    await client.copy(plan, {}, removed=[b"b", b"c", b"d"])
    await expire(client, plan)
    run = await client.start(await client.plan("other"))
    await client.batch(run, {b"a": [A], b"b": [B]})
    done = await actions.collect_tenant(house.keeper, client.tenant_id, NOW)
    assert (done.repacked, done.failed) == (1, [])
    states = await client.packs()
    assert states.pop(old) == "condemned"
    [(new, state)] = states.items()
    assert state == "live"
    await client.read([A])
    [[new_bytes]] = await house.fetch(
        "SELECT object_bytes FROM catalogue.packs WHERE tenant_id = $1 AND pack_id = $2",
        client.tenant_id,
        new,
    )
    assert await client.stored_bytes() == new_bytes
    # The file goes, and with it the new pack; the old one is resurrected by the stale run.
    await client.copy(plan, {}, removed=[b"a"])
    await expire(client, plan)
    await condemn(client)
    await client.commit(run)
    assert await client.packs() == {old: "live", new: "live"}
    for days in (2, 4, 6):
        when = NOW + timedelta(days=days)
        await actions.collect_tenant(house.keeper, client.tenant_id, when)
        await client.read([A, B])


async def test_a_repack_that_dies_leaves_a_stray(house: House, client: Client) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"a": [A], b"b": [B], b"c": [C], b"d": [D]})
    await client.copy(plan, {}, removed=[b"b", b"c", b"d"])
    await expire(client, plan)
    house.objects.after_put = asyncio.Event()
    dying = asyncio.create_task(actions.collect_tenant(house.keeper, client.tenant_id, NOW))
    await house.objects.put_arrived.wait()
    await cancelled(dying)
    house.objects.after_put = None
    assert len(await client.objects()) == 2
    assert await actions.sweep_strays(house.keeper, client.tenant_id, LATER, LATER) == 1
    assert (await actions.collect_tenant(house.keeper, client.tenant_id, NOW)).repacked == 1
    await client.read([A])


async def test_an_older_mark_is_not_acted_on(house: House, client: Client) -> None:
    """Holds that the newer mark saw are forgotten, so the older one could not know of them."""
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    await make_garbage(client, plan, A)
    run = await client.start(plan)
    await client.batch(run, {b"a": [A]})
    older = await actions.mark_tenant(house.keeper, client.tenant_id, NOW)
    await client.commit(run)
    await actions.collect_tenant(house.keeper, client.tenant_id, NOW)
    holds = "SELECT FROM catalogue.holds WHERE tenant_id = $1"
    assert await house.fetch(holds, client.tenant_id) == []
    with pytest.raises(actions.MarkOutdated):
        await actions.condemn(house.keeper, older, NOW)
    await client.read([A, D])


async def test_a_chunk_that_another_pack_had_first_is_found_again_in_its_own(
    house: House, client: Client
) -> None:
    """Two packs hold a chunk; when the one that counts is deleted, the other can be sent again."""
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    run = await client.start(plan)
    await client.upload(run, A)
    assert await client.upload(run, A, B)
    await client.batch(run, {b"b": [B]})
    await client.commit(run)
    await condemn(client)
    await actions.collect_tenant(house.keeper, client.tenant_id, LATER)
    run = await client.start(plan)
    assert await client.missing(run, [A, B]) == [A]
    assert not await client.upload(run, A, B), "the pack is there, but not all of its rows"
    assert await client.missing(run, [A, B]) == []
    await client.read([A, B])


async def test_a_suspended_client_keeps_everything(house: House, client: Client) -> None:
    from services.retention import store

    plan = await client.plan()
    await client.copy(plan, {b"a": [A]})
    await client.copy(plan, {b"a": [B]})
    forever = NOW + timedelta(days=99)
    for state in ("suspended", "ended"):
        await client.becomes(state)  # type: ignore[arg-type]
        async with house.keeper.pool.acquire() as conn:
            tenant = await store.find_tenant(conn, client.tenant_id)
        assert tenant is not None
        assert await actions.expire_tenant(house.keeper, tenant, forever) == 0


def test_the_limits_are_patient() -> None:
    assert Limits().young >= timedelta(hours=1)
    assert Limits().grace >= timedelta(days=1)
