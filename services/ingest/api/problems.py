"""The problems of the published OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Problem(BaseModel):
    """An RFC 9457 problem; `type` is stable, `detail` is for the person who reads it."""

    type: str
    title: str
    status: int
    detail: str


_MEANINGS = {
    400: "Another version of the protocol: `protocol-version`.",
    401: "The token (or code) is wrong, revoked, used or expired.",
    403: "The subscription has ended or is suspended: `subscription-ended`, `-suspended`.",
    404: "There is no such thing for this agent: `not-found`.",
    408: "The body came too slowly: `too-slow`.",
    409: "It does not fit the state: `run-closed`, `chunks-missing`, `batches-missing`,"
    " `files-missing`, `parent-outdated`, `conflict`.",
    413: "The body is too large: `body-too-large`.",
    422: "The content is not valid; nothing was kept: `invalid-request`, `pack-…`, `chunk-…`,"
    " `batch-malformed`, `entry-invalid`, `chunk-unknown`, `content-mismatch`.",
    431: "The request's head is too large: `head-too-large`.",
    503: "Database or storage are away, or too much is going on: wait `Retry-After` seconds.",
    507: "The tenant may not store more: `growth-blocked`.",
}

_EVERYWHERE = (400, 422, 431, 503)
# Not as a route's model: FastAPI would publish that as plain JSON.
_SCHEMA = Problem.model_json_schema()


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer beside its success, for its `responses`."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {"application/problem+json": {"schema": _SCHEMA}},
        }
        for status in sorted({*_EVERYWHERE, *statuses})
    }
