"""uvicorn, with the signals and the deadlines that it lacks."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

from libs.shared.runtime.connections import BoundedProtocol

DRAIN_SECONDS = 15
UNSENT_SECONDS = 180
"""How long what was sent may wait for a client that takes nothing."""


async def serve(app: FastAPI, listen: str, stop: asyncio.Event) -> None:
    """Serves until `stop` is set, then lets the requests in hand end, for DRAIN_SECONDS at most.

    Raises OSError where the address can't be used.
    """
    bound = _bind(listen)
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
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
    bound = socket.create_server((host, int(port)), family=family, backlog=2048)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; what is accepted inherits it
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_SECONDS * 1000)
    return bound


def use_uvloop() -> Any:
    """The faster event loop where it is installed (not on Windows), else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
