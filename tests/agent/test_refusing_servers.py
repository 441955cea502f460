"""A server that answers, and takes nothing for a while: the agent waits and says why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agent.server.connection import Connection
from agent.telling.failures import Problem, Unreachable
from libs.shared.errors import Refusal, ShareUsed, StorageRefused, TooManyRequests
from tests.world.serving import serving

FULL = StorageRefused("507 InsufficientStorage", 1)


@contextmanager
def refusing(refusal: Refusal, requests: int) -> Iterator[str]:
    """A server that takes nothing until it was asked so often."""
    asked = []

    class Answers(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.path)
            refuses = len(asked) <= requests
            body = json.dumps(refusal.problem() if refuses else {"stored_bytes": 1}).encode()
            self.send_response(refusal.status if refuses else 201)
            if refuses:
                self.send_header("Retry-After", refusal.headers["Retry-After"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


def test_a_full_store_is_waited_for_and_named() -> None:
    said: list[str] = []
    with refusing(FULL, 1) as url:
        connection = Connection(
            url, "token", ca_file=None, patience_seconds=30, on_wait=said.append
        )
        assert connection.call("PUT", "/v1/pack", b"pack").status == 201
        connection.cut()
    assert len(said) == 1
    assert "asks to wait (The storage refuses to take more (507 InsufficientStorage)" in said[0]


@pytest.mark.parametrize("wait", [1, 30])
def test_patience_with_a_full_store_ends(wait: int) -> None:
    """Also where it is shorter than what the server asks for."""
    with refusing(StorageRefused("507 InsufficientStorage", wait), 100) as url:
        connection = Connection(url, "token", ca_file=None, patience_seconds=1, on_wait=print)
        with pytest.raises(Unreachable, match=r"took nothing for 1\.0 s .*507") as ended:
            connection.call("PUT", "/v1/pack", b"pack")
        connection.cut()
    assert ended.value.exit_code == 22
    reason = ended.value.reason
    assert (reason.code, reason.subject, reason.limit) == ("storage-refused", url, 1)
    assert "507 InsufficientStorage" in reason.detail


def test_a_client_that_uses_up_its_own_share_waits_for_itself_and_fails_no_run() -> None:
    """However long: others of its machines are served meanwhile."""
    said: list[str] = []
    with refusing(ShareUsed("intake", 1), 3) as url:
        connection = Connection(url, "token", patience_seconds=1.5, on_wait=said.append)
        assert connection.call("PUT", "/v1/pack", b"pack").status == 201
        connection.cut()
    assert len(said) == 3
    assert "Other requests of yours use all" in said[0]


def test_nobody_waits_for_hours() -> None:
    with refusing(TooManyRequests(3_600), 1) as url:
        connection = Connection(url, "token", patience_seconds=900)
        with pytest.raises(Problem, match="Wait 3600 seconds"):
            connection.call("PUT", "/v1/pack", b"pack")
        connection.cut()
