"""Storage, database or broker away: wait and go on, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

from libs.shared.entries import FolderDelta
from tests.faults import answer_with, faulty_endpoint
from tests.servers import free_port
from tests.world.agents import problem_of
from tests.world.house import House
from tests.world.tenants import Tenant


class Line:
    """A way to a server that can be cut."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._target = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def join(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._open |= {writer, far_writer}

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while piece := await source.read(65_536):
                    target.write(piece)
                    await target.drain()
            target.close()

        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        self._open -= {writer, far_writer}


@contextlib.asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    line = Line(port)
    await line.join()
    try:
        yield line
    finally:
        line.cut()


async def start(own_ingest: Callable[..., House], **environ: str) -> House:
    return await asyncio.to_thread(own_ingest, **environ)


async def test_storage_down(own_ingest: Callable[..., House], servers: Any) -> None:
    async with line_to(int(servers.s3_endpoint.rpartition(":")[2])) as line:
        service = await start(own_ingest, COFFRE_S3_ENDPOINT=f"http://127.0.0.1:{line.port}")
        tenant = Tenant(service)
        await tenant.becomes("active")
        agent = await tenant.enrol()
        plan = await agent.declare()
        run = await agent.start(plan)
        pack, delta = agent.pack(b"x"), FolderDelta(b"", [agent.file(b"x", b"x")], [])
        line.cut()
        for answer in (
            await agent.upload(run, pack),
            await agent.send(run),
            await agent.commit(run, 0),
        ):
            assert problem_of(answer) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
        ready = await agent.client.get(f"{service.place.monitor_url('ingest')}/health/ready")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == "ok"
        rows = await service.fetch("SELECT count(*) AS n FROM catalogue.packs")
        assert rows[0]["n"] == 0
        await line.join()
        assert (await agent.upload(run, pack)).status_code == 201
        assert (await agent.send(run, delta)).status_code == 204
        assert (await agent.commit(run)).status_code == 200
        await agent.client.aclose()


async def test_a_wrong_bucket_is_named_to_operators(own_ingest: Callable[..., House]) -> None:
    service = own_ingest(COFFRE_S3_BUCKET="no-such-bucket")
    url = service.place.monitor_url("ingest")
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        ready = await client.get("/health/ready")
    assert ready.status_code == 503
    endpoint = service.place.servers.store.settings("")["s3_endpoint"]
    told = (
        f"The bucket 'no-such-bucket' does not exist at {endpoint}:"
        " set COFFRE_S3_BUCKET, or make it."
    )
    checks = ready.json()["checks"]
    assert (checks["database"], checks["storage"]) == ("ok", told)
    assert told[1:-1] in service.log("ingest").read_text()


async def test_storage_full(own_ingest: Callable[..., House], servers: Any) -> None:
    full = False
    refusal = answer_with("507 Insufficient Storage", b"")

    def fault(request: bytes, answer: bytes) -> bytes | None:
        is_refused = full and request.startswith(b"PUT ")
        return refusal(request, answer) if is_refused else answer

    async with faulty_endpoint(servers.s3_endpoint, fault) as endpoint:
        service = await start(own_ingest, COFFRE_S3_ENDPOINT=endpoint)
        tenant = Tenant(service)
        await tenant.becomes("active")
        agent = await tenant.enrol()
        plan = await agent.declare()
        run = await agent.start(plan)
        assert (await agent.upload(run, agent.pack(b"before"))).status_code == 201
        full = True
        pack, delta = agent.pack(b"x"), FolderDelta(b"", [agent.file(b"x", b"x")], [])
        for answer in (
            await agent.upload(run, pack),
            await agent.send(run),
            await agent.commit(run, 0),
        ):
            assert problem_of(answer) == (503, "storage-refused")
            assert "507" in answer.json()["detail"]
            assert int(answer.headers["retry-after"]) > 0
        assert await agent.missing(run, b"before", b"x") == [False, True]
        rows = await service.fetch("SELECT count(*) AS n FROM catalogue.packs")
        assert rows[0]["n"] == 1
        full = False
        assert (await agent.upload(run, pack)).status_code == 201
        assert (await agent.send(run, delta)).status_code == 204
        assert (await agent.commit(run)).status_code == 200
        await agent.client.aclose()


async def test_database_down(own_ingest: Callable[..., House], servers: Any) -> None:
    async with line_to(servers.postgres_port) as line:
        service = await start(own_ingest)
        tenant = Tenant(service)
        await tenant.becomes("active")
        agent = await tenant.enrol()
        run = await agent.start(await agent.declare())
        service.stop("ingest")
        dsn = service.dsn("ingest")
        through = dsn.replace(f":{servers.postgres_port}/", f":{line.port}/")
        await asyncio.to_thread(service.start, "ingest", COFFRE_DATABASE_URL=through)
        pack = agent.pack(b"x")
        assert await agent.missing(run, b"x") == [True]
        line.cut()
        began = time.monotonic()
        for answer in (
            await agent.upload(run, pack),
            await agent.ask_start(run),
            await agent.commit(run, 0),
        ):
            assert problem_of(answer) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
        assert time.monotonic() - began < 40
        assert (await agent.client.get("/health/ready")).status_code == 503
        assert (await agent.client.get("/health/live")).status_code == 200
        await line.join()
        assert (await agent.upload(run, pack)).status_code == 201
        assert (await agent.commit(run, 0)).status_code == 200
        await agent.client.aclose()


async def test_broker_down(own_ingest: Callable[..., House]) -> None:
    """Copies arrive; what was to be said waits in the outbox."""
    address = f"amqp://guest:guest@127.0.0.1:{free_port()}/x"
    service = await start(own_ingest, COFFRE_AMQP_URL=address)
    tenant = Tenant(service)
    await tenant.becomes("active")
    agent = await tenant.enrol()
    number = await agent.copy(
        await agent.declare(),
        FolderDelta(b"", [agent.file(b"x", b"x")], []),
        contents=[b"x"],
    )
    assert number == 1
    ready = await agent.client.get(f"{service.place.monitor_url('ingest')}/health/ready")
    assert ready.status_code == 200
    assert ready.json()["checks"]["broker"] != "ok"
    rows = await service.fetch(
        "SELECT count(*) AS n FROM ingest.outbox WHERE published_at IS NULL AND tenant_id = $1",
        tenant.tenant_id,
    )
    assert rows[0]["n"] >= 5
    await agent.client.aclose()
