"""`/v1/runs/{run}/files`: whole files, for scripts that have nothing but curl."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote_to_bytes
from uuid import UUID

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor

from libs.shared import clock
from services.ingest import actions, rules
from services.ingest.api.problems import problems
from services.ingest.api.requests import Agent, AgentFirst, Resources, pieces_of

_BODY: dict[str, Any] = {
    "requestBody": {"content": {"application/octet-stream": {}}, "required": True}
}


class _Anything(Convertor[str]):
    """The rest of an address; the framework's own `path` stops at a line's end."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())

router = APIRouter(prefix="/v1/runs", route_class=AgentFirst)


class FileTaken(BaseModel):
    """What arrived; `crc32` and `sha256` in hexadecimal, `stored_bytes` what it added."""

    size: int
    crc32: str
    sha256: str
    chunks: int
    stored_bytes: int


@router.put(
    "/{run_id}/files/{path:anything}",
    openapi_extra=_BODY,
    responses=problems(401, 403, 404, 408, 409, 413, 507),
)
async def put_file(
    run_id: UUID,
    path: str,
    request: Request,
    agent: Agent,
    resources: Resources,
    x_coffre_mtime: Annotated[
        str, Header(description="Seconds since 1970, or ISO 8601 with a zone; else now.")
    ] = "",
    x_coffre_mode: Annotated[str, Header(description="Octal, such as 644.")] = "",
    x_content_sha256: Annotated[
        str, Header(description="Hexadecimal; another content is refused.")
    ] = "",
) -> FileTaken:
    """One whole file of any size, under its percent-encoded path; the same again replaces it."""
    name = rules.scripts.name_file(
        _raw_path(request), x_coffre_mode, x_coffre_mtime, x_content_sha256, clock.now()
    )
    taken = await actions.scripts.files.put_file(resources, agent, run_id, name, pieces_of(request))
    return FileTaken.model_validate(taken, from_attributes=True)


def _raw_path(request: Request) -> bytes:
    """The path after `files/`, in bytes as they were sent: `request.path_params` is decoded."""
    return unquote_to_bytes(request.scope["raw_path"]).split(b"/", 5)[5]
