"""One connection of HTTP: what it may cost before anybody knows who is behind it.

Every deadline here has a limit of size beside it, and the other way round.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from libs.shared.errors import Refusal
from libs.shared.web import is_known

HEAD_SECONDS = 20.0
MOST_HEAD_BYTES = 64 * 1024
MOST_HEADERS = 100
MOST_WAITING = 8
"""Requests that a client may send ahead while one of its own is being answered."""
LINGER_SECONDS = 2.0
LINGER_BYTES = 1 << 20
"""What is read away behind a refusal: closing at once would reset the connection under a client
that is still sending, which then never reads why."""


class HeadTooLarge(Refusal):
    """Request line, headers or what frames a body are longer than anybody needs."""

    code = "head-too-large"
    status = 431
    title = "Request head too large"

    @property
    def detail(self) -> str:
        return (
            f"A request's head may have {MOST_HEAD_BYTES} bytes and {MOST_HEADERS} headers at most."
        )


class TooManyAhead(Refusal):
    """A client sends request after request and waits for no answer."""

    code = "too-many-requests"
    status = 429
    title = "Too many requests"

    @property
    def detail(self) -> str:
        return f"Send at most {MOST_WAITING} requests ahead on one connection."


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's connection with the limits that it lacks.

    Left to itself it would keep a head of any length, copied anew with each piece that comes,
    and connections that say nothing for ever.
    """

    most_connections: ClassVar[int] = 2048

    _deadline: asyncio.TimerHandle | None = None
    _excess: Refusal | None = None
    _awaits_head = True
    _head_bytes = 0
    _header_count = 0
    _unused_bytes = 0
    """Bytes that came since there was last a whole head or a piece of a body."""
    _is_over = False
    _is_last = False
    """Nothing is taken over it any more."""
    spare_since = 0.0

    def __init__(
        self, *arguments: Any, is_ending: Callable[[], bool] = lambda: False, **more: Any
    ) -> None:
        """is_ending: whether connections are to close behind their answers."""
        super().__init__(*arguments, **more)
        self._is_ending = is_ending

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Starts the clock: a connection is there to send something."""
        super().connection_made(transport)
        self.spare_since = self.loop.time()
        self._start()
        if len(self.connections) > self.most_connections:
            _make_room(self.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes what has come, and refuses it where it is neither head nor body for too long."""
        if self._is_over:
            self._unused_bytes += len(data)
            if self._unused_bytes > LINGER_BYTES:
                self.transport.close()
            return
        if self._awaits_head and self._deadline is None:
            self._start()  # line ends before a head begin nothing, and must not stay for ever
        self._unused_bytes += len(data)
        super().data_received(data)
        if self._unused_bytes > MOST_HEAD_BYTES and not self._is_over:
            self._refuse(HeadTooLarge())

    def on_message_begin(self) -> None:
        """Starts the clock of a further request on the same connection."""
        if len(self.pipeline) >= MOST_WAITING:
            self._exceed(TooManyAhead())
        super().on_message_begin()
        self._head_bytes = self._header_count = 0
        self._start()

    def on_url(self, url: bytes) -> None:
        """Counts the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts a header; one that comes behind the body is dropped.

        Whoever asks was judged by the head, and nothing said later may change it.
        """
        self._header_count += 1
        self._count(len(name) + len(value))
        if self._awaits_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stops the clock; the body has deadlines of its own."""
        self._awaits_head = False
        self._unused_bytes = 0
        self._stop()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Takes a piece of a body."""
        self._unused_bytes = 0
        # uvicorn copies each piece into a buffer and out again. Added to empty bytes it is handed
        # on as it is; what comes on top goes into a buffer, as many small pieces must.
        waiting: bytes | bytearray = self.cycle.body
        if not waiting:
            self.cycle.body = b""  # type: ignore[assignment]  # uvicorn only adds and reads
        elif isinstance(waiting, bytes):
            self.cycle.body = bytearray(waiting)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """From now on another head may come, unless the process ends."""
        self._awaits_head = True
        super().on_message_complete()
        if self._is_last or self._is_ending():
            if not self.cycle.response_complete:
                self.cycle.keep_alive = False
            elif self._is_last:
                self.transport.close()

    def shutdown(self) -> None:
        """Closes now, or behind the answer in hand.

        Never before all of a request was read, be it answered already: what a closed socket still
        gets resets the connection, and the answer is lost on its way.
        """
        self._is_last = True
        if self._awaits_head:
            super().shutdown()

    def on_response_complete(self) -> None:
        """Notes since when nobody needs this connection."""
        self.spare_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what can't be parsed, or was not parsed on because it is too much."""
        if self._excess is not None:
            self._refuse(self._excess)
        elif self._is_answering and self.cycle.response_started:
            self.transport.close()
        else:
            super().send_400_response(msg)

    @property
    def is_spare(self) -> bool:
        """May it be closed where there are too many? Not while somebody known is served."""
        if not self._is_answering:
            return True
        return self.cycle.more_body and not is_known(dict(self.cycle.scope))

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _count(self, more_bytes: int) -> None:
        self._head_bytes += more_bytes
        if self._head_bytes > MOST_HEAD_BYTES or self._header_count > MOST_HEADERS:
            self._exceed(HeadTooLarge())

    def _exceed(self, refusal: Refusal) -> None:
        """Ends the parsing of what has come: the parser raises, and calls `send_400_response`."""
        self._excess = refusal
        raise refusal

    def _refuse(self, refusal: Refusal) -> None:
        self._is_over = True
        self._unused_bytes = 0
        self._stop()
        if self._is_answering and self.cycle.response_started:
            self.transport.close()
            return
        content = json.dumps(refusal.problem()).encode()
        head = (
            b"content-type: application/problem+json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n" % len(content)
        )
        self.transport.write(STATUS_LINE[refusal.status] + head + content)
        if self._is_answering:  # it hears that nobody waits for it any more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _start(self) -> None:
        self._stop()
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        if self._is_answering:
            self._start()  # an answer under way isn't cut for what its reader sends meanwhile
        else:
            self.transport.close()

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _make_room(connections: set[Any]) -> None:
    """Closes one connection: of whoever holds most, that which has been of no use for longest."""
    spare = [one for one in connections if one.is_spare and not one.transport.is_closing()]
    if spare:
        held = Counter(one.client and one.client[0] for one in connections)
        worst = max(spare, key=lambda one: (held[one.client and one.client[0]], -one.spare_since))
        worst.transport.close()
