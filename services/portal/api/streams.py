"""Answers that are written while they are read, and end abruptly where reading fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import TypeVar, cast

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from libs.shared import errors, logs, web

Piece = TypeVar("Piece", bound=bytes | memoryview)

# A reader who takes nothing for so long is gone, or holds our memory for nothing.
STALLED_SECONDS = 120.0

INERT = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""The policy of everything that clients stored: it can never act in the portal's origin."""
INERT_PDF = "sandbox allow-scripts; default-src 'none'; frame-ancestors 'none'"
"""The policy of PDFs: Chromium's own viewer is a script, and stays empty without that.

The origin is nobody's all the same, and scripts of the answer itself have no source (decision 84).
"""


class Stream(StreamingResponse):
    """Closes what it reads from, whatever ends it; a stalled reader is cut off."""

    async def stream_response(self, send: Send) -> None:
        """Sends head and body piece by piece."""

        async def send_in_time(message: object) -> None:
            async with asyncio.timeout(STALLED_SECONDS):
                await send(message)  # type: ignore[arg-type]  # starlette's own messages

        await super().stream_response(send_in_time)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the answer; what can't be read on is left unfinished, which readers notice."""
        async with aclosing(cast("AsyncGenerator[bytes, None]", self.body_iterator)) as body:
            if web.is_head(scope):
                await anext(body, None)  # only what was begun closes what it reads from
                self.body_iterator = _nothing()
            try:
                await super().__call__(scope, receive, send)
            except errors.Refusal as refusal:
                # Too late for a problem: the server closes a connection whose answer has no end.
                logs.get().error("download.cut", why=str(refusal))


async def primed(stream: AsyncGenerator[Piece, None]) -> AsyncIterator[Piece]:
    """Reads the first piece, so that what fails at once can still be answered as a problem."""
    first = [piece async for piece in _one(stream)]

    async def rest() -> AsyncIterator[Piece]:
        async with aclosing(stream):
            for piece in first:
                yield piece
            async for piece in stream:
                yield piece

    return rest()


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _one(stream: AsyncGenerator[Piece, None]) -> AsyncIterator[Piece]:
    with suppress(StopAsyncIteration):
        yield await anext(stream)
