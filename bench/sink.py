"""A mail server that takes whatever it is given, on so many connections, and counts it.

`python -m bench.sink` prints its port, and on each line that it reads how many mails it has.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import cast

import uvloop

CONNECTIONS = 100
_ANSWERS = {
    b"EHLO": b"250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}


class Sink:
    """How many mails came, and how many connections are open."""

    mails = 0
    connections = 0


class _Connection(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rest = b""
        self._in_text = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        self._sink.connections += 1
        if self._sink.connections > CONNECTIONS:
            transport.write(b"421 4.7.0 too many connections\r\n")
            transport.close()
            return
        transport.write(b"220 sink.example ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._sink.connections -= 1

    def data_received(self, data: bytes) -> None:
        rest = self._rest + data
        answers = []
        while True:
            end = b"\r\n.\r\n" if self._in_text else b"\r\n"
            head, found, tail = rest.partition(end)
            if not found:
                break
            rest = tail
            if self._in_text:
                self._in_text = False
                self._sink.mails += 1
                answers.append(b"250 2.0.0 taken\r\n")
                continue
            verb = head[:4].upper()
            self._in_text = verb == b"DATA"
            answers.append(_ANSWERS.get(verb, b"250 fine\r\n"))
        self._rest = rest
        if answers:
            self._transport.write(b"".join(answers))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    sink = Sink()
    server = await loop.create_server(lambda: _Connection(sink), "127.0.0.1", 0, backlog=200)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()

    def answer() -> None:
        if not os.read(sys.stdin.fileno(), 100):
            ended.set()
        else:
            print(sink.mails, flush=True)

    loop.add_reader(sys.stdin.fileno(), answer)
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(_serve())
