"""Request bodies: never larger, never slower than allowed."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.shared.errors import BodyTooLarge, InvalidRequest, TooSlow

READ_SECONDS = 30.0


async def read_body(
    request: Request,
    limit_bytes: int,
    deadline_seconds: float = 120.0,
    *,
    read_seconds: float = READ_SECONDS,
) -> bytearray:
    """Reads a whole body of at most `limit_bytes`, in one buffer, copied once.

    Raises BodyTooLarge, TooSlow (a pause of `read_seconds`, or all of it past the deadline),
    or ClientDisconnect.
    """
    declared = declared_bytes(request.scope)
    if declared is not None and declared > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    # In one piece where the length is known: growing would copy it many times.
    body = bytearray(declared or 0)
    filled = 0
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_seconds
    more = True
    while more:
        try:
            async with asyncio.timeout_at(min(end, loop.time() + read_seconds)):
                message = await request.receive()
        except TimeoutError:
            slow = deadline_seconds if loop.time() >= end else read_seconds
            raise TooSlow(slow) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        body[filled : filled + len(piece)] = piece
        filled += len(piece)
        if filled > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        more = message.get("more_body", False)
    del body[filled:]
    return body


def declared_bytes(scope: Scope) -> int | None:
    """The Content-Length of a request, where it has one."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            try:
                return int(value)
            except ValueError:
                raise InvalidRequest("Content-Length is not a number.") from None
    return None


@dataclass(frozen=True, slots=True)
class Streams:
    """Addresses that take long bodies: without a total time, but at a rate that must be kept.

    `slack_seconds` is how long a body may pause that came quickly until then.
    """

    paths: re.Pattern[str]
    limit_bytes: int
    bytes_per_second: int = 10_000
    slack_seconds: float = 300.0


class BodyLimits:
    """ASGI: refuses bodies over a limit, declared or not, and those that come too slowly.

    Holds for every route; `read_body` can be stricter. The limits of `streams` hold for theirs.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit_bytes: int,
        deadline_seconds: float,
        streams: Streams | None = None,
    ) -> None:
        self.app = app
        self.limit_bytes = limit_bytes
        self.deadline_seconds = deadline_seconds
        self.streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        streams = self.streams
        if streams is not None and streams.paths.match(scope["path"]):
            limit_bytes, limited = streams.limit_bytes, _paced(receive, streams)
        else:
            limit_bytes, limited = self.limit_bytes, self._limited(receive)
        declared = declared_bytes(scope)
        if declared is not None and declared > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        await self.app(scope, limited, send)

    def _limited(self, receive: Receive) -> Receive:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.deadline_seconds
        received = 0
        complete = False

        async def limited() -> Message:
            nonlocal received, complete
            if complete:  # what may still come is the disconnect, at any time
                return await receive()
            try:
                async with asyncio.timeout_at(min(end, loop.time() + READ_SECONDS)):
                    message = await receive()
            except TimeoutError:
                slow = self.deadline_seconds if loop.time() >= end else READ_SECONDS
                raise TooSlow(slow) from None
            received += len(message.get("body", b""))
            if received > self.limit_bytes:
                raise BodyTooLarge(self.limit_bytes)
            complete = not message.get("more_body", False)
            return message

        return limited


def _paced(receive: Receive, streams: Streams) -> Receive:
    """Receives at the rate of `streams`; only time spent waiting for the client counts."""
    loop = asyncio.get_running_loop()
    left_seconds = streams.slack_seconds
    received = 0
    complete = False

    async def paced() -> Message:
        nonlocal left_seconds, received, complete
        if complete:
            return await receive()
        asked_at = loop.time()
        try:
            async with asyncio.timeout(left_seconds):
                message = await receive()
        except TimeoutError:
            raise TooSlow(streams.slack_seconds) from None
        more_bytes = len(message.get("body", b""))
        left_seconds += more_bytes / streams.bytes_per_second - (loop.time() - asked_at)
        left_seconds = min(left_seconds, streams.slack_seconds)
        received += more_bytes
        if received > streams.limit_bytes:
            raise BodyTooLarge(streams.limit_bytes)
        complete = not message.get("more_body", False)
        return message

    return paced
