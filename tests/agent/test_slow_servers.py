"""A server that takes its time over a run's entries: the agent waits, and stays small."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from blake3 import blake3

from agent.copying.sending import BATCH_ENTRIES, Sender
from agent.server.connection import Connection
from agent.server.ingest import Ingest
from agent.telling.counters import Counters
from libs.shared.entries import Entry, FolderDelta
from tests.world.serving import serving

BATCHES = 40


class Slow(ThreadingHTTPServer):
    """Lacks every chunk, takes every pack, and entries once it is `awake`."""

    def __init__(self) -> None:
        self.awake = Event()
        self.batches: list[int] = []
        self.packs = 0
        super().__init__(("127.0.0.1", 0), SlowAnswers)


class SlowAnswers(BaseHTTPRequestHandler):
    server: Slow

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.packs += 1
        self.answer(b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        address = urlsplit(self.path)
        if address.path.endswith("/missing"):
            self.answer(b"\xff" * (len(body) // 32 // 8 + 1))
            return
        self.server.awake.wait(60)
        self.server.batches.append(int(parse_qs(address.query)["batch"][0]))
        self.answer(b"", status=204)

    def answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def slow() -> Iterator[Slow]:
    server = Slow()
    with serving(server):
        yield server
        server.awake.set()


@pytest.fixture
def sender(slow: Slow) -> Iterator[Sender]:
    connection = Connection(
        f"http://127.0.0.1:{slow.server_port}", "token", ca_file=None, patience_seconds=30
    )
    yield Sender(Ingest(connection, bytes(32)), "5f0c7a3e-1c55-4d7b-9d7e-5c1b1a6c0001", Counters())
    connection.cut()


def links() -> list[Entry]:
    return [
        Entry(b"%d" % number, "l", 0o777, 0, 0, 0, 0, b"target", b"")
        for number in range(BATCH_ENTRIES)
    ]


def test_entries_wait_for_a_server_that_takes_none(slow: Slow, sender: Sender) -> None:
    entries = links()

    def send() -> None:
        for number in range(BATCHES):
            sender.emit(FolderDelta(b"folder %d" % number, entries, []))
        sender.finish()

    sending = Thread(target=send)
    sending.start()
    made = -1
    while made < 1 or made != sender.batches:
        made = sender.batches
        time.sleep(0.5)
    assert 0 < made < BATCHES // 4
    assert sending.is_alive()
    slow.awake.set()
    sending.join(60)
    assert sorted(slow.batches) == list(range(BATCHES))


@pytest.mark.timeout(60)
def test_a_pack_that_does_not_fill_holds_no_entries_up(slow: Slow, sender: Sender) -> None:
    slow.awake.set()
    for number in range(BATCHES):
        content = b"a small file, number %d" % number
        sender.offer(blake3(content).digest(), content)
        sender.emit(FolderDelta(b"folder %d" % number, links(), []))
    sender.finish()
    assert sorted(slow.batches) == list(range(BATCHES))
    assert 1 < slow.packs < BATCHES // 2
