"""The application factory."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from fastapi import APIRouter, FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.responses import JSONResponse, Response

from libs.shared import logs
from libs.shared.errors import Refusal
from libs.shared.heartbeats import Heartbeat
from libs.shared.settings import Network
from libs.shared.web import problems
from libs.shared.web.admission import Admission
from libs.shared.web.bodies import Limits
from libs.shared.web.heads import Heads
from libs.shared.web.proxies import Proxies
from libs.shared.web.requests import Surroundings

CHECK_SECONDS = 5.0
PROBED_SECONDS = 1.0
"""How long an answer to those who may only know yes or no is true."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that readiness looks at: `probe` raises when it is not well.

    One that is not `required` is shown, and does not make the service unready.
    """

    name: str
    probe: Callable[[], Awaitable[None]]
    required: bool = True


def create_app(
    service: str,
    *,
    ready: Sequence[Check] = (),
    routers: Sequence[APIRouter] = (),
    bodies: Limits = MappingProxyType({}),
    title: str = "",
    headers: Mapping[str, str] | None = None,
    openapi_url: str | None = None,
    agents_at: str | None = None,
    trusted_proxies: Sequence[Network] = (),
) -> FastAPI:
    """A FastAPI application with problems, request ids, body limits and bare words on its health.

    `bodies` has each route that takes a body, with its limits; `headers` are set on every answer
    that has not set them itself; below `agents_at` an agent of another protocol version is
    refused; `trusted_proxies` are believed from where a request comes. What operators see of it is
    `create_monitor`.
    """
    app = FastAPI(
        title=title or f"Coffre {service}",
        openapi_url=openapi_url,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host the request names
    )
    problems.install(app)
    app.state.ready = ready
    app.state.heartbeats = ()
    app.add_middleware(Heads)
    app.add_middleware(Admission, limits=bodies, agents_at=agents_at)
    app.add_middleware(Surroundings, service=service, headers=headers or {})
    app.add_middleware(Proxies, trusted=trusted_proxies)
    app.include_router(_health(ready))
    for router in routers:
        app.include_router(router)
    return app


def create_monitor(service: str, app: FastAPI) -> FastAPI:
    """What operators see of an application, for a port of its own: its checks, and metrics."""
    monitor = FastAPI(title=f"Coffre {service}", openapi_url=None, docs_url=None, redoc_url=None)
    problems.install(monitor)
    monitor.add_middleware(Admission, limits={}, agents_at=None)
    monitor.add_middleware(Surroundings, service=service, headers={})
    monitor.include_router(_monitor(app.state.ready))
    return monitor


def _health(checks: Sequence[Check]) -> APIRouter:
    """What anybody may ask: yes or no, and asking often costs nothing."""
    router = APIRouter(include_in_schema=False)
    readiness = _Readiness(checks)

    @router.get("/health/live")
    async def live(request: Request) -> Response:
        heartbeats: Sequence[Heartbeat] = request.app.state.heartbeats
        if any(one.is_silent() for one in heartbeats):
            return JSONResponse({"status": "stuck"}, status_code=503)
        return JSONResponse({"status": "live"})

    @router.get("/health/ready")
    async def ready() -> Response:
        return _say_ready(await readiness.ask())

    return router


def _monitor(checks: Sequence[Check]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/ready")
    async def ready() -> Response:
        states = await _probe_all(checks)
        return _say_ready(_is_ready(checks, states), checks=states)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router


def _say_ready(is_ready: bool, **more: object) -> Response:
    return JSONResponse(
        {"status": "ready" if is_ready else "not ready", **more},
        status_code=200 if is_ready else 503,
    )


class _Readiness:
    """Whether a service can do its work, looked at once in PROBED_SECONDS however many ask."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks
        self._lock = asyncio.Lock()
        self._asked_at = -math.inf
        self._is_ready = False

    async def ask(self) -> bool:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._asked_at > PROBED_SECONDS:
                self._is_ready = _is_ready(self._checks, await _probe_all(self._checks))
                self._asked_at = asyncio.get_running_loop().time()
            return self._is_ready


def _is_ready(checks: Sequence[Check], states: Mapping[str, str]) -> bool:
    return all(states[check.name] == "ok" or not check.required for check in checks)


async def _probe_all(checks: Sequence[Check]) -> dict[str, str]:
    states = await asyncio.gather(*(_probe(check) for check in checks))
    return {check.name: state for check, state in zip(checks, states, strict=True)}


async def _probe(check: Check) -> str:
    """`ok`, or a sentence; what a probe raises beyond refusals goes to the log only."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check.probe()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} seconds"
    except Refusal as refusal:
        return refusal.detail
    except Exception:
        logs.get().exception("check.failed", check=check.name)
        return "failed; see the log"
    return "ok"
