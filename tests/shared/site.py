"""A site of the application factory on a real socket, and a client that speaks to it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from libs.shared import web
from libs.shared.errors import NotFound, Unavailable
from libs.shared.runtime import http
from tests.servers import free_port

LARGE_BYTES = 32 << 20
"""More than sockets hold on their way."""


class Order(BaseModel):
    """What a route of the site takes."""

    bytes_wanted: int


def routes() -> APIRouter:
    """Routes that answer in every way there is."""
    router = APIRouter()

    @router.get("/things/{thing}")
    async def read_thing(thing: str) -> dict[str, str]:
        if thing == "none":
            raise NotFound("thing")
        if thing == "down":
            raise Unavailable("storage", 7)
        if thing == "bug":
            raise RuntimeError("secret detail")
        return {"thing": thing}

    @router.post("/orders")
    async def order(wanted: Order) -> dict[str, int]:
        return {"ordered": wanted.bytes_wanted}

    @router.put("/packs")
    async def put_pack(request: Request) -> dict[str, int]:
        return {"received": len(await web.read_body(request))}

    @router.put("/streams/{name:path}")
    async def put_stream(name: str, request: Request) -> Response:
        received, content = 0, hashlib.sha256()
        async for piece in request.stream():
            received += len(piece)
            content.update(piece)
            if name == "unwanted":
                raise NotFound("stream")
        answer = "late" if "x-late" in request.headers else str(received)
        return Response(answer, headers={"X-Content": content.hexdigest()})

    @router.get("/half")
    async def half() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("secret detail")

        return StreamingResponse(pieces())

    @router.get("/slow")
    async def slow() -> Response:
        await asyncio.sleep(0.8)
        return Response("slow", headers={"Connection": "close"})

    @router.get("/large")
    async def large() -> Response:
        return Response(bytes(LARGE_BYTES))

    @router.get("/page")
    async def page() -> Response:
        return Response("page", headers={"Content-Security-Policy": "default-src 'self'"})

    return router


class Caller:
    """Speaks to the site, through a client library or in bytes of its own, and to its monitor.

    health: what the site's checks of itself find, and how often they looked.
    """

    def __init__(
        self,
        port: int,
        client: httpx2.AsyncClient,
        monitor: httpx2.AsyncClient,
        health: dict[str, int],
    ) -> None:
        self.port = port
        self.http = client
        self.monitor = monitor
        self.health = health

    async def raw(self, request: bytes, *, pause: float = 0, rest: bytes = b"") -> bytes:
        """Sends bytes as they are; all that is answered until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            if rest:
                await asyncio.sleep(pause)
                writer.write(rest)
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)


@asynccontextmanager
async def open_site() -> AsyncIterator[Caller]:
    """The site, serving, and gone afterwards."""
    health = {"database": True, "broker": True, "looked": 0}

    def probe(name: str) -> Any:
        async def look() -> None:
            health["looked"] += name == "database"
            if not health[name]:
                raise Unavailable(name)

        return look

    app = web.create_app(
        "test",
        ready=[
            web.Check("database", probe("database")),
            web.Check("broker", probe("broker"), required=False),
        ],
        routers=[routes()],
        bodies={
            ("POST", "/orders"): web.Limit(2000, seconds=2),
            ("PUT", "/packs"): web.Limit(1000, seconds=2, pause_seconds=0.5),
            ("PUT", "/streams/{name:path}"): web.Limit(
                200_000, seconds=3, pause_seconds=3, least_rate=10_000
            ),
        },
    )
    port, monitor_port, stop = free_port(), free_port(), asyncio.Event()
    monitor = web.create_monitor("test", app)
    ending = http.Farewell(stop, handover_seconds=0, drain_seconds=15)
    serving = asyncio.gather(
        http.serve(app, f"127.0.0.1:{port}", ending),
        http.serve(monitor, f"127.0.0.1:{monitor_port}", ending),
    )
    async with (
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False, timeout=60) as sender,
        httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{monitor_port}", verify=False, timeout=60
        ) as looking,
    ):
        made = Caller(port, sender, looking, health)
        while not serving.done():
            try:
                await sender.get("/health/live")
                await looking.get("/metrics")
                break
            except httpx2.ConnectError:
                await asyncio.sleep(0.02)
        yield made
    stop.set()
    await serving


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection ends, for one who goes on sending meanwhile.

    What is sent to a connection that was closed a moment ago is answered by a reset.
    """
    came = bytearray()
    with suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            came += piece
    return bytes(came)


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """A problem's document, after checking its form."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:coffre:problem:{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"].endswith((".", "help."))
    return body
