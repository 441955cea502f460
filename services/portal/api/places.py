"""Who asks for what of a plan's files: a path as it came, in which restore point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from libs.shared.catalogue import FolderOrder, Sort
from services.portal.actions.files.browsing import AskedPlace
from services.portal.api.access import Client
from services.portal.rules.files import names

KINDS = {
    "f": "file",
    "d": "folder",
    "l": "symlink",
    "p": "fifo",
    "b": "block_device",
    "c": "character_device",
}
RunNumber = Annotated[int | None, Query(ge=1)]
At = Annotated[str, Query(max_length=40)]
"""A day or a moment in place of a run's number: the last restore point that is not later."""


def path_of(request: Request) -> bytes:
    """The raw bytes of the query's `path`, which need not be UTF-8."""
    return names.query_bytes(request.scope["query_string"], b"path") or b""


async def ask_at_point(
    plan: str, request: Request, actor: Client, run: RunNumber = None, at: At = ""
) -> AskedPlace:
    """A path in one restore point, the newest if none is named."""
    return AskedPlace(actor, plan, path_of(request), run, at)


async def ask_in_plan(plan: str, request: Request, actor: Client) -> AskedPlace:
    """A path in all restore points of a plan."""
    return AskedPlace(actor, plan, path_of(request))


async def read_order(
    request: Request, sort: Sort = "name", descending: bool = False
) -> FolderOrder:
    """In which order a folder is listed, and behind which name: `after`, as it came."""
    after = names.query_bytes(request.scope["query_string"], b"after")
    return FolderOrder(sort, descending, after or None)


AtPoint = Annotated[AskedPlace, Depends(ask_at_point)]
InPlan = Annotated[AskedPlace, Depends(ask_in_plan)]
InOrder = Annotated[FolderOrder, Depends(read_order)]


@dataclass(frozen=True)
class Between:
    """Two restore points by the numbers of their runs, a folder, and the name to go on after."""

    older: int
    newer: int
    path: bytes
    after: bytes


async def find_between(
    request: Request,
    older: Annotated[int, Query(ge=0, lt=2**31)],
    newer: Annotated[int, Query(ge=0, lt=2**31)],
) -> Between:
    """Which of them is the older one is told by their numbers."""
    query = request.scope["query_string"]
    after = names.query_bytes(query, b"after") or b""
    return Between(min(older, newer), max(older, newer), path_of(request), after)
