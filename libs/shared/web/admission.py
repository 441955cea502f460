"""The door of every service: which protocol is spoken, how large and how slow a body may be."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.shared import logs, protocol
from libs.shared.errors import BodyTooLarge, Refusal, TooSlow
from libs.shared.web.bodies import UNREAD, Answer, Body, Limit, Limits, declared_bytes
from libs.shared.web.problems import problem_response


class Admission:
    """ASGI: lets requests in that speak our version, and holds their bodies to one table.

    `limits` has every route that takes a body; below `agents_at` the version of the protocol
    counts. What is refused here was seen by nobody else; the application says only how bodies that
    are refused are answered.
    """

    def __init__(self, app: ASGIApp, limits: Limits, agents_at: str | None) -> None:
        self.app = app
        self._agents_at = agents_at
        self._limits: dict[str, list[tuple[re.Pattern[str], Limit]]] = {}
        for (method, path), limit in limits.items():
            self._limits.setdefault(method, []).append((compile_path(path)[0], limit))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = declared_bytes(headers)
        if declared == 0:
            app = self._find_refusal(scope, headers) or self.app
            await app(scope, receive, send)
            return
        limit = self._find_limit(scope)
        body = Body(limit, receive)
        state = scope.setdefault("state", {})
        state["body_limit"] = limit
        state["body_most_bytes"] = declared or limit.most_bytes
        fault = self._find_refusal(scope, headers) or await _find_fault(scope, body, declared)
        await (fault or self.app)(scope, body.receive, Answer(body, send).send)

    def _find_refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to an agent of another version."""
        if self._agents_at is None or not scope["path"].startswith(self._agents_at):
            return None
        try:
            protocol.check(headers.get(protocol.HEADER))
        except protocol.ProtocolVersion as refusal:
            return problem_response(refusal)
        return None

    def _find_limit(self, scope: Scope) -> Limit:
        for path, limit in self._limits.get(scope["method"], ()):
            if path.match(scope["path"]):
                return limit
        return UNREAD


async def _find_fault(scope: Scope, body: Body, declared: int | None) -> Response | None:
    """The application's own answer to a body that is not let in, or a plain one where that fails.

    It is always one that goes through `Answer`, which ends the connection: the rest is not read.
    """
    try:
        await body.begin(declared)
    except (BodyTooLarge, TooSlow) as refusal:
        try:
            told: Response = await scope["app"].exception_handlers[Refusal](Request(scope), refusal)
        except Exception:  # whatever it is, the body stays refused
            logs.get().exception("refusal.untold", method=scope["method"])
            return problem_response(refusal)
        return told
    return None
