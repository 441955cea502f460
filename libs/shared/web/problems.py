"""Every refusal and every failure as an RFC 9457 problem."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from libs.shared.errors import InvalidRequest, Refusal

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


def problem_response(refusal: Refusal) -> Response:
    """The answer to a refused request."""
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
    if isinstance(error.__cause__, ClientDisconnect):
        raise error.__cause__
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
