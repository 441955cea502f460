"""The way to a server: directly or through a proxy, encrypted or not."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
from pathlib import Path

from agent.config.addresses import Address, server_of
from agent.config.proxies import proxy_for
from agent.telling.failures import UsageError

Wire = http.client.HTTPConnection

CONNECT_SECONDS = 10.0
# Where systems keep the authorities that they trust: a bundled OpenSSL looks where it was built.
_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# What OpenSSL says where no later try can end better: no TLS there, or none that both speak.
_HOPELESS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "UNKNOWN_PROTOCOL",
        "UNSUPPORTED_PROTOCOL",
        "NO_PROTOCOLS_AVAILABLE",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
    }
)


def is_hopeless(error: Exception) -> bool:
    """Can an encrypted connection to the address never be made?"""
    return isinstance(error, ssl.SSLError) and error.reason in _HOPELESS


class Way:
    """How wires to one server are made; UsageError where its address is none."""

    def __init__(self, url: str, ca_file: Path | None, proxy: str | None) -> None:
        try:
            self.server = server_of(url)
        except ValueError as error:
            raise UsageError(f"The server's address {error}, and is {url!r}.") from error
        self.proxy = proxy_for(self.server, proxy)
        self._tls = _tls_context(ca_file) if self.server.is_tls else None

    @property
    def headers(self) -> dict[str, str]:
        """What each request needs besides its own."""
        if self.proxy is None or self.server.is_tls:
            return {}
        return _sign_in(self.proxy)

    def target(self, path: str) -> str:
        """What a request asks for: a path, or of a proxy the whole address."""
        if self.proxy is None or self.server.is_tls:
            return self.server.path + path
        return self.server.shown + path

    def wire(self) -> Wire:
        """A new wire, not yet connected."""
        near = self.proxy or self.server
        if self._tls is None:
            return Wire(near.host, near.port, timeout=CONNECT_SECONDS)
        wire = http.client.HTTPSConnection(
            near.host, near.port, timeout=CONNECT_SECONDS, context=self._tls
        )
        if self.proxy is not None:
            wire.set_tunnel(self.server.host, self.server.port, _sign_in(self.proxy))
        return wire


def _sign_in(proxy: Address) -> dict[str, str]:
    if proxy.sign_in is None:
        return {}
    told = base64.b64encode(":".join(proxy.sign_in).encode()).decode()
    return {"Proxy-Authorization": f"Basic {told}"}


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        _trust_the_system(context)
        if ca_file is not None:
            context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"ca_file {ca_file} can't be read as certificates: {error}") from error
    return context


def _trust_the_system(context: ssl.SSLContext) -> None:
    """Where OpenSSL's own places are empty, take the authorities of the system."""
    own = ssl.get_default_verify_paths()
    if own.cafile is None and not context.cert_store_stats()["x509_ca"]:
        for file in filter(os.path.isfile, _AUTHORITIES):
            context.load_verify_locations(file)
            return
