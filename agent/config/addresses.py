"""Addresses of servers, taken apart once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[^\s/\\?#@%]+")


@dataclass(frozen=True)
class Address:
    """Where a server is.

    host: without brackets, as sockets take it. path: what stands before all of its own paths.
    sign_in: user and password, of a proxy.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    sign_in: tuple[str, str] | None = None

    @property
    def is_tls(self) -> bool:
        """Is it spoken to in TLS?"""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port, the port only where it isn't the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The address without what is secret."""
        return f"{self.scheme}://{self.authority}{self.path}"


def address_of(text: str) -> Address:
    """An address that begins with http:// or https://; ValueError says what it must be."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"must be an address with a port up to 65535 ({error})") from error
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host):
        raise ValueError("must be an address such as https://coffre.example")
    if port == 0:
        raise ValueError("must have another port than 0")
    try:
        host.encode("ascii" if ":" in host else "idna")
    except UnicodeError as error:
        raise ValueError("must have a host's name that can be looked up") from error
    sign_in = None
    if parts.username is not None:
        sign_in = unquote(parts.username), unquote(parts.password or "")
    path = parts.path.rstrip("/")
    if not path.isascii() or any(character.isspace() for character in path):
        raise ValueError("must have a path of plain letters")
    return Address(parts.scheme, host, port or _PORTS[parts.scheme], path, sign_in)


def server_of(text: str) -> Address:
    """The address of a server of ours; ValueError says what it must be."""
    address = address_of(text)
    if address.sign_in is not None or "?" in text or "#" in text:
        raise ValueError("must be an address alone, without user, ? or #")
    return address


def proxy_of(text: str) -> Address:
    """The address of a proxy, with or without http://; ValueError says what it must be."""
    address = address_of(text if "://" in text else f"http://{text}")
    if address.path or "?" in text or "#" in text:
        raise ValueError("must be an address such as http://user:password@proxy.example:3128")
    return address
