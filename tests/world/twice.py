"""An installation with several processes of each service, and Caddy before portal and ingest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devstack.portal import Portal
from devstack.stack import SERVICES, Stack, is_ready
from tests.servers import free_port
from tests.world.house import STARTING_SECONDS, House, take_place
from tests.world.proxy import Proxy, open_proxy, several
from tests.world.waiting import wait_for

FOR_CLIENTS = ("portal", "ingest")


@dataclass
class Many(House):
    """What clients see of several houses on one place: what is before them.

    Its own processes are none; those of `houses` run.
    """

    proxy: Proxy | None = None
    houses: tuple[House, ...] = ()

    def url(self, service: str) -> str:
        """The address of a service: the proxy's, where it stands before it."""
        if self.proxy and service in FOR_CLIENTS:
            return str(getattr(self.proxy, service))
        return super().url(service)

    def wait_all_ready(self, *services: str) -> None:
        """Waits until each process of these services can do its work."""
        for house in self.houses:
            for service in services:
                url = house.place.url(service)
                wait_for(f"{service} at {url}", lambda url=url: is_ready(url), 4 * STARTING_SECONDS)


def elsewhere(place: Stack) -> Stack:
    """The same place with other addresses for its services."""
    ports, monitors = ({service: free_port() for service in SERVICES} for _ in range(2))
    return replace(place, listens=ports, monitors=monitors)


@contextmanager
def open_many(
    servers: Any, template: str, folder: Path, *services: str, count: int = 2, **environ: str
) -> Iterator[Many]:
    """So many processes of each of these services, running behind one proxy."""
    with take_place(servers, template, folder / "place") as place:
        places = [elsewhere(place) for _ in range(count)]
        portals, ingests = (
            [each.url(service).removeprefix("http://") for each in places]
            for service in FOR_CLIENTS
        )
        with open_proxy(folder / "caddy", portals, ingests, several()) as proxy:
            told = {
                "COFFRE_TRUSTED_PROXIES": "127.0.0.0/8",
                "COFFRE_PORTAL_URL": proxy.portal,
                "COFFRE_INGEST_URL": proxy.ingest,
                **environ,
            }
            houses = tuple(House(each, told) for each in places)
            many = Many(place, told, proxy=proxy, houses=houses)
            many.portal = Portal(proxy.portal, place.operator_token)
            try:
                for house in houses:
                    for service in services:
                        house.launch(service)
                many.wait_all_ready(*services)
                yield many
            finally:
                for house in houses:
                    house.close()
