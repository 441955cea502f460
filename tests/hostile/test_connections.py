"""What one connection can cost: heads without an end, lines that begin nothing, crowds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from libs.shared.runtime import connections, http
from libs.shared.runtime.connections import MOST_HEAD_BYTES, MOST_HEADERS, BoundedProtocol
from tests.hostile.counting import Campaign
from tests.shared.site import LARGE_BYTES, Caller, open_site

GET = b"GET /things/one HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"PUT /streams/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = b"a" * 65_536
ENOUGH_BYTES = 8 << 20
"""What an attacker sends who is never stopped."""


@pytest.fixture
async def client() -> AsyncIterator[Caller]:
    """The site on a real socket."""
    async with open_site() as client:
        yield client


async def pour(client: Caller, head: bytes, piece: bytes) -> tuple[bytes, int]:
    """Sends a head, then the same piece until the server has had enough: (answer, bytes sent)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    sent = len(head)
    writer.write(head)
    with suppress(ConnectionError):
        while sent < ENOUGH_BYTES and not writer.is_closing():
            writer.write(piece)
            sent += len(piece)
            await asyncio.wait_for(writer.drain(), 10)
            await asyncio.sleep(0)
    answer = b""
    with suppress(ConnectionError):
        answer = await asyncio.wait_for(reader.read(), 10)
    writer.transport.abort()
    return answer, sent


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"GET /", PIECE),
        (GET + b"X-Long: ", PIECE),
        (GET + b"X-", PIECE),
        (GET, b"X-Many: a\r\n" * 100),
        (CHUNKED + b"1\r\nx\r\n0\r\nX-Trailer: ", PIECE),
        (CHUNKED + b"1;", PIECE),
        (b"\r\n", b"\r\n" * 32_768),
        (GET + b"\r\n", b"\r\n" * 32_768),
        (GET + b"\r\n", (GET + b"\r\n") * 1_000),
    ],
    ids=["line", "value", "name", "many", "trailer", "extension", "blank", "behind", "ahead"],
)
async def test_nothing_that_frames_a_request_may_be_endless(
    client: Caller, campaign: Campaign, head: bytes, piece: bytes
) -> None:
    answer, sent = await pour(client, head, piece)
    campaign.tried("heads without an end")
    # Whoever goes on regardless is cut off, and may lose the answer on its way.
    assert sent < ENOUGH_BYTES
    if b"HTTP/1.1 4" in answer:
        assert b"connection: close" in answer
    assert (await client.http.get("/things/one")).status_code == 200


async def test_a_head_is_refused_from_its_first_byte_too_many(
    client: Caller, campaign: Campaign
) -> None:
    for size, status in ((MOST_HEAD_BYTES - 100, b"200"), (MOST_HEAD_BYTES, b"431")):
        head = GET + b"Connection: close\r\nX-Long: " + b"a" * size + b"\r\n\r\n"
        assert (await client.raw(head)).startswith(b"HTTP/1.1 " + status)
    for count, status in ((MOST_HEADERS - 2, b"200"), (MOST_HEADERS, b"431")):
        head = GET + b"Connection: close\r\n" + b"X: a\r\n" * count + b"\r\n"
        answer = await client.raw(head)
        assert answer.startswith(b"HTTP/1.1 " + status)
    assert b'"type": "urn:coffre:problem:head-too-large"' in answer
    assert b"content-type: application/problem+json" in answer
    campaign.tried("heads too large", 4)


async def test_what_comes_behind_a_body_changes_nothing_of_its_head(client: Caller) -> None:
    trailer = b"5\r\nhello\r\n0\r\nX-Late: yes\r\n\r\n"
    answer = await client.raw(CHUNKED + trailer + GET + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert b"late" not in answer


async def test_a_line_that_begins_nothing_keeps_no_connection(
    client: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    answer = await client.raw(GET + b"\r\n", pause=0.5, rest=b"\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 1


async def test_an_answer_under_way_is_not_cut_for_what_comes_meanwhile(
    client: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    put = b"PUT /streams/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
    answer = await client.raw(put, pause=0.6, rest=b"x")
    assert answer.startswith(b"HTTP/1.1 200 ")
    slow = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await client.raw(slow, pause=0.05, rest=b"\r\nGET /thi")
    assert answer.startswith(b"HTTP/1.1 200 ")


def count_held(port: int, wires: list[socket.socket]) -> int:
    """How many of these connections the server's side still has; the other can't tell."""
    mine = {wire.getsockname()[1] for wire in wires}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = [[int(end.rpartition(":")[2], 16) for end in row[1:3]] for row in rows if row[3] == "01"]
    return sum(here == port and there in mine for here, there in ends)


async def test_who_takes_nothing_of_an_answer_is_cut_off(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "UNSENT_SECONDS", 1)
    async with open_site() as client:
        wires = []
        for _ in range(10):
            wire = socket.socket()
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.connect(("127.0.0.1", client.port))
            wire.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            wires.append(wire)
        async with asyncio.timeout(60):
            while count_held(client.port, wires):
                await asyncio.sleep(0.05)
        for wire in wires:
            wire.setblocking(False)
            received, is_cut = 0, False
            try:
                while piece := wire.recv(1 << 20):
                    received += len(piece)
            except ConnectionError:
                is_cut = True
            wire.close()
            assert is_cut
            assert received < LARGE_BYTES // 2
        await asyncio.sleep(0.1)
        assert (await client.http.get("/things/one")).status_code == 200
        campaign.tried("answers that nobody takes", len(wires))


async def test_where_connections_are_too_many_the_useless_ones_go(
    client: Caller, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedProtocol, "most_connections", 20)
    busy_reader, busy = await asyncio.open_connection("127.0.0.1", client.port)
    busy.write(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    crowd = []
    for begun in (
        b"",
        b"GET /thi",
        b"PUT /streams/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    ):
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(begun)
            crowd.append((reader, writer))
    campaign.tried("connections held", len(crowd))
    assert (await asyncio.wait_for(client.http.get("/things/one"), 20)).status_code == 200
    assert (await asyncio.wait_for(busy_reader.read(), 10)).startswith(b"HTTP/1.1 200 ")
    useless = [asyncio.ensure_future(reader.read()) for reader, _ in crowd]
    async with asyncio.timeout(30):
        while sum(one.done() for one in useless) < len(crowd) - 20:
            await asyncio.wait(useless, return_when=asyncio.FIRST_COMPLETED, timeout=0.1)
    for one, (_, writer) in zip(useless, crowd, strict=True):
        writer.transport.abort()
        one.cancel()
    ended = await asyncio.gather(*useless, return_exceptions=True)
    assert not any(ended_with for ended_with in ended if isinstance(ended_with, bytes))
    busy.close()
