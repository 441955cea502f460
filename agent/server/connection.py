"""HTTP to one server: kept-alive connections per thread, retries with growing pauses.

Every request of the protocols carries its own key, so that it can be repeated after an unknown
outcome; `http.client` sends a 16 MiB body in one call, without copying it.
"""

from __future__ import annotations

import http.client
import json
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
from urllib.parse import urlsplit

from agent import __version__
from agent.telling.failures import Interrupted, Problem, Unreachable, UsageError
from libs.shared import protocol
from libs.shared.frames import FrameBroken
from libs.shared.reasons import Reason

if TYPE_CHECKING:
    from agent.server.bandwidth import Throttle

RETRIED = frozenset({408, 425, 429, 502, 503, 504})
CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0
LONGEST_PAUSE_SECONDS = 8.0
TRIES_OF_SERVER_ERROR = 4

Wire = http.client.HTTPConnection


class StreamCut(Exception):
    """A streamed answer ended before its end; ask again."""


@dataclass(frozen=True)
class Answer:
    """A successful answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def _say_nothing(_sentence: str) -> None:
    return None


class Connection:
    """One server; may be used from several threads, each of which has its own connection."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        ca_file: Path | None = None,
        patience_seconds: float = 900,
        on_wait: Callable[[str], None] = _say_nothing,
        throttle: Throttle | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url!r} is no address of a server: it begins with https://")
        self.url = url.rstrip("/")
        self.token = token
        self.patience_seconds = patience_seconds
        self.stopping = threading.Event()
        self.on_wait = on_wait
        self._throttle = throttle if throttle is not None and throttle.is_needed else None
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._tls = _tls_context(ca_file) if parts.scheme == "https" else None
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
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if not retry and not isinstance(error, ConnectionRefusedError):
                    reason = Reason("server-unreachable", self.url, detail=str(error))
                    raise Unreachable(reason) from error
                away.pause(error)
                continue
            if response.status < 300:
                return Answer(response.status, response.headers, content)
            self._refuse_or_pause(away, response, content)

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
                    break
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
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
        }
        if body is not None:
            headers["Content-Type"] = content_type
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if wire.sock is None:
            wire.connect()
        wire.sock.settimeout(read_seconds)
        content: bytes | memoryview | Iterator[memoryview] | None = body
        if body is not None and self._throttle is not None:
            headers["Content-Length"] = str(len(body))
            content = self._throttle.pieces(body)
        try:
            wire.request(method, self._prefix + path, body=content, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses a body answers before it has read all of it.
            return wire.getresponse()
        return wire.getresponse()

    def _wire(self) -> Wire:
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is None:
            if self._tls is None:
                wire = Wire(self._host, self._port, timeout=CONNECT_SECONDS)
            else:
                wire = http.client.HTTPSConnection(
                    self._host, self._port, timeout=CONNECT_SECONDS, context=self._tls
                )
            self._local.wire = wire
            with self._lock:
                self._wires.add(wire)
        return wire

    def _drop(self) -> None:
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is not None:
            with self._lock:
                self._wires.discard(wire)
            wire.close()
            self._local.wire = None

    def _refuse_or_pause(
        self, away: _Away, response: http.client.HTTPResponse, content: bytes
    ) -> None:
        problem = Problem(response.status, _document(content))
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
        moment = time.monotonic()
        if asked_seconds is not None and asked_seconds > connection.patience_seconds:
            raise error  # a day's allowance is used up, say: hours of waiting help nobody
        # Others of this client's are served: that is no outage, and ends.
        is_own_doing = isinstance(error, Problem) and error.code == "share-used"
        if self.failures == 0 or is_own_doing:
            self._since = moment
        self.failures += 1
        left = connection.patience_seconds - (moment - self._since)
        if left <= 0:
            raise Unreachable(self._why(error)) from error
        grown = min(LONGEST_PAUSE_SECONDS, 0.25 * 2 ** min(self.failures, 10))
        wanted = grown * random.uniform(0.7, 1.0) if asked_seconds is None else asked_seconds  # noqa: S311 - spreads retries, no secret
        if self.failures > 1 or wanted >= 1:
            state = "asks to wait" if isinstance(error, Problem) else "does not answer"
            connection.on_wait(
                f"{connection.url} {state} ({_words(error)}); waiting up to {left:.0f} s"
            )
        if connection.stopping.wait(max(0.05, min(wanted, left))):
            raise Interrupted(Reason("interrupted")) from error

    def _why(self, error: Exception) -> Reason:
        """What it means that patience is at its end."""
        url, limit = self.connection.url, round(self.connection.patience_seconds)
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


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if ca_file is not None:
            context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"ca_file {ca_file} can't be read as certificates: {error}") from error
    return context
