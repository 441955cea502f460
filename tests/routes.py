"""Every route of an application, as a set that a test's tables can be compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import APIRouter, FastAPI

Route = tuple[str, str]


def list_routes(app: FastAPI | APIRouter) -> set[Route]:
    """(method, path) of all that it answers; a mounted folder's method is `*`."""
    return set(_walk(app.routes))


def _walk(routes: Iterable[Any]) -> Iterator[Route]:
    for route in routes:
        if hasattr(route, "effective_candidates"):  # a router that was included
            yield from _walk(route.effective_candidates())
        else:
            for method in getattr(route, "methods", None) or {"*"}:
                yield method, route.path
