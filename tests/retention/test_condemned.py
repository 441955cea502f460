"""Condemned packs: how long they are kept, and as what they come back."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import clock
from services.retention import actions
from services.retention.actions.collection.packs import Collected
from tests.retention.garbage import NOW, A, B, D, condemn, expire, make_garbage
from tests.retention.house import Client, House

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def collect(client: Client, now: datetime) -> Collected:
    return await actions.collection.tenant.collect_tenant(
        client.house.keeper, client.tenant_id, now
    )


async def damage(client: Client, pack_id: bytes) -> None:
    """Spoils a pack's object, which scrubbing then finds."""
    key = client.key(pack_id)
    body = bytearray(await client.house.objects.get(key))
    body[60] ^= 4
    await client.house.objects.put(key, body)
    soon = clock.now() + HOUR
    done = await actions.scrubbing.scrub_tenant(client.house.keeper, client.tenant_id, soon, soon)
    assert done.damaged == 1


async def counted(client: Client) -> tuple[int, int]:
    """The stored volume as it is counted, and as it is."""
    [[packs]] = await client.house.fetch(
        "SELECT sum(object_bytes)::bigint FROM catalogue.packs"
        " WHERE tenant_id = $1 AND state <> 'condemned'",
        client.tenant_id,
    )
    return await client.stored_bytes(), packs


async def test_the_grace_begins_with_the_condemnation(house: House, client: Client) -> None:
    """A pack may have been needed for years: its age says nothing of who needs it tomorrow."""
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    pack_id = await make_garbage(client, plan, A)
    await house.fetch(
        "UPDATE catalogue.packs SET stored_at = $2 WHERE tenant_id = $1",
        client.tenant_id,
        NOW - 900 * DAY,
    )
    assert (await collect(client, NOW)).condemned == 1
    for hours in (0, 1, 23):
        assert (await collect(client, NOW + hours * HOUR)).deleted == 0, f"after {hours} hours"
    assert pack_id in await client.objects()

    # Needed again within its grace, and condemned a second time: the grace begins anew.
    run = await client.start(plan)
    await client.batch(run, {b"a": [A]})
    await client.commit(run)
    assert (await client.packs())[pack_id] == "live"
    await client.copy(plan, {}, removed=[b"a"])
    await expire(client, plan)
    assert (await collect(client, NOW + 20 * DAY)).condemned == 1
    assert (await collect(client, NOW + 20 * DAY + 23 * HOUR)).deleted == 0, "of the second time"
    assert pack_id in await client.objects()
    assert (await collect(client, NOW + 21 * DAY)).deleted == 1
    assert pack_id not in await client.objects()
    await client.read([D])


async def test_a_damaged_pack_comes_back_damaged(house: House, client: Client) -> None:
    """A commit needs it again: it is kept, and its chunks are asked for and never believed."""
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    pack_id = await make_garbage(client, plan, A, B)
    run = await client.start(plan)
    assert await client.missing(run, [A, B]) == []
    await client.batch(run, {b"a": [A]})
    await damage(client, pack_id)
    await condemn(client)
    assert (await client.packs())[pack_id] == "condemned"
    await client.commit(run)
    assert (await client.packs())[pack_id] == "damaged", "a commit mends no bytes"
    assert len(set(await counted(client))) == 1
    await heals(client, plan, pack_id, [b"a"])


async def test_a_damaged_pack_that_a_mark_finds_needed_is_damaged_still(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [D]})
    before = set(await client.packs())
    await client.copy(plan, {b"a": [A], b"b": [B]})
    [pack_id] = set(await client.packs()) - before
    await damage(client, pack_id)
    await house.fetch(
        "UPDATE catalogue.packs SET state = 'condemned', condemned_at = $3"
        " WHERE tenant_id = $1 AND pack_id = $2",
        client.tenant_id,
        pack_id,
        NOW,
    )
    assert (await collect(client, NOW + 5 * DAY)).resurrected == 1
    assert (await client.packs())[pack_id] == "damaged"
    await heals(client, plan, pack_id, [b"a", b"b"])


async def heals(client: Client, plan: UUID, pack_id: bytes, names: list[bytes]) -> None:
    """The chunks of a damaged pack are wanted, come again, and it is live from then on.

    names: the files that need some of them.
    """
    answer = await client.agent.ask_start(str(plan))
    wanted = {bytes.fromhex(one) for one in answer.json()["wanted_chunks"]}
    assert wanted == {client.id_of(A), client.id_of(B)}
    run = UUID(answer.json()["run_id"])
    assert await client.missing(run, [A, B, D]) == [A, B]
    await client.upload(run, A, B)
    await client.read([A, B, D])
    assert (await client.packs())[pack_id] == "live"
    # It was stored anew: what was said of its older bytes is not said of it any more.
    await client.copy(plan, {}, removed=names)
    await expire(client, plan)
    run = await client.start(plan)
    await client.batch(run, {b"again": [A]})
    await condemn(client)
    assert (await client.packs())[pack_id] == "condemned"
    await client.commit(run)
    assert (await client.packs())[pack_id] == "live"
    await client.read([A, D])
