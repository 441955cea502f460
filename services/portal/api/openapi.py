"""The API as programs read it: OpenAPI, with what each operation was really asked and answered.

The examples were taken from requests of the tests (`tests/portal/examples.py`).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from libs.shared import web

router = APIRouter(route_class=web.Open, include_in_schema=False)

_EXAMPLES = Path(__file__).with_name("examples.json")
_ABOUT = (
    "What pages of the portal do, by program. A token of `POST /api/v1/tokens`, or a personal one"
    " made on the page *Account*, is sent as `Authorization: Bearer …`. Refusals are problem+json"
    " (RFC 9457) with a stable `type`."
)
_OPEN = frozenset({"/api/v1/tokens", "/api/v1/password", "/api/v1/password/forgotten"})


@router.get("/openapi.json")
async def show_document(request: Request) -> JSONResponse:
    """The document itself, for everybody."""
    return JSONResponse(request.app.openapi())


def install(app: FastAPI) -> None:
    """Has an application describe itself with examples."""
    described = cache(lambda: _describe(app))
    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's own manual does it


def _describe(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Coffre",
        version="1",
        summary="Offsite backups",
        description=_ABOUT,
        routes=app.routes,
    )
    examples = json.loads(_EXAMPLES.read_text(encoding="utf-8"))
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    paths = {path: of for path, of in document["paths"].items() if path.startswith("/api/")}
    document["paths"] = paths
    for path, operations in paths.items():
        for method, operation in operations.items():
            if path not in _OPEN or method != "post":
                operation["security"] = [{"token": []}]
            _show(operation, examples.get(f"{method.upper()} {path}", {}))
    return document


def _show(operation: dict[str, Any], example: dict[str, Any]) -> None:
    """Puts an example beside what an operation takes and answers."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example.get("parameters", {}):
            parameter["example"] = example["parameters"][parameter["name"]]
    if "requestBody" in operation and "request" in example:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    for status, answer in operation["responses"].items():
        if status != example.get("status"):
            continue
        if "response" in example:
            answer["content"]["application/json"]["example"] = example["response"]
        elif "media_type" in example:
            raw = {"type": "string", "format": "binary"}
            answer["content"] = {example["media_type"]: {"schema": raw}}
        else:
            answer.pop("content", None)
