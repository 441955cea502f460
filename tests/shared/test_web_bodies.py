"""What a server takes from a client: limits, deadlines, nonsense, on real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from libs.shared.runtime import connections
from libs.shared.web import bodies
from tests.shared.site import Caller, problem, read_to_end


async def test_a_body_over_the_limit_is_refused_declared_or_not(client: Caller) -> None:
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


async def test_an_oversize_declaration_is_refused_before_the_body_comes(client: Caller) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"PUT /packs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    writer.transport.abort()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


async def test_a_slow_body_gets_a_408_and_the_connection_ends(client: Caller) -> None:
    head = b"PUT /packs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    stalled = await client.raw(head + b"x")
    assert stalled.startswith(b"HTTP/1.1 408 ")
    assert json.loads(stalled.split(b"\r\n\r\n")[1])["type"] == "urn:coffre:problem:too-slow"

    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(head)
    answered = asyncio.create_task(read_to_end(reader))
    async with asyncio.timeout(60):
        while not answered.done():  # a byte now and then keeps each read alive, but not the whole
            writer.write(b"x")
            await asyncio.sleep(0.1)
    writer.transport.abort()
    assert answered.result().startswith(b"HTTP/1.1 408 ")


async def test_a_long_body_may_take_its_time_as_long_as_it_keeps_its_rate(client: Caller) -> None:
    async def pieces(count: int, size: int, pause: float) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * size
            await asyncio.sleep(pause)

    async def put(count: int, size: int, pause: float, name: str = "a/b") -> httpx2.Response:
        return await client.http.put(f"/streams/{name}", content=pieces(count, size, pause))

    async def trickle() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"PUT /streams/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n")
        answered = asyncio.create_task(read_to_end(reader))
        while not answered.done():
            writer.write(b"x" * 100)
            await asyncio.sleep(0.1)
        writer.transport.abort()
        return answered.result()

    steady, pausing, trickling, too_large, unwanted = await asyncio.gather(
        put(33, 4_000, 0.1),  # longer than the deadline of other routes, larger than their limit
        put(7, 20_000, 0.3),
        trickle(),
        put(30, 10_000, 0),
        put(10, 10_000, 0.02, "unwanted"),
    )
    assert (steady.status_code, steady.text) == (200, "132000")
    assert (pausing.status_code, pausing.text) == (200, "140000")
    assert trickling.startswith(b"HTTP/1.1 408 ")
    problem(too_large, 413, "body-too-large")
    problem(unwanted, 404, "not-found")  # said while the client is still sending
    declared = await client.http.put("/streams/a", content=b"x" * 200_001)
    problem(declared, 413, "body-too-large")


async def test_a_body_is_handed_on_as_it_came_whatever_its_pieces(client: Caller) -> None:
    chance = random.Random(3)
    for sizes in ([1] * 3_000, [1, 70_000, 1, 1, 80_000], [190_000]):
        pieces = [chance.randbytes(size) for size in sizes]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        head = b"PUT /streams/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        answer = await client.raw(
            head + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"
        )
        assert hashlib.sha256(b"".join(pieces)).hexdigest().encode() in answer
        content = b"".join(pieces)
        answer = await client.raw(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        assert hashlib.sha256(content).hexdigest().encode() in answer


async def test_a_body_that_nobody_asked_for_is_read_away(client: Caller) -> None:
    for sent in (b"x" * 100_000, b"x"):
        head = b"GET /things/one HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(sent)
        last = b"GET /things/two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = await client.raw(head + sent + last)  # the connection goes on behind it
        assert answer.count(b"HTTP/1.1 200 ") == 2
    for path in ("/things/one", "/nowhere"):
        answer = await client.http.request("GET", path, content=b"x" * ((1 << 20) + 1))
        problem(answer, 413, "body-too-large")
    problem(await client.http.request("GET", "/nowhere", content=b"x" * 1000), 404, "not-found")


async def test_who_goes_on_sending_after_the_answer_does_not_stay(
    client: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "LINGER_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"PUT /streams/unwanted HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"connection: close" in head.lower()
    length = int(re.findall(rb"(?i)content-length: *(\d+)", head)[0])
    ended = asyncio.create_task(read_to_end(reader))
    async with asyncio.timeout(60):
        while not ended.done():  # a byte now and then keeps nothing alive
            writer.write(b"x")
            await asyncio.sleep(0.1)
    body = ended.result()
    assert (len(body), json.loads(body)["status"]) == (length, 404)
    writer.transport.abort()


async def test_slow_headers_end_the_connection(
    client: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    assert await client.raw(b"GET /health/live HT") == b""
    assert await client.raw(b"") == b""
    # a second request on a connection that was served has the same deadline
    first = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await client.raw(first, pause=0.5, rest=b"GET /hea")
    assert answer.count(b"HTTP/1.1 200 ") == 1


async def test_nonsense_is_refused_and_harms_nobody(client: Caller) -> None:
    for nonsense in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ):
        assert (await client.raw(nonsense)).startswith(b"HTTP/1.1 400 ")
    assert (await client.http.get("/things/one")).status_code == 200


async def test_a_client_that_goes_away_is_no_error(client: Caller) -> None:
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"PUT /packs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nxx")
        await asyncio.sleep(0.02)
        writer.transport.abort()
    assert (await client.http.get("/things/one")).status_code == 200
