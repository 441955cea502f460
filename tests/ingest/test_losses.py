"""A rebuild from a bucket that lost something itself, or that was cut short."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import bucket, clock
from libs.shared import database as databases
from libs.shared.entries import FolderDelta
from services.ingest import actions, rules, store
from tests.ingest.lost import Empty, empty_database, fingerprint_of, keys_like, numbers
from tests.world.agents import Agent
from tests.world.house import House
from tests.world.tenants import Tenant


async def test_lost_objects_are_named_and_the_next_run_heals(
    own_ingest: Callable[..., House], database: Any
) -> None:
    """A pack, a part of a delta and a head are gone: the rest comes back, and what is whole."""
    service = own_ingest()
    tenant = Tenant(service)
    await tenant.becomes("active")
    agent = await tenant.enrol()
    plan, other = await agent.declare(), await agent.declare("other")
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"a", b"a")], []), contents=[b"a"])
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"b", b"b")], []), contents=[b"b"])
    lost_pack = agent.pack(b"c")
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"c", b"c")], []), contents=[b"c"])
    for number in range(3):
        delta = FolderDelta(b"", [agent.file(b"%d" % number, b"a")], [])
        await agent.copy(other, delta, contents=[])
    lost_key = bucket.key_of_pack(tenant.tenant_id, bytes.fromhex(lost_pack.id))
    await service.objects.delete(lost_key)
    (part,) = await keys_like(service, agent, other, "2.0.")
    await service.objects.put(part, b"not what it was")
    async with empty_database(service, database.dsn("ingest")) as empty:
        (rebuilt,) = await empty.rebuild(tenant.tenant_id)
        assert any(part in trouble for trouble in rebuilt.troubles)
        assert any("'c'" in trouble for trouble in rebuilt.troubles)
        assert rebuilt.versions_gone == 1
        # Only whole restore points are listed, and one more on top of what is there.
        assert await numbers(empty, plan) == [1, 2, 4]
        assert await numbers(empty, other) == [1, 4]
        assert await empty.read(tenant.tenant_id, other, 4, b"2") == b"a"
        service.stop("ingest")
        service.place = replace(service.place, database=database.name)
        service.start("ingest")
        await tenant.becomes("active")
        again = await tenant.enrol()
        # The agent remembers run 3, is told of run 4, and so compares; then it sends what lacks.
        run = await again.start(plan)
        listed = await again.client.get(f"/v1/plans/{plan}/entries")
        assert listed.headers["x-coffre-run"] == "4"
        assert await again.missing(run, b"b", b"c") == [False, True]
        await again.upload(run, lost_pack)
        await again.send(run, FolderDelta(b"", [again.file(b"c", b"c")], []))
        assert (await again.commit(run)).json()["number"] == 5
        assert await empty.read(tenant.tenant_id, plan, 5, b"c") == b"c"
        await again.client.aclose()
        service.stop("ingest")
    await agent.client.aclose()


async def test_verifying_finds_damage_that_an_index_does_not_show(
    agent: Agent, ingest: House, empty: Empty
) -> None:
    plan = await agent.declare()
    good, bad = agent.pack(b"good"), agent.pack(b"bad")
    for name, pack in ((b"good", good), (b"bad", bad)):
        run = await agent.start(plan)
        await agent.upload(run, pack)
        await agent.send(run, FolderDelta(b"", [agent.file(name, name)], []))
        assert (await agent.commit(run)).status_code == 200
    key = bucket.key_of_pack(agent.tenant.tenant_id, bytes.fromhex(bad.id))
    body = bytearray(await ingest.objects.get(key))
    body[30] ^= 1
    await ingest.objects.put(key, body)
    (rebuilt,) = await empty.rebuild(agent.tenant.tenant_id, verify=True)
    (trouble,) = rebuilt.troubles
    assert bad.id in trouble
    states = dict(await empty.rows("SELECT encode(pack_id, 'hex'), state FROM catalogue.packs"))
    assert states == {good.id: "live", bad.id: "damaged"}


async def test_a_rebuild_that_was_cut_short_goes_on(
    agent: Agent, ingest: House, empty: Empty
) -> None:
    first, second = await agent.declare("first"), await agent.declare("second")
    for plan in (first, second):
        await agent.copy(plan, FolderDelta(b"", [agent.file(b"a", b"a")], []), contents=[b"a"])
    tenant_id = agent.tenant.tenant_id

    class Interrupted(Exception):  # noqa: N818 - stands for a kill
        pass

    def die(line: str) -> None:
        if max(first, second) in line:
            raise Interrupted

    with pytest.raises(Interrupted):
        await actions.rebuild.rebuilding.rebuild(empty.ingest, tenant_id, verify=False, say=die)
    (rebuilt,) = await empty.rebuild(tenant_id)
    assert (rebuilt.plans, rebuilt.troubles) == (2, [])
    assert await empty.fingerprint(tenant_id) == await fingerprint_of(ingest, tenant_id)


async def test_a_machine_takes_its_old_place_only_where_its_name_tells_which(
    agent: Agent, ingest: House, empty: Empty
) -> None:
    tenant = agent.tenant
    twin = await tenant.enrol()
    for one in (agent, twin):
        plan = await one.declare()
        await one.copy(plan, FolderDelta(b"", [one.file(b"a", b"a")], []), contents=[b"a"])
    await empty.rebuild(tenant.tenant_id)

    async def enrol(code: str, hostname: str) -> UUID:
        async with databases.transaction(empty.ingest.pool) as conn:
            digest = hashlib.sha256(code.encode()).hexdigest()
            until = clock.now() + timedelta(hours=1)
            await store.agents.put_subscription(conn, tenant.tenant_id, 1, "active", "")
            await store.agents.add_enrolment(conn, tenant.tenant_id, uuid4(), digest, "", until)
        machine = rules.reported.Machine(hostname=hostname)
        enrolled, _, _ = await actions.agents.enrol(empty.ingest, code, machine)
        return enrolled.agent_id

    known = {agent.agent_id, twin.agent_id}
    assert await enrol("one", "caisse") not in known  # which of the two?
    async with databases.transaction(empty.ingest.pool) as conn:
        await conn.execute(
            "UPDATE agents SET hostname = 'comptoir' WHERE agent_id = $1", twin.agent_id
        )
    assert await enrol("two", "elsewhere") not in known
    assert await enrol("three", "comptoir") == twin.agent_id
    assert await enrol("four", "caisse") == agent.agent_id
    assert await enrol("five", "caisse") not in known
    await twin.client.aclose()
