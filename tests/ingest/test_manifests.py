"""What the bucket knows of runs that were cut short: a rebuild tells it rightly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import httpx2
import pytest
import time_machine

from libs.shared import bucket, clock
from libs.shared import database as databases
from libs.shared.entries import FolderDelta
from libs.shared.errors import Unavailable
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from services.ingest import actions
from tests.ingest.lost import Empty, empty_database, fingerprint_of, keys_like, numbers
from tests.world.agents import Agent
from tests.world.house import House
from tests.world.tenants import Tenant

STEPS = [
    "ingest.before_commit_run",
    "ingest.in_commit_run",
    "ingest.after_commit_run",
    "ingest.after_tell_end",
]


async def test_the_newest_run_when_ingest_died_in_its_commit(
    own_ingest: Callable[..., House], database: Any
) -> None:
    """Its agent had sent all and asked for it, so it comes back, unless it was given up later."""
    service = own_ingest(COFFRE_CRASHPOINT=f"{STEPS[0]}:2")
    cut: dict[str, tuple[Agent, str, str]] = {}
    async with empty_database(service, database.dsn("ingest")) as empty:
        for step in STEPS:
            if cut:
                service.start("ingest", COFFRE_CRASHPOINT=f"{step}:2")
            tenant = Tenant(service)
            await tenant.becomes("active")
            agent = await tenant.enrol()
            plan = await agent.declare()
            await agent.copy(plan, FolderDelta(b"", [agent.file(b"a", b"a")], []), contents=[b"a"])
            run = await agent.start(plan)
            await agent.upload(run, agent.pack(b"b"))
            await agent.send(run, FolderDelta(b"", [agent.file(b"b", b"b")], [b"a"]))
            with pytest.raises(httpx2.TransportError):
                await agent.commit(run)
            assert service.died("ingest") == 137
            assert len(await read_ends(service, agent, plan, 2)) == (step == STEPS[-1])
            (rebuilt,) = await empty.rebuild(tenant.tenant_id)
            assert rebuilt.troubles == []
            assert await numbers(empty, plan) == [1, 2]
            assert await empty.read(tenant.tenant_id, plan, 2, b"b") == b"b"
            cut[step] = agent, plan, run
        # The database is not lost after all: one gives up, the others ask again.
        service.start("ingest", COFFRE_CRASHPOINT="")
        for step, (agent, _, run) in cut.items():
            if step == STEPS[0]:
                assert (await agent.abort(run)).status_code == 200
            else:
                assert (await agent.commit(run)).json()["number"] == 2
        await tell_ends(service)
        for step, (agent, plan, _) in cut.items():
            (end,) = await read_ends(service, agent, plan, 2)
            assert end["state"] == ("failed" if step == STEPS[0] else "committed")
            await forget(database, agent)
            await empty.rebuild(agent.tenant.tenant_id)
            assert await numbers(empty, plan) == ([1] if step == STEPS[0] else [1, 2])
            expected = await fingerprint_of(service, agent.tenant.tenant_id)
            assert await empty.fingerprint(agent.tenant.tenant_id) == expected
            await agent.client.aclose()


async def forget(database: Any, agent: Agent) -> None:
    """Loses a rebuilt tenant once more."""
    connection = await asyncpg.connect(database.admin_dsn)
    for table in (
        *("ingest.rebuilds", "ingest.names_due", "ingest.runs", "ingest.plans", "ingest.agents"),
        *(f"catalogue.{name}" for name in ("versions", "folders", "runs", "plans", "volumes")),
        *("catalogue.chunks", "catalogue.packs"),
    ):
        await connection.execute(
            f"DELETE FROM {table} WHERE tenant_id = $1",
            agent.tenant.tenant_id,
        )
    await connection.close()


async def tell_ends(service: House) -> None:
    """What the job does some seconds after the runs' ends."""
    untold = (
        "SELECT count(*) FROM runs"
        " WHERE tried_at IS NOT NULL AND finished_at IS NOT NULL AND NOT end_written"
    )
    async with empty_database(service, service.dsn("ingest")) as own:
        for _ in range(100):
            await actions.manifests.ends.tell_ends(own.ingest)
            async with databases.acquire(own.ingest.pool) as conn:
                if not await conn.fetchval(untold):
                    return
            await asyncio.sleep(0.1)
    raise AssertionError("the bucket was not told of all ends")


async def find_the_store_away(service: House) -> None:
    """What the job would meet if the store were gone: it is late then, and has not succeeded."""
    nowhere = ObjectStore.in_s3("http://127.0.0.1:9", "key", "secret-key", "bucket")
    async with empty_database(service, service.dsn("ingest"), nowhere) as own:
        with (
            time_machine.travel(clock.now() + timedelta(minutes=1), tick=True),
            pytest.raises(Unavailable),
        ):
            await actions.manifests.ends.tell_ends(own.ingest)
    await nowhere.close()


async def read_ends(service: House, agent: Agent, plan: str, run: int) -> list[dict[str, Any]]:
    keys = await KeyRing(service.objects, service.master_key).get(agent.tenant.tenant_id)
    told = []
    for key in await keys_like(service, agent, plan, f"{run}.end"):
        sealed = await service.objects.get(key)
        told.append(json.loads(bucket.open_object(sealed, keys, key)))
    return told


async def test_a_run_that_was_given_up_after_its_commit_was_refused(
    agent: Agent, ingest: House, empty: Empty
) -> None:
    """Its head lies in the bucket, and it must not come back; nor does one followed by another."""
    plan = await agent.declare()
    await agent.copy(plan, FolderDelta(b"", [agent.file(b"a", b"a")], []), contents=[b"a"])
    orphan = FolderDelta(b"nowhere", [agent.file(b"x", b"a")], [])
    run = await agent.start(plan)
    await agent.send(run, orphan)
    assert (await agent.commit(run)).status_code == 422
    assert len(await keys_like(ingest, agent, plan, "2.head.")) == 1
    tenant_id = agent.tenant.tenant_id
    # Not told yet: a rebuild refuses it for the same reason as the commit did.
    await empty.rebuild(tenant_id)
    assert await numbers(empty, plan) == [1]
    await agent.abort(run, reason={"code": "tired", "detail": "no more"})
    await find_the_store_away(ingest)
    await tell_ends(ingest)
    assert [end["state"] for end in await read_ends(ingest, agent, plan, 2)] == ["failed"]
