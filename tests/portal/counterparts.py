"""What handlers of pages and of the API do, read from their code: the actions that they call."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from fastapi.params import Depends

from tests.routes import Route

ACTIONS, HANDLERS = "services.portal.actions.", ("services.portal.api.", "services.portal.pages.")


def list_handlers(routes: Iterable[Any]) -> dict[Route, Callable[..., Any]]:
    """Each route with what answers it."""
    return dict(_walk(routes))


def _walk(routes: Iterable[Any]) -> Iterator[tuple[Route, Callable[..., Any]]]:
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from _walk(route.effective_candidates())
        elif hasattr(route, "endpoint"):
            for method in route.methods:
                yield (method, route.path), route.endpoint


@cache
def find_actions(handler: Callable[..., Any]) -> frozenset[str]:
    """The actions that a handler calls, itself or through others of its room: `module.name`."""
    found: set[str] = set()
    seen: set[Any] = set()
    waiting: list[Any] = [handler]
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        for one in _named_in(function):
            home = getattr(one, "__module__", "") + "."
            if home.startswith(ACTIONS):
                found.add(f"{home.removeprefix(ACTIONS)}{one.__name__}")
            elif home.startswith(HANDLERS):
                waiting.append(one)
    return frozenset(found)


def _named_in(function: Any) -> Iterator[Any]:
    """The functions that stand in the code of another, those of its dependencies with them."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        named = _resolve(node, function.__globals__)
        if get_origin(named) is Annotated:
            for told in get_args(named)[1:]:
                if isinstance(told, Depends) and inspect.isfunction(told.dependency):
                    yield told.dependency
        elif inspect.isfunction(named):
            yield inspect.unwrap(named)


def _resolve(node: ast.expr, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_resolve(node.value, names), node.attr, None)
    return None
