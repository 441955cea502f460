"""The page behind the links of an overage mail: one answer, one button."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.words.volumes import tell_forecast
from services.portal.actions import overages
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.rendering import render, speak
from services.portal.pages.sessions import Administrator
from services.portal.rules.overages import ANSWERS, Answer

router = APIRouter()

StorageGB = Annotated[int | None, Query(ge=0, le=10**9)]


async def find_answer(answer: str) -> Answer:
    """The answer that an address names; raises NotFound for any other word."""
    for one in ANSWERS:
        if one == answer:
            return one
    raise errors.NotFound


Given = Annotated[Answer, Depends(find_answer)]


@router.get("/overage/{token}/{answer}")
async def show_question(
    request: Request,
    token: str,
    given: Given,
    resources: ResourcesOf,
    address: Address,
    storage_gb: StorageGB = None,
) -> Response:
    """What the button would answer; programs that follow links of mails answer nothing by that."""
    question = await overages.find_question(
        resources.pool, resources.mail_key, token, address, given
    )
    case, timezone = question.case, question.tenant.timezone
    return render(
        request,
        "overage.html",
        None,
        timezone=timezone,
        client=question.tenant.name,
        contracted_bytes=question.tenant.contracted_bytes,
        volume=question.volume,
        case=case,
        forecast=tell_forecast(speak(request, None, timezone), case.reached_on, case.weekly_bytes),
        given=given,
        is_given=case.answer == given,
        storage_gb=storage_gb,
    )


@router.post("/overage/{token}/{answer}")
async def answer_question(
    request: Request,
    token: str,
    given: Given,
    resources: ResourcesOf,
    address: Address,
    storage_gb: StorageGB = None,
) -> Response:
    """Takes the answer, and leads on to where it is acted on."""
    sessions.check_origin(request, resources.portal_url)
    await overages.answer_by_link(resources.pool, resources.mail_key, token, address, given)
    return RedirectResponse(_find_next(token, given, storage_gb), 303)


@router.post("/quota/answer")
async def answer_own(
    request: Request, administrator: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Takes the answer of an administrator who is signed in, and leads on."""
    form = await sessions.read_form(request, resources)
    given = await find_answer(sessions.line(form, "answer"))
    await overages.answer(resources.pool, administrator.at(address), given)
    return RedirectResponse({"order": "/orders", "reduce": "/volume", "call": "/"}[given], 303)


def _find_next(token: str, given: Answer, storage_gb: int | None) -> str:
    match given:
        case "order" if storage_gb is not None:
            return f"/orders/preview?storage_gb={storage_gb}"
        case "order":
            return "/orders"
        case "reduce":
            return "/volume"
        case "call":
            return f"/overage/{token}/call"
