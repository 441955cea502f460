"""HEAD: whatever answers to GET answers to it the same, without the content."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """ASGI, innermost: hands HEAD on as GET, and keeps back the content.

    Who would read much for it, or notes who gets it, asks `is_head`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        scope["state"]["is_head"] = True

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # The log and the metrics go on with what was asked; only they see the route by this.
        inner = {**scope, "method": "GET"}
        try:
            await self.app(inner, receive, send_head)
        finally:
            scope.update({**inner, "method": "HEAD"})


def is_head(scope: Scope) -> bool:
    """Is an answer's content asked for by nobody?"""
    return bool(scope["state"].get("is_head"))
