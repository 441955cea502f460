"""uvicorn, with the signals and the deadlines that it lacks."""

from __future__ import annotations

import asyncio
import math
import socket
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from libs.shared.runtime.connections import BoundedProtocol

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than proxies keep theirs (nginx: 60 s), for one that
closes as the next request comes over it fails that request."""

UNSENT_SECONDS = 180
"""How long what was sent may wait for a client that takes nothing."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """How serving comes to its end, once `begun` is set.

    First all that comes is still served, on connections that then close, while readiness says no;
    then nobody is let in, and requests in hand are brought to their end.
    """

    begun: asyncio.Event
    handover_seconds: float
    drain_seconds: float


async def serve(app: FastAPI, listen: str, ending: Farewell) -> None:
    """Serves until its end has begun and was carried out.

    Raises OSError where the address can't be used.
    """
    bound = _bind(listen)
    config = uvicorn.Config(
        app,
        http=partial(BoundedProtocol, is_ending=ending.begun.is_set),  # type: ignore[arg-type]  # is called as the class is
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(ending.drain_seconds),
    )
    server = uvicorn.Server(config)
    # Server.serve() would take the signals and raise them again at its end; _serve() does not.
    serving = asyncio.create_task(server._serve([bound]), name="http")
    leaving = asyncio.create_task(_hand_over(ending), name="leave")
    try:
        await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    except asyncio.CancelledError:
        server.should_exit = server.force_exit = True
        raise
    finally:
        leaving.cancel()
        bound.close()


async def _hand_over(ending: Farewell) -> None:
    await ending.begun.wait()
    await asyncio.sleep(ending.handover_seconds)


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
