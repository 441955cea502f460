"""A server that answers, and takes nothing for a while: the agent waits and says why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from agent.server.connection import Connection
from agent.telling.failures import Unreachable
from libs.shared.errors import StorageRefused


@contextmanager
def full_for(requests: int) -> Iterator[str]:
    """A server whose store takes nothing until it was asked so often."""
    asked = []

    class Answers(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.path)
            refusal = StorageRefused("507 InsufficientStorage", 1)
            is_full = len(asked) <= requests
            body = json.dumps(refusal.problem() if is_full else {"stored_bytes": 1}).encode()
            self.send_response(503 if is_full else 201)
            if is_full:
                self.send_header("Retry-After", refusal.headers["Retry-After"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_full_store_is_waited_for_and_named() -> None:
    said: list[str] = []
    with full_for(1) as url:
        connection = Connection(
            url, "token", ca_file=None, patience_seconds=30, on_wait=said.append
        )
        assert connection.call("PUT", "/v1/pack", b"pack").status == 201
        connection.cut()
    assert len(said) == 1
    assert "asks to wait (The storage refuses to take more (507 InsufficientStorage)" in said[0]


def test_patience_with_a_full_store_ends() -> None:
    with full_for(100) as url:
        connection = Connection(url, "token", ca_file=None, patience_seconds=1, on_wait=print)
        with pytest.raises(Unreachable, match=r"took nothing for 1\.0 s .*507") as ended:
            connection.call("PUT", "/v1/pack", b"pack")
        connection.cut()
    assert ended.value.exit_code == 22
    reason = ended.value.reason
    assert (reason.code, reason.subject, reason.limit) == ("storage-refused", url, 1)
    assert "507 InsufficientStorage" in reason.detail
