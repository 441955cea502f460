"""HTTP to one server: kept-alive connections per thread, retries with growing pauses.

Every request of the protocols carries its own key, so that it can be repeated after an unknown
outcome; `http.client` sends a 16 MiB body in one call, without copying it.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.server import between
from agent.server.between import AnotherAnswered, check_success
from agent.server.ways import Way, Wire, is_hopeless
from agent.telling.failures import Interrupted, Problem, Unreachable
from libs.shared import protocol
from libs.shared.frames import FrameBroken
from libs.shared.reasons import Reason

if TYPE_CHECKING:
    from agent.server.bandwidth import Throttle

RETRIED = frozenset({408, 425, 429, 502, 503, 504})
READ_SECONDS = 120.0
LONGEST_PAUSE_SECONDS = 8.0
TRIES_OF_SERVER_ERROR = 4


class StreamCut(Exception):
    """A streamed answer ended before its end; ask again."""


@dataclass(frozen=True)
class Answer:
    """A successful answer of the server at that address, read to its end."""

    address: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, a JSON object; Unreachable where it isn't what our server would say."""
        try:
            told = json.loads(self.body)
        except ValueError as error:
            raise self._strange() from error
        if not isinstance(told, dict):
            raise self._strange()
        return _Told(told, self._strange)

    def _strange(self) -> Unreachable:
        another = AnotherAnswered(self.address, self.status, "and not as the server does")
        return Unreachable(another.reason)


class _Told(dict[str, Any]):
    """A document of the server's; one that lacks what it must have is somebody else's."""

    def __init__(self, told: dict[str, Any], strange: Callable[[], Unreachable]) -> None:
        super().__init__(told)
        self._strange = strange

    def __missing__(self, key: str) -> Any:
        raise self._strange()


def _say_nothing(_sentence: str) -> None:
    return None


