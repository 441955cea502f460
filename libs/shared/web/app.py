"""The application factory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from fastapi import APIRouter, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.responses import JSONResponse, Response

from libs.shared import logs
from libs.shared.errors import Refusal
from libs.shared.settings import Network
from libs.shared.web import problems
from libs.shared.web.admission import Admission
from libs.shared.web.bodies import Limits
from libs.shared.web.proxies import Proxies
from libs.shared.web.requests import Surroundings

CHECK_SECONDS = 5.0


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
    """A FastAPI application with problems, request ids, body limits, health and metrics.

    `bodies` has each route that takes a body, with its limits; `headers` are set on every answer
    that has not set them itself; below `agents_at` an agent of another protocol version is
    refused; `trusted_proxies` are believed from where a request comes.
    """
    app = FastAPI(
        title=title or f"Coffre {service}",
        openapi_url=openapi_url,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host the request names
    )
    problems.install(app)
    app.add_middleware(Admission, limits=bodies, agents_at=agents_at)
    app.add_middleware(Surroundings, service=service, headers=headers or {})
    app.add_middleware(Proxies, trusted=trusted_proxies)
    app.include_router(_health(ready))
    for router in routers:
        app.include_router(router)
    return app


def _health(checks: Sequence[Check]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> Response:
        return JSONResponse({"status": "live"})

    @router.get("/health/ready")
    async def ready() -> Response:
        states = await asyncio.gather(*(_probe(check) for check in checks))
        is_ready = all(
            state == "ok" or not check.required for check, state in zip(checks, states, strict=True)
        )
        return JSONResponse(
            {
                "status": "ready" if is_ready else "not ready",
                "checks": {check.name: state for check, state in zip(checks, states, strict=True)},
            },
            status_code=200 if is_ready else 503,
            headers={"Cache-Control": "no-store"},
        )

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router


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
