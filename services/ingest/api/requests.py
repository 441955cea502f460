"""Who asks, and how much may be sent: what all routes have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import ClientDisconnect
from starlette.types import Message

from libs.shared import web
from libs.shared.errors import BodyTooLarge, Unauthenticated
from services.ingest import actions, rules

MAX_JSON_BYTES = 1024 * 1024
MAX_ENDING_BYTES = 8 * 1024 * 1024
JSON_SECONDS = 60.0

_bearer = HTTPBearer(auto_error=False, description="The token that the machine got by enrolling.")


async def resources_of(
    request: Request,
) -> actions.resources.Resources:  # async: no thread for so little
    """The service's pool, store and keys."""
    resources: actions.resources.Resources = request.app.state.resources
    return resources


Resources = Annotated[actions.resources.Resources, Depends(resources_of)]


async def agent_of(
    resources: Resources,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> rules.agents.Agent:
    """The agent whose token came along."""
    if credentials is None:
        raise Unauthenticated
    return await actions.agents.authenticate(resources, credentials.credentials)


Agent = Annotated[rules.agents.Agent, Depends(agent_of)]


class JsonRoute(APIRoute):
    """A route whose body is small: read within a minute, and never more than a mebibyte of it."""

    max_body_bytes = MAX_JSON_BYTES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind a reader with limits."""
        handler = super().get_route_handler()

        async def limited(request: Request) -> Response:
            body = bytes(await web.read_body(request, self.max_body_bytes, JSON_SECONDS))
            return await handler(Request(request.scope, _replaying(body)))

        return limited


class EndingRoute(JsonRoute):
    """A run's end may name a thousand files with long paths."""

    max_body_bytes = MAX_ENDING_BYTES


def _replaying(body: bytes) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def declared_bytes(request: Request, limit_bytes: int) -> int:
    """What a body says it has, or all that it may have; BodyTooLarge where that is too much."""
    length = request.headers.get("content-length", "")
    declared = int(length) if length.isdecimal() else limit_bytes
    if declared > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    return declared


def upload_of(request: Request, limit_bytes: int) -> actions.intake.uploads.Upload:
    """A body that is received once somebody asks for it; the application's limits hold for it."""
    return actions.intake.uploads.Upload(declared_bytes(request, limit_bytes), pieces_of(request))


def pieces_of(request: Request) -> Callable[[], Awaitable[bytes | None]]:
    """A body piece by piece, then None; ClientDisconnect where it is cut."""
    ended = False

    async def receive() -> bytes | None:
        nonlocal ended
        if ended:
            return None
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        ended = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece

    return receive
