"""HTTP as a client sees it: problems, limits, deadlines, health, metrics, on real sockets."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from libs.shared import web
from libs.shared.errors import NotFound, Unavailable
from libs.shared.runtime import http


class Order(BaseModel):
    bytes_wanted: int


def routes() -> APIRouter:
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
        body = await web.read_body(request, 1000, 2.0, read_seconds=0.5)
        return {"received": len(body)}

    @router.put("/streams/{name:path}")
    async def put_stream(name: str, request: Request) -> Response:
        received = 0
        async for piece in request.stream():
            received += len(piece)
            if name == "unwanted":
                return web.problem_response(NotFound("stream"), in_body=True)
        return Response(str(received))

    @router.get("/half")
    async def half() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("secret detail")

        return StreamingResponse(pieces())

    @router.get("/page")
    async def page() -> Response:
        return Response("page", headers={"Content-Security-Policy": "default-src 'self'"})

    return router


class Client:
    def __init__(self, port: int, client: httpx2.AsyncClient) -> None:
        self.port = port
        self.http = client

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


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    health = {"database": True, "broker": True}

    def probe(name: str) -> Any:
        async def look() -> None:
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
        max_body_bytes=2000,
        body_deadline_seconds=2.0,
        streams=web.Streams(re.compile("/streams/"), 200_000, 10_000, 0.8),
    )
    app.state.health = health
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(http.serve(app, f"127.0.0.1:{port}", stop))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as sender:
        made = Client(port, sender)
        made.health = health  # type: ignore[attr-defined]  # for the test of readiness
        while not serving.done():
            try:
                await sender.get("/health/live")
                break
            except httpx2.ConnectError:
                await asyncio.sleep(0.02)
        yield made
    stop.set()
    await serving


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:coffre:problem:{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"].endswith((".", "help."))
    return body


async def test_refusals_are_problems(client: Client) -> None:
    assert (await client.http.get("/things/one")).json() == {"thing": "one"}
    answer = await client.http.get("/things/none")
    assert problem(answer, 404, "not-found")["detail"] == "There is no such thing."
    answer = await client.http.get("/things/down")
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "7"


async def test_unknown_routes_and_methods_are_problems(client: Client) -> None:
    problem(await client.http.get("/nowhere"), 404, "not-found")
    answer = await client.http.delete("/things/one")
    problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


async def test_an_invalid_body_is_named_and_never_repeated(client: Client) -> None:
    answer = await client.http.post("/orders", json={"bytes_wanted": "hunter2"})
    body = problem(answer, 422, "invalid-request")
    assert body["errors"][0]["where"] == "body.bytes_wanted"
    assert "hunter2" not in answer.text
    for content in (b"{", b"\xff\xfe", b"", b"[]", b'{"bytes_wanted": "\xed\xa0\x80"}'):
        answer = await client.http.post(
            "/orders", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422), content
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_bug_is_a_500_that_tells_nothing_but_its_id(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await client.http.get("/things/bug", headers={"X-Request-Id": "abc-12345"})
    body = problem(answer, 500, "internal-error")
    assert body["request_id"] == answer.headers["x-request-id"] == "abc-12345"
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert (await client.http.get("/things/one")).status_code == 200


async def test_an_answer_that_breaks_in_the_middle_is_cut_not_ended(client: Client) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        await client.http.get("/half")


async def test_every_answer_has_an_id_and_safe_headers(client: Client) -> None:
    for path in ("/things/one", "/nowhere", "/things/bug", "/health/live"):
        headers = (await client.http.get(path, headers={"X-Request-Id": "bad\tid"})).headers
        assert len(headers["x-request-id"]) == 24
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in headers
    page = await client.http.get("/page")
    assert page.headers["content-security-policy"] == "default-src 'self'"


async def test_a_body_over_the_limit_is_refused_declared_or_not(client: Client) -> None:
    answer = await client.http.put("/packs", content=b"x" * 1000)
    assert answer.json() == {"received": 1000}
    for path, size in (("/packs", 1001), ("/packs", 2001), ("/orders", 2001)):
        body = b"x" * size
        declared = await client.http.request(
            "POST" if path == "/orders" else "PUT", path, content=body
        )
        problem(declared, 413, "body-too-large")

        async def pieces(body: bytes = body) -> AsyncIterator[bytes]:
            for start in range(0, len(body), 100):
                yield body[start : start + 100]

        chunked = await client.http.request(
            "POST" if path == "/orders" else "PUT",
            path,
            content=pieces(),
            headers={"content-type": "application/json"},
        )
        problem(chunked, 413, "body-too-large")


async def test_an_oversize_declaration_is_refused_before_the_body_comes(client: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"PUT /packs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.transport.abort()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


async def test_a_slow_body_gets_a_408_and_the_connection_ends(client: Client) -> None:
    head = b"PUT /packs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    stalled = await client.raw(head + b"x")
    assert stalled.startswith(b"HTTP/1.1 408 ")
    assert json.loads(stalled.split(b"\r\n\r\n")[1])["type"] == "urn:coffre:problem:too-slow"

    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(head)
    for _ in range(30):  # a byte now and then keeps each read alive, but not the whole
        writer.write(b"x")
        await asyncio.sleep(0.1)
        if reader._buffer:  # type: ignore[attr-defined]  # an answer has come
            break
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_long_body_may_take_its_time_as_long_as_it_keeps_its_rate(client: Client) -> None:
    async def pieces(count: int, size: int, pause: float) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * size
            await asyncio.sleep(pause)

    async def put(count: int, size: int, pause: float, name: str = "a/b") -> httpx2.Response:
        return await client.http.put(f"/streams/{name}", content=pieces(count, size, pause))

    async def trickle() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"PUT /streams/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n")
        while not reader._buffer:  # type: ignore[attr-defined]  # until an answer has come
            writer.write(b"x" * 100)
            await asyncio.sleep(0.1)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer

    steady, pausing, trickling, too_large, unwanted = await asyncio.gather(
        put(25, 2_000, 0.1),  # longer than the deadline of other routes, larger than their limit
        put(4, 20_000, 0.5),
        trickle(),
        put(30, 10_000, 0),
        put(10, 10_000, 0.02, "unwanted"),
    )
    assert (steady.status_code, steady.text) == (200, "50000")
    assert (pausing.status_code, pausing.text) == (200, "80000")
    assert trickling.startswith(b"HTTP/1.1 408 ")
    problem(too_large, 413, "body-too-large")
    problem(unwanted, 404, "not-found")  # said while the client is still sending
    declared = await client.http.put("/streams/a", content=b"x" * 200_001)
    problem(declared, 413, "body-too-large")


async def test_slow_headers_end_the_connection(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HEADER_SECONDS", 0.3)
    assert await client.raw(b"GET /health/live HT") == b""
    assert await client.raw(b"") == b""
    # a second request on a connection that was served has the same deadline
    first = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await client.raw(first, pause=0.5, rest=b"GET /hea")
    assert answer.count(b"HTTP/1.1 200 ") == 1


async def test_nonsense_is_refused_and_harms_nobody(client: Client) -> None:
    for nonsense in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ):
        assert (await client.raw(nonsense)).startswith(b"HTTP/1.1 400 ")
    assert (await client.http.get("/things/one")).status_code == 200


async def test_a_client_that_goes_away_is_no_error(client: Client) -> None:
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"PUT /packs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nxx")
        await asyncio.sleep(0.02)
        writer.transport.abort()
    assert (await client.http.get("/things/one")).status_code == 200


async def test_readiness_needs_what_is_required_and_shows_the_rest(client: Client) -> None:
    health = client.health  # type: ignore[attr-defined]  # set by the fixture
    answer = await client.http.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"database": "ok", "broker": "ok"}}
    health["broker"] = False
    answer = await client.http.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["checks"]["broker"].startswith("The broker does not answer")
    health["database"] = False
    answer = await client.http.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert (await client.http.get("/health/live")).status_code == 200


async def test_metrics_count_by_route_template_not_by_path(client: Client) -> None:
    await client.http.get("/things/very-special-id")
    await client.http.get("/nowhere/very-special-id")
    metrics = (await client.http.get("/metrics")).text
    assert (
        'coffre_http_requests_total{method="GET",route="/things/{thing}",service="test",status="200"}'
        in metrics
    )
    assert 'route="unknown",service="test",status="404"' in metrics
    assert "very-special-id" not in metrics
