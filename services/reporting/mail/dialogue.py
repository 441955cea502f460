"""Commands and replies of SMTP on an open connection, several commands at once (RFC 2920)."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass

MOST_REPLY_BYTES = 32_768
_LAST_LINE = re.compile(rb"(?:\A|\n)(\d{3})(?: [^\n]*)?\r?\n")
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")
_BEGINNING_DOT = re.compile(rb"(?m)^\.")


class Broken(Exception):  # noqa: N818 - a state of the world
    """The connection ended, a reply did not come in time, or it was none."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said to one command; several lines are one text."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Dialogue(asyncio.Protocol):
    """Takes over a connection on which nothing is under way.

    aiosmtplib waits for each reply before it says the next word, and drops what comes unasked;
    this keeps the replies in their order, so that commands can be said together.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._broken: Broken | None = None
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether more can be said; where the server speaks unasked, it says goodbye."""
        return self._broken is None and not self._replies and not self._transport.is_closing()

    def send(self, *commands: bytes) -> None:
        """Sends commands, each a line."""
        if any(_CONTROLS.search(command) for command in commands):
            raise ValueError("a command holds a line end or another control character")
        self._write(b"\r\n".join(commands) + b"\r\n")

    def send_text(self, body: bytes) -> None:
        """Sends a mail's text, dots doubled where lines begin with them, and the final dot.

        Its lines end in CRLF, as `compose` makes them.
        """
        if b"\n." in body or body.startswith(b"."):
            body = _BEGINNING_DOT.sub(b"..", body)
        self._write(body + (b".\r\n" if body.endswith(b"\n") else b"\r\n.\r\n"))

    async def read(self, seconds: float) -> Reply:
        """Returns the next reply; raises Broken, after which nothing more can be said."""
        while not self._replies:
            if self._broken is not None:
                raise self._broken
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            except TimeoutError:
                self._end(Broken(f"no answer within {seconds:g} seconds"))
            finally:
                self._waiter = None
        return self._replies.popleft()

    async def quit(self, seconds: float) -> None:
        """Takes leave, if it can."""
        if self.is_open:
            try:
                self.send(b"QUIT")
                await self.read(seconds)
            except Broken:
                pass
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._end(Broken("the connection is closed"))

    def data_received(self, data: bytes) -> None:
        """Cuts what comes into replies."""
        self._buffer += data
        while found := _LAST_LINE.search(self._buffer):
            code, lines = bytes(found[1]), bytes(self._buffer[: found.end()]).splitlines()
            del self._buffer[: found.end()]
            if any(line[:3] != code or line[3:4] not in b"- " for line in lines):
                self._end(Broken(f"this is no reply: {lines[0].decode(errors='replace')[:200]}"))
                return
            text = "\n".join(line[4:].strip().decode(errors="replace") for line in lines)
            self._replies.append(Reply(int(code), text))
        first, newline, _ = bytes(self._buffer[:MOST_REPLY_BYTES]).partition(b"\n")
        if newline and not re.match(rb"\d{3}-", first):
            self._end(Broken(f"this is no reply: {first.decode(errors='replace')[:200]}"))
        elif len(self._buffer) > MOST_REPLY_BYTES:
            self._end(Broken("a reply has no end"))
        elif self._replies:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        self._end(Broken(f"the connection ended{f': {exc}' if exc else ''}"))

    def _write(self, what: bytes) -> None:
        if self._broken is not None or self._transport.is_closing():
            raise self._broken or Broken("the connection ended")
        self._transport.write(what)

    def _end(self, why: Broken) -> None:
        if self._broken is None:
            self._broken = why
            self._transport.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
