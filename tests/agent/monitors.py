"""A monitoring service that keeps what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.world.serving import serving


class Monitor(ThreadingHTTPServer):
    """A monitoring service: keeps what it was told, answers what it should."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Watcher)
        self.told: list[tuple[str, str]] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        """The address of a check."""
        return f"http://127.0.0.1:{self.server_port}/ping/0000-secret"


class Watcher(BaseHTTPRequestHandler):
    """One ping."""

    def do_POST(self) -> None:
        """Keeps it."""
        assert isinstance(self.server, Monitor)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.told.append((self.path, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """A monitoring service that listens."""
    server = Monitor()
    with serving(server):
        yield server
