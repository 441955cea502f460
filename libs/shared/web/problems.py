"""Every refusal and every failure as an RFC 9457 problem."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from libs.shared.errors import BodyTooLarge, InvalidRequest, Refusal

LINGER_SECONDS = 15.0
LINGER_READS = 2_000

_TITLES = {
    400: ("bad-request", "Bad request", "The request can't be read."),
    401: ("unauthenticated", "Not signed in", "Sign in first."),
    403: ("forbidden", "Not allowed", "You are not allowed to do this."),
    404: ("not-found", "Not found", "There is nothing at this address."),
    405: ("method-not-allowed", "Method not allowed", "This address does not take that method."),
    413: ("body-too-large", "Body too large", "Send a smaller body."),
}


class InternalError(Refusal):
    """A bug of ours; the log has the trace, the answer only the request's id."""

    code = "internal-error"
    status = 500
    title = "Something went wrong on our side"

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id

    @property
    def detail(self) -> str:
        return f"It is in our log as request {self.request_id}; trying again may help."

    def extra(self) -> dict[str, Any]:
        return {"request_id": self.request_id}


class ProblemResponse(JSONResponse):
    """A JSON answer of type application/problem+json."""

    media_type = "application/problem+json"


class LingeringProblem(ProblemResponse):
    """A problem that is said while the client still sends, and closes the connection after it.

    Closing at once would reset the connection under a client that is in the middle of its body,
    which then never reads the answer; so what comes is read away for a while.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, reads away, ends."""
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                for _ in range(LINGER_READS):
                    try:
                        message = await receive()
                    except Refusal:  # the limits that wrap `receive` say it again
                        continue
                    if not message.get("more_body", False):
                        break
        await send({"type": "http.response.body", "body": b""})


def problem_response(refusal: Refusal, *, in_body: bool = False) -> Response:
    """The answer to a refused request; `in_body`: the client may be in the middle of its body."""
    if in_body or isinstance(refusal, BodyTooLarge):
        headers = {**refusal.headers, "Connection": "close"}
        return LingeringProblem(refusal.problem(), status_code=refusal.status, headers=headers)
    return ProblemResponse(refusal.problem(), status_code=refusal.status, headers=refusal.headers)


def install(app: FastAPI) -> None:
    """Makes an application answer refusals, invalid requests and unknown routes as problems."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


async def _on_refusal(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return problem_response(refusal)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    places = [
        {"where": ".".join(map(str, problem["loc"])), "problem": str(problem["msg"])}
        for problem in error.errors()
    ]
    first = f"{places[0]['where']}: {places[0]['problem']}" if places else "it has no valid form"
    return problem_response(InvalidRequest(f"The request is not valid: {first}.", places))


async def _on_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Refusal):  # FastAPI hides what reading the body raised
        return problem_response(error.__cause__)
    code, title, detail = _TITLES.get(
        error.status_code, ("http-error", "Not possible", str(error.detail))
    )
    return ProblemResponse(
        {
            "type": f"urn:coffre:problem:{code}",
            "title": title,
            "status": error.status_code,
            "detail": detail,
        },
        status_code=error.status_code,
        headers=dict(error.headers or {}),
    )
