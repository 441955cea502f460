"""A door in front of a server: shut, it refuses and cuts; open, it lets bytes through.

Blocked, it neither cuts nor lets anything through, as a network that drops every packet.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from tests.servers import free_port


class Gate:
    """Forwards a port of its own to the server of a URL, whose other parts it keeps."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._port = free_port()  # one that a shut gate doesn't lose to a connection's other end
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passable = asyncio.Event()
        self._passable.set()

    @property
    def url(self) -> str:
        """The URL by way of this gate."""
        user = self._parts.netloc.rpartition("@")[0]
        return urlunsplit(self._parts._replace(netloc=f"{user}@127.0.0.1:{self._port}"))

    async def open(self) -> None:
        """Lets connections in."""
        self._server = await asyncio.start_server(self._let_in, "127.0.0.1", self._port)

    async def shut(self) -> None:
        """Refuses new connections and cuts those that are there."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await _settle()  # who was accepted at this moment is known then
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await _settle()  # what was cut is closed then

    def block(self) -> None:
        """Keeps connections and lets nothing through them any more."""
        self._passable.clear()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.shut()

    def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """At once, so that nobody is let in whom `shut` doesn't know."""
        self._writers.add(writer)
        task = asyncio.create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back: asyncio.StreamWriter | None = None
        try:
            if self._server is None:  # let in at the moment it was shut
                return
            assert self._parts.hostname is not None
            there, back = await asyncio.open_connection(self._parts.hostname, self._parts.port)
            self._writers.add(back)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            self._writers.discard(back)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            if back is not None:
                back.transport.abort()
            self._writers.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(1 << 16):
                await self._passable.wait()
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()


async def _settle() -> None:
    """Lets the loop do what it has begun."""
    for _ in range(5):
        await asyncio.sleep(0)
