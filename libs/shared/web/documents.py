"""JSON that came in: who sends it is known before it is read, and its form before it is built."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import msgspec
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from libs.shared.errors import InvalidRequest
from libs.shared.shares import Shares
from libs.shared.web.bodies import UNREAD, Limit, declared_bytes, most_bytes

LARGE_BYTES = 32 * 1024
"""What is larger takes of its sender's memory, and is parsed beside the loop, each in its turn."""
MEMORY_BYTES = 64 * 1024 * 1024
"""What the large bodies of one sender may take at once: those of ten slow machines fit."""
WAIT_SECONDS = 60.0
"""For others of one's own: the agent gives up waiting for any answer after 120."""

_memory = Shares("intake", most=MEMORY_BYTES)
_BESIDE = ThreadPoolExecutor(1, thread_name_prefix="json")
_parsed = Shares("processor", most=1)

Door = Callable[[Request], AbstractAsyncContextManager[object]]
"""Entered with the head of a request alone, and left when it is answered.

Raises Unauthenticated, or another refusal."""

# Without going back, and with an end that may be missing, so that it takes no longer than it must.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_SOME_TEXTS = re.compile(rb'(?:[^"]*+%b){1,1000}+|[^"]++' % _TEXT.pattern, re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def behind(door: Door) -> type[APIRoute]:
    """The class of routes that read and parse no body before `door` has let the request in."""

    class Behind(_Route):
        enter = staticmethod(door)

    return Behind


class _Route(APIRoute):
    """FastAPI reads a body before it asks any dependency; this one asks its door first."""

    enter: Door

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, within its door."""
        if scope["method"] not in (self.methods or ()):  # which is said to anybody
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive)
        async with self.enter(request), _room_for(request):
            await super().handle(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Any]:
        """What serves one request that was let in."""
        handle = super().get_route_handler()

        async def serve(request: Request) -> Response:
            response: Response = await handle(_Judged(request.scope, request.receive))
            return response

        return serve


Open = behind(lambda _request: nullcontext())
"""The class of routes that anybody may send JSON to: short, by their row in the table."""


class _Judged(Request):
    """A request whose JSON is held to the limits of its route."""

    async def json(self) -> Any:
        """The document; raises InvalidRequest."""
        limit = self.scope["state"].get("body_limit", UNREAD)
        declared = declared_bytes(self.headers)
        if declared is not None and declared <= LARGE_BYTES:
            return parse(await self.body(), limit)
        body = await self.body()
        async with _parsed.hold(_sharer(self)):
            began = time.monotonic()
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(_BESIDE, parse, body, limit)
            finally:
                # Half of the time is left to others, however much one sends.
                await asyncio.sleep(time.monotonic() - began)


def _room_for(request: Request) -> AbstractAsyncContextManager[None]:
    """Memory for a large body, from before its first byte until the request is answered.

    It is by the length that is declared: whoever is slow keeps out others of its own client.
    """
    limit: Limit = request.scope["state"].get("body_limit", UNREAD)
    room_bytes = 0 if limit.in_pieces else most_bytes(request)
    if room_bytes <= LARGE_BYTES:
        return nullcontext()
    return _memory.hold(_sharer(request), room_bytes, WAIT_SECONDS)


def _sharer(request: Request) -> Hashable:
    """Of whose share a body takes: where nobody is known yet, strangers share by address."""
    return known_sender(request.scope) or (request.client and request.client.host)


def parse(body: bytes, limit: Limit) -> Any:
    """A JSON document; raises InvalidRequest where it is none, or more than its route takes."""
    _check_form(body, limit)
    try:
        # Stricter than Python's own: no NaN, no half of a surrogate pair, no byte beside UTF-8.
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body can't be read as JSON: {error}.") from None


def _check_form(body: bytes, limit: Limit) -> None:
    """A short text can become very many values, each some hundred times as large."""
    if _count_values(body) <= limit.most_values and _count_openings(body) <= limit.most_depth:
        return
    bare, values = [], 1
    for piece in _outside_texts(body):
        values += _count_values(piece) - 1
        if values > limit.most_values:
            raise InvalidRequest(f"The body may have {limit.most_values} values at most.")
        bare.append(piece.translate(_BRACKETS, _NO_BRACKETS))
    left = b"".join(bare)
    for _ in range(limit.most_depth):
        left = left.replace(b"[]", b"")
    if left:
        raise InvalidRequest(
            f"The body can't be read as JSON, or is nested deeper than {limit.most_depth} levels."
        )


def _outside_texts(body: bytes) -> Iterator[bytes]:
    """All but the contents of strings, in pieces, so that no step holds up the loop for long."""
    position = 0
    while some := _SOME_TEXTS.match(body, position):
        yield _TEXT.sub(b"0", some.group())
        position = some.end()


def _count_openings(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def _count_values(text: bytes) -> int:
    """At least as many as there are: each begins behind a bracket, a comma or a colon."""
    return 1 + _count_openings(text) + text.count(b",")


def note_known(scope: Scope, who: Hashable) -> None:
    """Notes who sends a request, a client or a person of none.

    Its connection is kept where room is short, and what it sends takes from its own share.
    """
    scope.setdefault("state", {})["known_sender"] = who


def known_sender(scope: Scope) -> Hashable:
    """Whoever was noted to send a request; None while it is not known."""
    who: Hashable = scope.get("state", {}).get("known_sender")
    return who


def is_known(scope: Scope) -> bool:
    """Is it known who sends a request?"""
    return known_sender(scope) is not None
