"""What a browser sees where a program would get a problem: a page in the reader's language."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.shared import errors, logs, web
from libs.shared.words.tongue import N_
from services.portal.actions.files.browsing import PointGone
from services.portal.actions.resources import Resources
from services.portal.pages import sessions
from services.portal.pages.rendering import render
from services.portal.rules.factors import EnrolFirst

_PHRASES = {
    "forbidden": N_("This is not open to you."),
    "form-refused": N_("This form is out of date: go back, load the page again, and retry."),
    "body-too-large": N_(
        "What you sent is too long for this form, and nothing of it was done. Go back, shorten "
        "the texts or choose fewer things, and send it again."
    ),
    "too-slow": N_(
        "What you sent came too slowly, and nothing of it was done. Go back, and send it again "
        "over a better connection."
    ),
    "damaged": N_(
        "A part of this file can't be read back as it was stored. Try an older or a newer "
        "restore point, and tell your provider."
    ),
    "restore-point-unproven": N_(
        "What is stored of this restore point is not what was sealed when it was backed up. Try "
        "another restore point, and tell your provider."
    ),
    "restore-points-missing": N_(
        "Newer restore points are missing. Choose a restore point by its number, and tell your "
        "provider."
    ),
    "subscription-ended": N_(
        "The subscription has ended: files can't be recovered any more. Ask your provider if you "
        "want it reopened."
    ),
    "subscription-suspended": N_(
        "The subscription is suspended: files can't be recovered for the moment. Your provider "
        "can tell you why."
    ),
    "subscription-destroyed": N_("The subscription has ended and its data was destroyed."),
    "keys-destroyed": N_("The data of this subscription can no longer be read."),
    "invitation-over": N_(
        "This invitation was taken back or is too old: whoever sent it can send another."
    ),
    "overage-over": N_(
        "This is settled: no more is stored than is contracted, and there is nothing left to do."
    ),
    "unavailable": N_("Something that we need does not answer. Nothing is lost; try again soon."),
}
_BY_STATUS = {
    401: (
        N_("Your session is over"),
        N_(
            "You were signed out, or too much time has passed: nothing of this form was done. "
            "Sign in and fill it in again."
        ),
    ),
    404: (N_("Not found"), N_("There is nothing at this address, or it is not yours to see.")),
    403: (N_("Not possible"), N_("This is not open to you.")),
    500: (
        N_("Something went wrong on our side"),
        N_("It is in our log. Your files are safe; trying again may help."),
    ),
    502: (N_("Damaged"), N_("This can't be read.")),
    503: (N_("Not available for the moment"), N_("Try again soon.")),
}
_POINT_GONE = N_("There is no such restore point, or not any more: choose another one.")
_OTHER = (N_("Not possible"), N_("The request can't be understood."))


def install(app: FastAPI) -> None:
    """Answers browsers with pages, and everybody else as before."""
    for kind in (errors.Refusal, RequestValidationError, HTTPException):
        before = app.exception_handlers[kind]

        async def answer(request: Request, error: Exception, before=before) -> Response:  # type: ignore[no-untyped-def]  # as it was installed
            if not _wants_page(request):
                return await before(request, error)  # type: ignore[no-any-return]
            return await _page(request, error)

        app.add_exception_handler(kind, answer)
    # Innermost: what fails is turned into a page before anybody turns it into a problem.
    app.user_middleware.append(Middleware(FailurePages))


class FailurePages:
    """ASGI: a bug of ours becomes a page where a browser asked."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except (errors.Refusal, ClientDisconnect):
            raise
        except Exception as error:
            request = Request(scope, receive)
            if begun or scope["type"] != "http" or not _wants_page(request):
                raise
            logs.get().exception(
                "request.failed", method=scope["method"], route=web.route_of(scope)
            )
            await (await _page(request, error))(scope, receive, send)


def _wants_page(request: Request) -> bool:
    return (
        "text/html" in request.headers.get("accept", "") and "authorization" not in request.headers
    )


async def _page(request: Request, error: Exception) -> Response:
    if isinstance(error, EnrolFirst):
        return sessions.enrol_first()
    if isinstance(error, errors.Unauthenticated) and request.method == "GET":
        return sessions.sign_in_first(request)
    status = _status(error)
    title, phrase = _BY_STATUS.get(status, _OTHER)
    if isinstance(error, errors.Refusal):
        phrase = _PHRASES.get(error.code, phrase)
    if isinstance(error, PointGone):
        phrase = _POINT_GONE
    person = getattr(request.state, "person", None)
    if person is None and not isinstance(error, errors.Unavailable):
        resources: Resources = request.app.state.resources
        try:
            person = await sessions.find_reader(request, resources)
        except EnrolFirst:
            return sessions.enrol_first()
        except errors.Unavailable:
            pass  # whoever asks is told what went wrong all the same
    answer = render(
        request,
        "failure.html",
        person,
        status=status,
        title=title,
        phrase=phrase,
        is_over=status == 401,
        reason=getattr(error, "reason", "") if status == 403 else "",
    )
    if isinstance(error, errors.Refusal):
        answer.headers.update(error.headers)
    return answer


def _status(error: Exception) -> int:
    if isinstance(error, errors.Refusal):
        return error.status
    if isinstance(error, HTTPException):
        return error.status_code
    return 422 if isinstance(error, RequestValidationError) else 500
