"""What stands between an agent and its server: pages of others, and proxies with a sign-in."""

from __future__ import annotations

import base64
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import msgspec

from libs.shared.batches import decode_batch, encode_batch
from libs.shared.entries import Entry, FolderDelta
from tests.world.serving import serving

PAGE = b"<html><head><title>Welcome to\n H&ocirc;tel Bellevue</title></head><body>...</body>"


@contextmanager
def another(
    *answers: tuple[int, dict[str, str], bytes], host: str = "127.0.0.1"
) -> Iterator[tuple[str, list[str]]]:
    """Something else at the server's address: (its address, what was asked of it).

    It gives one answer after the other, the last one again and again.
    """
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answers[min(len(asked), len(answers) - 1)]
            asked.append(f"{self.command} {self.path}")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = answer  # noqa: N815 - so http.server calls it
        do_POST = answer  # noqa: N815 - the same

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    server = Server((host, 0), Answers)
    shown = f"[{host}]" if ":" in host else host
    with serving(server):
        yield f"http://{shown}:{server.server_port}", asked


@contextmanager
def spoiling(target: str, *names: bytes) -> Iterator[str]:
    """An address that leads to the server, where entries of these names arrive with a bad mode.

    As a server with a rule more than the agent knows would, ours refuses them then.
    """

    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "/entries?batch=" in self.path:
                body = encode_batch(
                    [
                        FolderDelta(
                            delta.folder,
                            [_spoilt(one, names) for one in delta.upserts],
                            delta.removed,
                        )
                        for delta in decode_batch(body)
                    ]
                )
            headers = {
                name: self.headers[name] for name in self.headers if name != "Content-Length"
            }
            far = http.client.HTTPConnection(urlsplit(target).netloc)
            far.request(self.command, self.path, body or None, headers)
            answer = far.getresponse()
            content = answer.read()
            far.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = relay  # noqa: N815 - so http.server calls it

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    server.daemon_threads = True
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


def _spoilt(entry: Entry, names: tuple[bytes, ...]) -> Entry:
    # What the agent sends in its place later has no time.
    if entry.name in names and entry.mtime_ns:
        return msgspec.structs.replace(entry, mode=2**20)
    return entry


class Proxy:
    """A forward proxy that wants a sign-in; whatever is asked for, it leads to one target.

    others: where it leads instead, by the first part of a host's name.
    asked: the first lines of what it let through, or sent away (`407 …`).
    """

    def __init__(self, target: str, sign_in: str, **others: str) -> None:
        self._target = urlsplit(target)
        self._others = others
        self._wanted = f"Basic {base64.b64encode(sign_in.encode()).decode()}"
        self.asked: list[str] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends everything."""
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with suppress(OSError, ValueError):
            head = b""
            while b"\r\n\r\n" not in head and (piece := near.recv(65_536)):
                head += piece
            first = head.partition(b"\r\n")[0].decode()
            if f"Proxy-Authorization: {self._wanted}".encode() not in head:
                self.asked.append(f"407 {first}")
                near.sendall(
                    b"HTTP/1.1 407 Sign in\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                near.close()
                return
            self.asked.append(first)
            named = urlsplit(first.split()[1]).hostname or ""
            target = self._target
            if (other := self._others.get(named.partition(".")[0])) is not None:
                target = urlsplit(other)
            far = socket.create_connection((target.hostname, target.port))
            self._sockets.append(far)
            if first.startswith("CONNECT "):
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far.sendall(head)
            threading.Thread(target=_copy, args=(far, near), daemon=True).start()
            _copy(near, far)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def proxy_to(target: str, sign_in: str, **others: str) -> Iterator[Proxy]:
    """A proxy for as long as this lasts."""
    proxy = Proxy(target, sign_in, **others)
    try:
        yield proxy
    finally:
        proxy.close()
