"""What surrounds every request: its id and trace, its log line and metrics, its last resort."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.shared import logs, tracing
from libs.shared.errors import Refusal
from libs.shared.web.problems import InternalError, problem_response

_REQUESTS = Counter(
    "coffre_http_requests", "Requests answered", ["service", "method", "route", "status"]
)
_SECONDS = Histogram(
    "coffre_http_request_seconds",
    "Seconds to the end of the answer",
    ["service", "method", "route"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
_REQUEST_ID = re.compile(r"^[A-Za-z0-9_.-]{8,64}$")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})

DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), usb=()",
}


class Surroundings:
    """ASGI, outermost: request id, security headers, one log line, metrics, and the 500."""

    def __init__(self, app: ASGIApp, service: str, headers: Mapping[str, str]) -> None:
        self.app = app
        self.service = service
        self.headers = {**DEFAULT_HEADERS, **headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received = Headers(scope=scope)
        request_id = received.get("x-request-id", "")
        if not _REQUEST_ID.match(request_id):
            request_id = secrets.token_hex(12)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        begun = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                if "json" in headers.get("content-type", ""):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        parent = logs.readable_traceparent(received.get("traceparent", ""))
        method = _method_of(scope)
        with (
            logs.bindings_ended(),  # after the span, which names them, too
            structlog.contextvars.bound_contextvars(request_id=request_id),
            tracing.trace(parent, method, "server", http__request__method=method) as span,
        ):
            try:
                await self._answer(scope, receive, send_with_headers, request_id, lambda: status)
            finally:
                self._count(scope, status, time.perf_counter() - begun)
                self._describe(scope, status, span)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, status: Callable[[], int]
    ) -> None:
        try:
            await self.app(scope, receive, send)
        except ClientDisconnect:
            logs.get().info("request.cut", method=scope["method"], route=route_of(scope))
        except Exception as error:
            if status():
                raise  # the answer is half sent: uvicorn logs it and closes the connection
            if isinstance(error, Refusal):
                response = problem_response(error)
            else:
                logs.get().exception(
                    "request.failed", method=scope["method"], route=route_of(scope)
                )
                response = problem_response(InternalError(request_id))
            await response(scope, receive, send)

    def _describe(self, scope: Scope, status: int, span: tracing.Span) -> None:
        route = route_of(scope)
        if route in _QUIET:
            span.drop()
        span.rename(f"{_method_of(scope)} {route}")
        span.say(http__route=route, http__response__status_code=status)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = _method_of(scope)
        route = route_of(scope)
        _REQUESTS.labels(self.service, method, route, str(status)).inc()
        _SECONDS.labels(self.service, method, route).observe(seconds)
        if route not in _QUIET:
            logs.get().info(
                "request.answered",
                method=method,
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )


def _method_of(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def route_of(scope: Scope) -> str:
    """The template of the route that matched, such as `/v1/runs/{run}`: never a path with ids."""
    route = scope.get("route")
    return str(getattr(route, "path", "")) or "unknown"
