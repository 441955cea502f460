"""A way to a server that can be encrypted, or go dead after so many bytes."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Wire:
    """Carries connections to a server; `budget` is how many bytes may still come back.

    told: what of each request is changed on the way, (from, to).
    """

    def __init__(
        self,
        url: str,
        tls: ssl.SSLContext | None,
        budget: int | None,
        told: tuple[bytes, bytes] = (b"", b""),
    ) -> None:
        self._target = urlsplit(url)
        self._tls = tls
        self.budget = budget
        self._told = told
        self.is_dead = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends everything."""
        self.is_dead.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        self._sockets.append(near)
        try:
            if self._tls is not None:
                near = self._tls.wrap_socket(near, server_side=True)
                self._sockets.append(near)
            far = socket.create_connection((self._target.hostname, self._target.port))
        except OSError:
            near.close()
            return
        self._sockets.append(far)
        there = threading.Thread(target=self._copy, args=(near, far, False), daemon=True)
        there.start()
        self._copy(far, near, True)

    def _copy(self, source: socket.socket, target: socket.socket, is_back: bool) -> None:
        with suppress(OSError, ValueError):
            while piece := source.recv(65_536):
                if is_back and self.budget is not None:
                    self.budget -= len(piece)
                    if self.budget < 0:
                        self.is_dead.set()
                        return
                target.sendall(piece if is_back else piece.replace(*self._told, 1))
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def wire_to(
    url: str,
    *,
    tls: ssl.SSLContext | None = None,
    budget: int | None = None,
    told: tuple[bytes, bytes] = (b"", b""),
) -> Iterator[Wire]:
    """A wire for as long as this lasts."""
    wire = Wire(url, tls, budget, told)
    try:
        yield wire
    finally:
        wire.close()


def self_signed(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server of 127.0.0.1 needs for TLS, and its certificate as a file to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Coffre of these tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted = folder / "authority.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    both = folder / "server.pem"
    both.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + trusted.read_bytes()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, trusted
