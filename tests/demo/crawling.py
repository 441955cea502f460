"""Somebody who follows every link that they find in the portal's pages."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from starlette.routing import compile_path

from services.portal import api, pages
from tests.demo.reading import Locale, PageText, find_faults
from tests.routes import list_routes

_ROUTES = sorted(
    (path for router in (pages.router, api.router) for method, path in list_routes(router)
     if method == "GET"),
    key=lambda path: path.count("{"),
)  # fmt: skip
_PATTERNS = [(path, compile_path(path)[0]) for path in dict.fromkeys(_ROUTES)]
OF_PAGES = frozenset(path for method, path in list_routes(pages.router) if method == "GET")
"""All that the portal's pages answer who asks."""
_TURNS = "/language/{locale}"
"""All that comes after it is in another language."""


def find_route(path: str) -> str:
    """The route that answers a path; a mounted folder is none."""
    return next((route for route, pattern in _PATTERNS if pattern.match(path)), "")


@dataclass(frozen=True)
class Visit:
    """What somebody got."""

    address: str
    route: str
    status: int
    linked_on: str
    page: PageText | None


@dataclass
class Crawler:
    """Follows links breadth first; `each` of a route, for each set of questions that it takes."""

    client: httpx2.AsyncClient
    locale: Locale
    each: int
    widest: dict[str, int] = field(default_factory=dict)
    """More of some routes: of what differs much from one to the next."""
    visits: list[Visit] = field(default_factory=list)

    async def follow(self, *first: str) -> None:
        """Goes wherever links lead from some addresses."""
        waiting = deque((address, "") for address in first)
        known, taken = set(first), Counter[Any]()
        while waiting:
            address, linked_on = waiting.popleft()
            visit = await self.go(address, linked_on)
            self.visits.append(visit)
            for link in visit.page.links if visit.page else ():
                route = find_route(urlsplit(link).path)
                form = route, frozenset(dict(parse_qsl(urlsplit(link).query)))
                if (
                    link in known
                    or route in {"", _TURNS}
                    or taken[form] >= self.widest.get(route, self.each)
                ):
                    continue
                known.add(link)
                taken[form] += 1
                waiting.append((link, address))

    async def go(self, address: str, linked_on: str = "") -> Visit:
        """Opens one address, and goes on where it sends its visitor."""
        answer = await self.client.get(address, follow_redirects=True)
        at = answer.url.raw_path.decode()
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        page = PageText(answer.text, at) if is_page else None
        route = find_route(urlsplit(address).path)
        return Visit(address, route, answer.status_code, linked_on, page)

    def reached(self) -> set[str]:
        """The routes that answered."""
        return {one.route for one in self.visits if one.status == 200}

    def faults(self) -> Iterator[str]:
        """Links that lead to no page, and what pages say amiss."""
        for one in self.visits:
            where = f"{one.address} ({one.status}, from {one.linked_on or 'the start'})"
            if one.status != 200:
                yield where
            for fault in find_faults(one.page, self.locale) if one.page else ():
                yield f"{where}: {fault}"
