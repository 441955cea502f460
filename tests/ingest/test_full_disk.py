"""The disk for passing files is full: one sentence, nothing lost, and on once there is room."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2

from libs.shared.entries import FolderDelta
from tests.agent.test_restores_gone_wrong import disk
from tests.ingest.test_outages import start
from tests.world.agents import problem_of
from tests.world.house import House
from tests.world.tenants import Tenant


async def slowly(body: bytes) -> AsyncIterator[bytes]:
    """So that no memory is held for it."""
    yield body[:1000]
    await asyncio.sleep(1.2)
    yield body[1000:]


async def readiness(service: House) -> int:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as operators:
        url = service.place.monitor_url("ingest")
        return (await operators.get(f"{url}/health/ready")).status_code


async def test_what_passes_through_a_full_disk_is_sent_again(
    own_ingest: Callable[..., House], tmp_path: Path
) -> None:
    small = tmp_path / "small"
    with contextlib.ExitStack() as undo:
        undo.enter_context(disk(small, "40m"))
        service = await start(own_ingest, TMPDIR=str(small))
        undo.callback(service.stop, "ingest")
        tenant = Tenant(service)
        await tenant.becomes("active")
        agent = await tenant.enrol()
        plan = await agent.declare()
        run = await agent.start(plan)
        content = os.urandom(200_000)
        pack, delta = agent.pack(content), FolderDelta(b"", [agent.file(b"x", content)], [])
        path = f"/v1/runs/{run}/packs/{pack.id}"
        assert (await readiness(service)) == 200

        ballast = small / "ballast"
        with ballast.open("wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        for answer in (
            await agent.client.put(path, content=slowly(bytes(pack.body))),
            await agent.client.get(f"/v1/plans/{plan}/entries"),
        ):
            assert problem_of(answer) == (503, "no-room")
            assert int(answer.headers["retry-after"]) > 0
        assert "passing.no_room" in service.log("ingest").read_text()
        assert (await agent.client.put(path, content=bytes(pack.body))).status_code == 201
        assert await agent.missing(run, content) == [False]
        assert (await readiness(service)) == 503

        ballast.unlink()
        assert (await readiness(service)) == 200
        other = agent.pack(content[:1000] * 50)
        path = f"/v1/runs/{run}/packs/{other.id}"
        sent = await agent.client.put(path, content=slowly(bytes(other.body)))
        assert sent.status_code == 201
        assert (await agent.send(run, delta)).status_code == 204
        assert (await agent.commit(run)).status_code == 200
        await agent.client.aclose()
