"""Which proxy leads to a server: the configuration's, the environment's, or none."""

from __future__ import annotations

import os

from agent.config.addresses import Address, proxy_of
from agent.telling.failures import UsageError

NO_PROXY = "none"


def proxy_for(server: Address, wanted: str | None) -> Address | None:
    """The proxy that the configuration names, else the environment for this server.

    wanted: its address, `none`, or None for the environment's.
    """
    if wanted == NO_PROXY:
        return None
    text = wanted or _of_environment(server)
    if text is None:
        return None
    try:
        return proxy_of(text)
    except ValueError as error:
        place = "proxy" if wanted else "The proxy of the environment"
        raise UsageError(f"{place} {error}.") from error


def _of_environment(server: Address) -> str | None:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    if server.host in ("localhost", "::1") or server.host.startswith("127."):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - costs start-up time

    if proxy_bypass(f"{server.host}:{server.port}"):
        return None
    return getproxies().get(server.scheme)