class Connection:
    """One server; may be used from several threads, each of which has its own connection.

    proxy: its address, `none`, or None for the environment's.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        ca_file: Path | None = None,
        proxy: str | None = None,
        patience_seconds: float = 900,
        on_wait: Callable[[str], None] = _say_nothing,
        throttle: Throttle | None = None,
    ) -> None:
        self._way = Way(url, ca_file, proxy)
        self.url = self._way.server.shown
        self.token = token
        self.patience_seconds = patience_seconds
        self.stopping = threading.Event()
        self.on_wait = on_wait
        self._trace = os.urandom(16).hex()
        self._throttle = throttle if throttle is not None and throttle.is_needed else None
        self._local = threading.local()
        self._lock = threading.Lock()
        self._wires: weakref.WeakSet[Wire] = weakref.WeakSet()

    def cut(self) -> None:
        """Break off what is under way in all threads; they fail as if the line were cut."""
        with self._lock:
            for wire in list(self._wires):
                if wire.sock is not None:
                    with suppress(OSError):
                        wire.sock.shutdown(socket.SHUT_RDWR)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | memoryview | None = None,
        *,
        content_type: str = "application/octet-stream",
        read_seconds: float = READ_SECONDS,
        retry: bool = True,
    ) -> Answer:
        """One exchange, repeated while the server is away; Problem for any other refusal."""
        away = _Away(self)
        while True:
            try:
                response = self._exchange(method, path, body, content_type, read_seconds)
                content = response.read()
                if response.status < 300:
                    check_success(self.url, response.status, response.headers)
                    return Answer(self.url, response.status, response.headers, content)
            except (OSError, http.client.HTTPException, AnotherAnswered) as error:
                self._drop()
                if not retry and not isinstance(error, ConnectionRefusedError):
                    raise Unreachable(away.why(error)) from error
                away.pause(error)
                continue
            self._refuse_or_pause(away, response, content, retry)

    def call_json(self, method: str, path: str, document: Any, **options: Any) -> Answer:
        """Call with a JSON body; the answer as of `call`."""
        body = json.dumps(document).encode()
        return self.call(method, path, body, content_type="application/json", **options)

    @contextmanager
    def stream(
        self, method: str, path: str, body: bytes | memoryview | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """A successful answer to be read as it comes; StreamCut when it breaks off."""
        away = _Away(self)
        while True:
            try:
                octets = "application/octet-stream"
                response = self._exchange(method, path, body, octets, READ_SECONDS)
                if response.status < 300:
                    check_success(self.url, response.status, response.headers)
                    break
                content = response.read()
            except (OSError, http.client.HTTPException, AnotherAnswered) as error:
                self._drop()
                away.pause(error)
                continue
            self._refuse_or_pause(away, response, content)
        try:
            yield response
        except (OSError, http.client.HTTPException, FrameBroken) as error:
            raise StreamCut(str(error) or type(error).__name__) from error
        finally:
            if not response.isclosed():
                self._drop()

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | memoryview | None,
        content_type: str,
        read_seconds: float,
    ) -> http.client.HTTPResponse:
        wire = self._wire()
        headers = {
            "User-Agent": f"coffre-agent/{__version__}",
            protocol.HEADER: protocol.VERSION,
            "Accept": "application/json, application/octet-stream",
            # One trace for all that this process asks for, by which operators find it again.
            "traceparent": f"00-{self._trace}-{os.urandom(8).hex()}-01",
            **self._way.headers,
        }
        if body is not None:
            headers["Content-Type"] = content_type
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if wire.sock is None:
            self._connect(wire)
        wire.sock.settimeout(read_seconds)
        content: bytes | memoryview | Iterator[memoryview] | None = body
        if body is not None and self._throttle is not None:
            headers["Content-Length"] = str(len(body))
            content = self._throttle.pieces(body)
        try:
            wire.request(method, self._way.target(path), body=content, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses a body answers before it has read all of it.
            return wire.getresponse()
        return wire.getresponse()

    def _wire(self) -> Wire:
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is None:
            wire = self._local.wire = self._way.wire()
            with self._lock:
                self._wires.add(wire)
        return wire

    def _connect(self, wire: Wire) -> None:
        try:
            wire.connect()
        except OSError as error:
            proxy = self._way.proxy
            if proxy is None or (another := between.of_tunnel(proxy.shown, error)) is None:
                raise
            raise another from error

    def _drop(self) -> None:
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is not None:
            with self._lock:
                self._wires.discard(wire)
            wire.close()
            self._local.wire = None

    def _refuse_or_pause(
        self,
        away: _Away,
        response: http.client.HTTPResponse,
        content: bytes,
        retry: bool = True,
    ) -> None:
        document = _document(content)
        if not document:
            another = between.refusal(self.url, response.status, response.headers, content)
            if not retry:
                raise Unreachable(away.why(another)) from another
            away.pause(another, _seconds(response.headers.get("Retry-After")))
            return
        problem = Problem(response.status, document)
        if response.status == 500 and away.failures < TRIES_OF_SERVER_ERROR:
            away.pause(problem)
        elif response.status in RETRIED:
            away.pause(problem, _seconds(response.headers.get("Retry-After")))
        else:
            raise problem


class _Away:
    """How long a server has been away during one exchange."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.failures = 0
        self._since = 0.0

    def pause(self, error: Exception, asked_seconds: float | None = None) -> None:
        """Wait before the next try, or raise Unreachable when patience is at its end."""
        connection = self.connection
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = Reason("certificate-untrusted", connection.url, detail=error.verify_message)
            raise Unreachable(reason) from error
        if is_hopeless(error):
            raise Unreachable(self.why(error)) from error
        moment = time.monotonic()
        is_refusal = isinstance(error, Problem) and error.status == 429
        if is_refusal and asked_seconds is not None and asked_seconds > connection.patience_seconds:
            raise error  # a day's allowance is used up: hours of waiting help nobody
        # Others of this client's are served: that is no outage, and ends.
        is_own_doing = isinstance(error, Problem) and error.code == "share-used"
        if self.failures == 0 or is_own_doing:
            self._since = moment
        self.failures += 1
        left = connection.patience_seconds - (moment - self._since)
        if left <= 0:
            raise Unreachable(self.why(error)) from error
        grown = min(LONGEST_PAUSE_SECONDS, 0.25 * 2 ** min(self.failures, 10))
        wanted = grown * random.uniform(0.7, 1.0) if asked_seconds is None else asked_seconds  # noqa: S311 - spreads retries, no secret
        if self.failures > 1 or wanted >= 1:
            is_answer = isinstance(error, (Problem, AnotherAnswered))
            state = "asks to wait" if is_answer else "does not answer"
            connection.on_wait(
                f"{connection.url} {state} ({_words(error)}); waiting up to {left:.0f} s"
            )
        if connection.stopping.wait(max(0.05, min(wanted, left))):
            raise Interrupted(Reason("interrupted")) from error

    def why(self, error: Exception) -> Reason:
        """What it means that it isn't tried again."""
        url, limit = self.connection.url, round(self.connection.patience_seconds)
        if isinstance(error, AnotherAnswered):
            return error.reason
        if is_hopeless(error):
            return Reason("not-encrypted", url, detail=_words(error))
        if isinstance(error, Problem) and error.code == "storage-refused":
            return Reason("storage-refused", url, limit=limit, detail=error.detail)
        if isinstance(error, Problem):
            return Reason("server-busy", url, limit=limit, detail=error.detail)
        return Reason("server-unreachable", url, limit=limit, detail=_words(error))


def _words(error: Exception) -> str:
    if isinstance(error, Problem):
        return error.detail
    return str(error) or type(error).__name__


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after is not None and retry_after.isdigit() else None
