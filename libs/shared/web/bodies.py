"""Request bodies: never larger, never slower than the table of their service allows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Send

from libs.shared.errors import BodyTooLarge, InvalidRequest, TooSlow

LINGER_SECONDS = 15.0
LINGER_READS = 2_000


@dataclass(frozen=True, slots=True)
class Limit:
    """What a body may weigh, and how long we wait for it: in all, and for its next piece.

    least_rate: bytes a second that win waiting time back, up to `seconds`, so that a long body
    may take as long as it needs while it comes; 0: nothing is won back.
    most_values, most_depth: of a body that is JSON.
    in_pieces: it is never whole in memory, or takes that of a budget of its own.
    """

    most_bytes: int
    seconds: float
    pause_seconds: float = 30.0
    least_rate: int = 0
    most_values: int = 1_000
    most_depth: int = 8
    in_pieces: bool = False


UNREAD = Limit(1 << 20, 60.0, in_pieces=True)
"""For what no table names: a body that nobody asked for is read away, and never handed on."""

Limits = Mapping[tuple[str, str], Limit]
"""(method, path as its route has it) → what a body may be there."""


def declared_bytes(headers: Headers) -> int | None:
    """How long a body says it is: 0 where there is none, None where it comes in chunks."""
    if "transfer-encoding" in headers:
        return None
    try:
        return int(headers.get("content-length", "0"))
    except ValueError:
        raise InvalidRequest("Content-Length is not a number.") from None


def most_bytes(request: Request) -> int:
    """How long a body says it is, else how long its route lets it be."""
    most: int = request.scope["state"].get("body_most_bytes", 0)
    return most


def pieces_of(request: Request) -> Callable[[], Awaitable[bytes | None]]:
    """A body piece by piece, then None.

    Raises BodyTooLarge, TooSlow, and ClientDisconnect where it is cut.
    """
    ended = False

    async def receive() -> bytes | None:
        nonlocal ended
        if ended:
            return None
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        ended = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece

    return receive


async def read_body(request: Request) -> bytearray:
    """A whole body in one buffer, which grows with what comes: a declared length costs nothing.

    Raises BodyTooLarge, TooSlow, and ClientDisconnect where it is cut.
    """
    body = bytearray()
    receive = pieces_of(request)
    while (piece := await receive()) is not None:
        body += piece
    return body


class Body:
    """One body on its way in, held to a limit; only time spent waiting for the client counts."""

    def __init__(self, limit: Limit, receive: Receive) -> None:
        self.limit = limit
        self.is_complete = False
        self.is_late = False
        self._is_read_away = False
        self._receive = receive
        self._left_seconds = limit.seconds
        self._received = 0

    async def receive(self) -> Message:
        """The next message; raises BodyTooLarge, TooSlow."""
        if self._is_read_away:
            self._is_read_away = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if self.is_complete:  # what may still come is the disconnect, at any time
            return await self._receive()
        limit = self.limit
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        patience_seconds = min(self._left_seconds, limit.pause_seconds)
        try:
            async with asyncio.timeout_at(asked_at + patience_seconds):
                message = await self._receive()
        except TimeoutError:
            self.is_late = True
            is_over = patience_seconds < limit.pause_seconds
            raise TooSlow(limit.seconds if is_over else limit.pause_seconds) from None
        finally:
            self._left_seconds -= loop.time() - asked_at
        self._count(len(message.get("body", b"")))
        self.is_complete = not message.get("more_body", False)
        return message

    def _count(self, more_bytes: int) -> None:
        limit = self.limit
        if limit.least_rate:
            won = self._left_seconds + more_bytes / limit.least_rate
            self._left_seconds = min(won, limit.seconds)
        self._received += more_bytes
        if self._received > limit.most_bytes:
            raise BodyTooLarge(limit.most_bytes)

    async def begin(self, declared: int | None) -> None:
        """Looks at its own word first; one that nobody asked for is read away at once.

        Whoever reads such a one finds it empty. Raises BodyTooLarge, TooSlow, ClientDisconnect.
        """
        if declared is not None and declared > self.limit.most_bytes:
            raise BodyTooLarge(self.limit.most_bytes)
        if self.limit is not UNREAD:
            return
        while not self.is_complete:
            if (await self.receive())["type"] == "http.disconnect":
                raise ClientDisconnect
        self._is_read_away = True

    async def linger(self) -> None:
        """Reads on for a while, whatever comes.

        Closing at once would reset the connection under a client that is in the middle of its
        body, which then never reads the answer.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                for _ in range(LINGER_READS):
                    if not (await self._receive()).get("more_body", False):
                        break


class Answer:
    """What is sent back: begun before the body is whole, it ends the connection after it."""

    def __init__(self, body: Body, send: Send) -> None:
        self._body = body
        self._send = send
        self._lingers = False

    async def send(self, message: Message) -> None:
        """Sends the next message."""
        if message["type"] == "http.response.start":
            if not self._body.is_complete:
                MutableHeaders(scope=message)["Connection"] = "close"
                self._lingers = not self._body.is_late
        elif self._lingers and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._body.linger()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)
