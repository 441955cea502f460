"""Where a request comes from: what trusted proxies say of it, and nobody else."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.shared.settings import Network

Address = IPv4Address | IPv6Address

_HOPS = 32
"""More proxies than any request goes through."""
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("?)([^";]*)\1\s*(?:;|$)', re.IGNORECASE)


class Proxies:
    """ASGI: puts the address of whoever asks into the scope's `client`.

    A header counts only as far as trusted proxies wrote it: from its end to the first address
    that is not `trusted`. Where both headers are there and disagree, one of them came from
    outside, and the proxy's own address is kept.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self.app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "http" and scope.get("client"):
            host, port = scope["client"]
            found = self._find(host, Headers(scope=scope))
            # The port is that of the connection, which is the last proxy's.
            scope["client"] = (found, port if found == host else 0)
        await self.app(scope, receive, send)

    def _find(self, host: str, headers: Headers) -> str:
        peer = read_address(host)
        if peer is None:
            return host
        if not self._trusts(peer):
            return str(peer)
        found = {
            self._follow(peer, hops)
            for name, read in (("x-forwarded-for", _plain), ("forwarded", _rfc7239))
            if (hops := read(headers.getlist(name)))
        }
        return str(found.pop() if len(found) == 1 else peer)

    def _follow(self, peer: Address, hops: Sequence[str]) -> Address:
        """From the last hop back to the first that is no proxy of ours."""
        address = peer
        for hop in reversed(hops):
            before = read_address(hop)
            if before is None:
                return address
            address = before
            if not self._trusts(address):
                return address
        return address

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def read_address(text: str) -> Address | None:
    """An address as it stands in headers, with or without a port; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _plain(lines: Sequence[str]) -> list[str]:
    """The hops of X-Forwarded-For, the nearest last: few, for what is farther is anybody's."""
    return ",".join(lines).rsplit(",", _HOPS)[-_HOPS:] if lines else []


def _rfc7239(lines: Sequence[str]) -> list[str]:
    """The hops of Forwarded, the nearest last; one that doesn't say `for` is no address."""
    found = [_FOR.search(element) for element in _plain(lines)]
    return ["" if one is None else one.group(2) for one in found]
