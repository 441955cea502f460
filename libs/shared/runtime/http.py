"""uvicorn, with the signals and the deadlines that it lacks."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 20.0
DRAIN_SECONDS = 15


class PunctualProtocol(HttpToolsProtocol):
    """Closes a connection whose request headers take longer than HEADER_SECONDS.

    uvicorn has no such deadline: slow connections would stay for ever.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Starts the clock: a connection is there to send something."""
        super().connection_made(transport)
        self._start()

    def on_message_begin(self) -> None:
        """Starts the clock of a further request on the same connection."""
        super().on_message_begin()
        self._start()

    def on_headers_complete(self) -> None:
        """Stops the clock; the body has deadlines of its own."""
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop()
        super().connection_lost(exc)

    def _start(self) -> None:
        self._stop()
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


async def serve(app: FastAPI, listen: str, stop: asyncio.Event) -> None:
    """Serves until `stop` is set, then lets the requests in hand end, for DRAIN_SECONDS at most.

    Raises OSError where the address can't be used.
    """
    bound = _bind(listen)
    config = uvicorn.Config(
        app,
        http=PunctualProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = uvicorn.Server(config)
    # Server.serve() would take the signals and raise them again at its end; _serve() does not.
    serving = asyncio.create_task(server._serve([bound]), name="http")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    except asyncio.CancelledError:
        server.should_exit = server.force_exit = True
        raise
    finally:
        stopping.cancel()
        bound.close()


def _bind(listen: str) -> socket.socket:
    """A listening socket; uvicorn's own way ends the process instead of raising."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=2048)


def use_uvloop() -> Any:
    """The faster event loop where it is installed (not on Windows), else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
