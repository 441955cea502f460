"""Agents of another version: told so at the door, before anything else is looked at."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.shared import protocol
from libs.shared.web.problems import problem_response


class OneVersion:
    """ASGI: refuses who speaks another version of the protocol, at all paths below `prefix`."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "http" and scope["path"].startswith(self.prefix):
            headers = Headers(scope=scope)
            try:
                protocol.check(headers.get(protocol.HEADER))
            except protocol.ProtocolVersion as refusal:
                has_body = headers.get("content-length", "0") != "0"
                in_body = has_body or "transfer-encoding" in headers
                await problem_response(refusal, in_body=in_body)(scope, receive, send)
                return
        await self.app(scope, receive, send)
