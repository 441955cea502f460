"""Every way in which a run can cross a collection: nothing that it needs is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.retention import actions
from tests.retention.garbage import LATER, NOW, A, B, C, D, condemn, expire, make_garbage
from tests.retention.house import Client, House, cancelled
from tests.world.agents import Refused


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
    await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, LATER)
    await client.read([A, D])


async def test_a_commit_after_the_mark_keeps_its_packs(house: House, client: Client) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    pack_id = await make_garbage(client, plan, A)
    run = await client.start(plan)
    await client.batch(run, {b"a": [A]})
    marked = await actions.collection.packs.mark_tenant(house.keeper, client.tenant_id, NOW)
    await client.commit(run)
    assert (await actions.collection.packs.condemn(house.keeper, marked, NOW)).condemned == 0
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
    await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, LATER)
    with pytest.raises(Refused, match="chunks-missing"):
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
    marked = await actions.collection.packs.mark_tenant(house.keeper, client.tenant_id, LATER)
    assert (await actions.collection.packs.delete(house.keeper, marked, LATER)).deleted == 1
    gate.set()
    with pytest.raises(Refused, match="unavailable"):
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
    marked = await actions.collection.packs.mark_tenant(house.keeper, client.tenant_id, LATER)
    run = await client.start(plan)
    await client.upload(run, A)
    assert (await actions.collection.packs.delete(house.keeper, marked, LATER)).deleted == 0
    assert (await client.packs())[pack_id] == "live"
    await client.read([A])


async def test_a_sweep_and_an_upload_see_each_other(house: House, client: Client) -> None:
    """A stray is claimed while its pack is uploaded anew: rows or sweep, never both."""
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    run = await client.start(plan)
    house.objects.after_put = gate = asyncio.Event()
    uploading = asyncio.create_task(client.upload(run, A))
    await house.objects.put_arrived.wait()
    house.objects.after_put = None
    assert (
        await actions.collection.strays.sweep_strays(house.keeper, client.tenant_id, NOW, NOW) == 0
    ), "too young"
    assert (
        await actions.collection.strays.sweep_strays(house.keeper, client.tenant_id, LATER, LATER)
        == 1
    )
    gate.set()
    with pytest.raises(Refused, match="unavailable"):
        await uploading
    await client.upload(run, A)
    assert (
        await actions.collection.strays.sweep_strays(house.keeper, client.tenant_id, LATER, LATER)
        == 0
    )
    await client.read([A, D])
    gate = house.objects.after_put = asyncio.Event()
    dying = asyncio.create_task(client.upload(run, B))
    await house.objects.put_arrived.wait()
    await cancelled(dying)
    house.objects.after_put = None
    assert len(await client.objects()) == len(await client.packs()) + 1
    assert (
        await actions.collection.strays.sweep_strays(house.keeper, client.tenant_id, LATER, LATER)
        == 1
    )
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
    done = await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, NOW)
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
        await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, when)
        await client.read([A, B])


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
    await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, LATER)
    run = await client.start(plan)
    assert await client.missing(run, [A, B]) == [A]
    assert not await client.upload(run, A, B), "the pack is there, but not all of its rows"
    assert await client.missing(run, [A, B]) == []
    await client.read([A, B])
