"""`kill -9` at each step: what was acknowledged is there, and the next try makes it one copy."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import httpx2
import pytest

from libs.shared import bucket
from libs.shared.entries import FolderDelta
from tests.world.agents import Agent, folder
from tests.world.house import House
from tests.world.tenants import Tenant

UPLOAD_STEPS = ["ingest.before_put", "ingest.after_put", "ingest.after_commit"]
COMMIT_STEPS = ["ingest.before_commit_run", "ingest.in_commit_run", "ingest.after_commit_run"]


async def enrolled(service: House) -> Agent:
    tenant = Tenant(service)
    await tenant.becomes("active")
    return await tenant.enrol()


async def test_killed_during_uploads(own_ingest: Callable[..., House]) -> None:
    service = own_ingest()
    agent = await enrolled(service)
    run = await agent.start(await agent.declare())
    acknowledged = []
    for number, step in enumerate(UPLOAD_STEPS):
        before, pack = agent.pack(b"before %d" % number), agent.pack(b"torn %d" % number)
        service.stop("ingest")
        service.start("ingest", COFFRE_CRASHPOINT=f"{step}:2")
        assert (await agent.upload(run, before)).status_code == 201
        with pytest.raises(httpx2.TransportError):
            await agent.upload(run, pack)
        assert service.died("ingest") == 137
        key = bucket.key_of_pack(agent.tenant.tenant_id, bytes.fromhex(pack.id))
        left = [await service.objects.get(key)] if step != "ingest.before_put" else []
        service.start("ingest")
        assert (await agent.upload(run, before)).status_code == 200
        again = await agent.upload(run, pack)
        assert again.status_code == (200 if step == "ingest.after_commit" else 201)
        # Sealing is deterministic: the second PUT wrote the same object.
        assert [await service.objects.get(key) for _ in left] == left
        acknowledged += [before, pack]
    prefix = bucket.packs_of(agent.tenant.tenant_id)
    listed = {key.rpartition("/")[2]: size async for key, size in service.objects.list(prefix)}
    assert set(listed) == {pack.id for pack in acknowledged}
    rows = await service.fetch("SELECT stored_bytes, sequence FROM catalogue.volumes")
    assert tuple(rows[0]) == (sum(listed.values()), len(acknowledged))
    await agent.client.aclose()


async def test_killed_during_commits(own_ingest: Callable[..., House]) -> None:
    service = own_ingest()
    agent = await enrolled(service)
    plan = await agent.declare()
    for number, step in enumerate(COMMIT_STEPS, 1):
        run = await agent.start(plan)
        content = b"content %d" % number
        await agent.upload(run, agent.pack(content))
        delta = FolderDelta(b"", [agent.file(b"f%d" % number, content)], [])
        await agent.send(run, delta)
        service.stop("ingest")
        service.start("ingest", COFFRE_CRASHPOINT=step)
        with pytest.raises(httpx2.TransportError):
            await agent.commit(run)
        assert service.died("ingest") == 137
        rows = await service.fetch("SELECT count(*) AS n FROM catalogue.versions")
        assert rows[0]["n"] == (number if step == "ingest.after_commit_run" else number - 1)
        service.start("ingest")
        answer = await agent.commit(run)
        assert answer.json()["number"] == number
        assert answer.json() == (await agent.commit(run)).json()
    finished = await service.events(agent.tenant.tenant_id, "run.finished.v1")
    assert [(event["number"], event["outcome"]) for event in finished] == [
        (1, "succeeded"),
        (2, "succeeded"),
        (3, "succeeded"),
    ]
    await agent.client.aclose()


async def test_killed_while_a_script_sends(own_ingest: Callable[..., House]) -> None:
    service = own_ingest()
    agent = await enrolled(service)
    run = await agent.start(await agent.declare())
    size_bytes = 700_000

    async def put(name: str) -> httpx2.Response:
        content = random.Random(name).randbytes(size_bytes)  # its own: what is stored is not put
        return await agent.client.put(f"/v1/runs/{run}/files/{name}", content=content)

    async def commit(_name: str) -> httpx2.Response:
        return await agent.client.post(f"/v1/runs/{run}/commit", json={})

    for step, call in (
        *((step, put) for step in UPLOAD_STEPS),
        ("ingest.after_file", put),
        ("ingest.in_commit_run", commit),
    ):
        service.stop("ingest")
        service.start("ingest", COFFRE_CRASHPOINT=step)
        with pytest.raises(httpx2.TransportError):
            await call(step)
        assert service.died("ingest") == 137
        service.start("ingest")
        answer = await call(step)
        assert answer.status_code == 200, answer.text
    assert answer.json()["protected_bytes"] == (len(UPLOAD_STEPS) + 1) * size_bytes
    rows = await service.fetch("SELECT count(*) AS n FROM ingest.run_files")
    assert rows[0]["n"] == 0
    await agent.client.aclose()


async def test_killed_at_any_moment_under_load(own_ingest: Callable[..., House]) -> None:
    service = own_ingest()
    agent = await enrolled(service)
    run = await agent.start(await agent.declare())
    dice = random.Random(9)
    acknowledged: list[str] = []
    stopped = False

    async def push() -> None:
        while not stopped:
            pack = agent.pack(dice.randbytes(dice.randrange(1, 60_000)))
            while True:
                try:
                    answer = await agent.upload(run, pack)
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)
                    continue
                if answer.status_code in (200, 201):
                    acknowledged.append(pack.id)
                    break

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(push())
        for killed in range(1, 4):
            while len(acknowledged) < 7 * killed:  # however slow the machine is
                await asyncio.sleep(0.01)
            await asyncio.sleep(dice.random())
            service.kill("ingest")
            await asyncio.to_thread(service.start, "ingest")
        stopped = True
    rows = await service.fetch(
        "SELECT encode(pack_id, 'hex') AS id, object_bytes FROM catalogue.packs"
    )
    stored = {row["id"]: row["object_bytes"] for row in rows}
    assert set(acknowledged) <= set(stored)
    prefix = bucket.packs_of(agent.tenant.tenant_id)
    listed = {key.rpartition("/")[2]: size async for key, size in service.objects.list(prefix)}
    assert {name: listed.get(name) for name in stored} == stored
    volume = await service.fetch("SELECT stored_bytes FROM catalogue.volumes")
    assert volume[0]["stored_bytes"] == sum(stored.values())
    await agent.send(run, FolderDelta(b"", [folder(b"x")], []))
    assert (await agent.commit(run)).status_code == 200
    await agent.client.aclose()
