"""A proxy before an S3 server that answers something else than the server did."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

Fault = Callable[[bytes, bytes], bytes | None]
"""(request, true answer) -> the answer to give instead; None cuts the connection."""


async def read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    is_bodiless = head.startswith(b"HTTP/1.1 204")
    if length and not is_bodiless:
        return head + await reader.readexactly(int(length[1]))
    if re.search(rb"(?im)^transfer-encoding: *chunked", head):
        return head + await reader.readuntil(b"0\r\n\r\n")
    return head


async def serve_one(
    fault: Fault, endpoint: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    address = urlsplit(endpoint)
    try:
        request = await read_message(reader)
        close = re.sub(rb"(?i)\r\n\r\n", b"\r\nConnection: close\r\n\r\n", request, count=1)
        upstream, sending = await asyncio.open_connection(address.hostname, address.port)
        sending.write(close)
        answer = await upstream.read()
        sending.close()
        changed = fault(request, answer)
        if changed is not None:
            writer.write(changed)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def answer_with(status: str, body: bytes, content_type: str = "application/xml") -> Fault:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return lambda _request, _answer: head.encode() + b"Connection: close\r\n\r\n" + body


@asynccontextmanager
async def faulty_endpoint(endpoint: str, fault: Fault) -> AsyncIterator[str]:
    """The address of a proxy that passes every request on and answers what `fault` says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_one(fault, endpoint, reader, writer)

    proxy = await asyncio.start_server(serve, "127.0.0.1", limit=64 * 1024 * 1024)
    try:
        yield f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    finally:
        proxy.close()
        await proxy.wait_closed()
