"""Which reports each reader gets, and whether the client wants any, for its administrators."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from libs.shared import web
from libs.shared.events import Locale, ReportChoice
from services.portal.actions import choices
from services.portal.api.access import Administrator, ResourcesOf, admit_administrator
from services.portal.store.choices import Declined

router = APIRouter(tags=["recipients"], route_class=web.behind(admit_administrator))


class ReportsRequest(BaseModel):
    """Whether the client declines its reports, or wants them."""

    model_config = ConfigDict(extra="forbid")

    declined: bool


class ReaderRequest(BaseModel):
    """Which reports somebody gets; locale: in which language, where they have no account."""

    model_config = ConfigDict(extra="forbid")

    choice: ReportChoice
    locale: Locale | None = None


class ReaderShown(BaseModel):
    """Who reads reports, and which."""

    name: str
    email: str
    locale: Locale
    choice: ReportChoice
    has_account: bool


class ReaderList(BaseModel):
    """Everybody who may read reports, and who declined them all."""

    declined: Declined | None
    readers: list[ReaderShown]


@router.get("/reports")
async def list_readers(administrator: Administrator, resources: ResourcesOf) -> ReaderList:
    """Everybody who may read reports, what they get, and who declined them all, if anybody did."""
    shown = await choices.list_readers(resources.pool, administrator)
    return ReaderList(
        declined=shown.declined,
        readers=[
            ReaderShown(
                name=one.name,
                email=one.email,
                locale=one.locale,
                choice=one.choice,
                has_account=one.has_account,
            )
            for one in shown.readers
        ],
    )


@router.put("/reports", status_code=204)
async def decline(
    body: ReportsRequest, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Declines all reports of the client, or takes that back."""
    change = choices.decline if body.declined else choices.take_back
    await change(resources.pool, administrator)
    return Response(status_code=204)


@router.put("/reports/readers/{email}", status_code=204)
async def choose(
    email: str, body: ReaderRequest, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Lets somebody get other reports from now on."""
    await choices.choose(resources.pool, administrator, email, body.choice, body.locale)
    return Response(status_code=204)
