"""Collection, step by step: what goes, what stays, and what a crash leaves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from libs.shared import bucket
from libs.shared.errors import Unavailable
from services.retention import actions
from services.retention.rules.collection import Limits
from tests.retention.garbage import LATER, NOW, A, B, C, D, condemn, expire, make_garbage
from tests.retention.house import Client, House, cancelled
from tests.world.agents import Refused


async def test_what_nothing_needs_is_condemned_then_deleted_after_the_grace(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"a": [A], b"b": [B]})
    [first] = await client.packs()
    await client.copy(plan, {b"a": [C], b"b": [D]})
    done = await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, NOW)
    assert done.condemned == 0, "the first restore point needs it"
    assert await expire(client, plan) == 2
    done = await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, NOW)
    assert (done.condemned, done.deleted) == (1, 0)
    assert (await client.packs())[first] == "condemned"
    done = await actions.collection.tenant.collect_tenant(
        house.keeper, client.tenant_id, NOW + timedelta(hours=23)
    )
    assert done.deleted == 0, "the grace is a day"
    done = await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, LATER)
    assert done.deleted == 1
    assert first not in await client.packs()
    assert first not in await client.objects()
    await client.read([C, D])
    [*_, said] = await client.said("volume.changed.v1")
    assert said["stored_bytes"] == await client.stored_bytes()
    sizes = [size async for _, size in house.objects.list(bucket.packs_of(client.tenant_id))]
    assert sum(sizes) == said["stored_bytes"]


async def test_rows_gone_but_objects_left_by_a_crash_go_with_the_next_collection(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    pack_id = await make_garbage(client, plan, A)
    await condemn(client)
    marked = await actions.collection.packs.mark_tenant(house.keeper, client.tenant_id, LATER)
    house.objects.refuses_deletes = True
    with pytest.raises(Unavailable):
        await actions.collection.packs.delete(house.keeper, marked, LATER)
    house.objects.refuses_deletes = False
    assert pack_id in await client.objects()
    run = await client.start(plan)
    with pytest.raises(Refused, match="unavailable"):
        await client.upload(run, A)
    await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, LATER)
    assert pack_id not in await client.objects()
    await client.upload(run, A)
    await client.read([A, D])


async def test_a_repack_that_dies_leaves_a_stray(house: House, client: Client) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"a": [A], b"b": [B], b"c": [C], b"d": [D]})
    await client.copy(plan, {}, removed=[b"b", b"c", b"d"])
    await expire(client, plan)
    house.objects.after_put = asyncio.Event()
    dying = asyncio.create_task(
        actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, NOW)
    )
    await house.objects.put_arrived.wait()
    await cancelled(dying)
    house.objects.after_put = None
    assert len(await client.objects()) == 2
    assert (
        await actions.collection.strays.sweep_strays(house.keeper, client.tenant_id, LATER, LATER)
        == 1
    )
    assert (
        await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, NOW)
    ).repacked == 1
    await client.read([A])


async def test_an_older_mark_is_not_acted_on(house: House, client: Client) -> None:
    """Holds that the newer mark saw are forgotten, so the older one could not know of them."""
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    await make_garbage(client, plan, A)
    run = await client.start(plan)
    await client.batch(run, {b"a": [A]})
    older = await actions.collection.packs.mark_tenant(house.keeper, client.tenant_id, NOW)
    await client.commit(run)
    await actions.collection.tenant.collect_tenant(house.keeper, client.tenant_id, NOW)
    holds = "SELECT FROM catalogue.holds WHERE tenant_id = $1"
    assert await house.fetch(holds, client.tenant_id) == []
    with pytest.raises(actions.collection.packs.MarkOutdated):
        await actions.collection.packs.condemn(house.keeper, older, NOW)
    await client.read([A, D])


async def test_a_suspended_client_keeps_everything(house: House, client: Client) -> None:
    from services.retention import store

    plan = await client.plan()
    await client.copy(plan, {b"a": [A]})
    await client.copy(plan, {b"a": [B]})
    forever = NOW + timedelta(days=99)
    for state in ("suspended", "ended"):
        await client.becomes(state)  # type: ignore[arg-type]
        async with house.keeper.pool.acquire() as conn:
            tenant = await store.tenants.find(conn, client.tenant_id)
        assert tenant is not None
        assert await actions.expiry.expire_tenant(house.keeper, tenant, forever) == 0


def test_the_limits_are_patient() -> None:
    assert Limits().young >= timedelta(hours=1)
    assert Limits().grace >= timedelta(days=1)
