"""Stylesheet, scripts and pictures: from our own address, kept by browsers until they change."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_FOLDER = Path(__file__).parents[1] / "static"


@functools.cache
def address(name: str) -> str:
    """Where a file of `static/` is; another one when its content is another."""
    digest = hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:10]}"


class Assets(StaticFiles):
    """The files of `static/`: for ever, where they are asked for by an address of `address`."""

    def __init__(self) -> None:
        super().__init__(directory=_FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file."""
        answer = await super().get_response(path, scope)
        if answer.status_code in {200, 304} and scope["query_string"].startswith(b"v="):
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
