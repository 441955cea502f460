"""What holds for every service's table of bodies."""

from __future__ import annotations

import asyncio
import math
import re
from urllib.parse import urlsplit

from libs.shared.web import Limits
from tests.routes import Route

BODILESS = {"GET", "HEAD", "*"}
"""Methods without a body; `*` is a mounted folder of files."""


def check_table(limits: Limits, routes: set[Route], unread: set[Route]) -> None:
    """Every route that may take a body has its limits, or takes none and is in `unread`."""
    assert set(limits) | unread == {route for route in routes if route[0] not in BODILESS}
    assert not set(limits) & unread
    for limit in limits.values():
        for number in (limit.most_bytes, limit.seconds, limit.pause_seconds):
            assert 0 < number < math.inf


async def refuse_all(url: str, limits: Limits) -> None:
    """Every route of a running service answers a body that is too large before it comes."""
    address = urlsplit(url)
    for (method, path), limit in limits.items():
        filled = re.sub(r"{[^}]+}", "0" * 64, path)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(
                f"{method} {filled} HTTP/1.1\r\nHost: x\r\n"
                f"Content-Length: {limit.most_bytes + 1}\r\n\r\n".encode()
            )
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            assert head.startswith(b"HTTP/1.1 413 "), (method, path)
            assert b"connection: close" in head.lower()
        finally:
            writer.transport.abort()
