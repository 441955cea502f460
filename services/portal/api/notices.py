"""Notices, for operators: drafted, read in both languages, published, followed to each client.

For clients: what stands at the head of their pages."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from libs.shared.events import Locale, NoticeKind, Texts
from libs.shared.words.notices import tell_notice
from libs.shared.words.tongue import DEFAULT_TIMEZONE, Tongue
from services.portal.actions import notices
from services.portal.api.access import Client, Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import Line
from services.portal.rules.notices import Addressed, Mailed, Notice, Standing, State

router = APIRouter(tags=["operators"], route_class=OperatorFirst)
clients = APIRouter(tags=["notices"])

Text = Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"^[^\x00]*$")]


class Titles(BaseModel):
    """One line in both languages."""

    model_config = ConfigDict(extra="forbid")

    fr: Line
    en: Line


class Bodies(BaseModel):
    """Plain text in both languages; an empty line begins a paragraph."""

    model_config = ConfigDict(extra="forbid")

    fr: Text
    en: Text


class NoticeRequest(BaseModel):
    """A notice to draft; clients: null for all of them, also those to come.

    ahead_days: how long before begins_at clients are told.
    """

    model_config = ConfigDict(extra="forbid")

    kind: NoticeKind
    title: Titles
    text: Bodies
    begins_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    ahead_days: Annotated[int, Field(ge=0, le=365)] = 0
    clients: Annotated[list[UUID], Field(min_length=1, max_length=1_000)] | None = None


class WithdrawalRequest(BaseModel):
    """Why it does not happen, as clients read it."""

    model_config = ConfigDict(extra="forbid")

    reason: Titles


class NoticeShown(BaseModel):
    """A notice, and where it stands."""

    notice_id: UUID
    kind: NoticeKind
    state: State
    title: Texts
    begins_at: datetime | None
    ends_at: datetime | None
    ahead_days: int
    send_at: datetime | None
    everybody: bool
    drafted_by: str
    published_by: str | None
    done_at: datetime | None


class NoticeList(BaseModel):
    """Every notice, the newest first."""

    notices: list[NoticeShown]


class CurrentNotice(BaseModel):
    """A maintenance that clients were told of and that isn't over."""

    kind: NoticeKind
    title: Texts
    begins_at: datetime
    ends_at: datetime


class CurrentNotices(BaseModel):
    """What stands at the head of a client's pages, the next one first."""

    notices: list[CurrentNotice]


class NoticePreview(BaseModel):
    """A notice as its mail reads."""

    subject: str
    lead: str
    paragraphs: tuple[str, ...]


class NoticeClient(BaseModel):
    """A client, and what became of its mails."""

    tenant_id: UUID
    name: str
    standing: Standing
    told_at: datetime | None
    accepted_at: datetime | None
    mails: tuple[Mailed, ...]


class NoticeInFull(NoticeShown):
    """A notice as clients read it, by language, and what became of its mails."""

    preview: dict[Locale, NoticePreview]
    clients: list[NoticeClient]
    to_call: list[NoticeClient]


_LOCALES: tuple[Locale, ...] = ("fr", "en")


@clients.get("/notices/current")
async def list_current(actor: Client, resources: ResourcesOf) -> CurrentNotices:
    """The maintenance that is announced to a client, or under way."""
    found = await notices.list_current(resources.pool, actor.tenant_id)
    return CurrentNotices(notices=[CurrentNotice(**asdict(one)) for one in found])


@router.post("/notices", status_code=201)
async def draft(body: NoticeRequest, operator: Operator, resources: ResourcesOf) -> NoticeShown:
    """Writes a notice that nobody is told of yet."""
    notice = await notices.draft(
        resources.pool,
        operator,
        body.kind,
        Texts(fr=body.title.fr, en=body.title.en),
        Texts(fr=body.text.fr, en=body.text.en),
        body.begins_at,
        body.ends_at,
        timedelta(days=body.ahead_days),
        body.clients,
    )
    return _summary(notice)


@router.get("/notices")
async def list_notices(operator: Operator, resources: ResourcesOf) -> NoticeList:
    """Every notice, the newest first."""
    found = await notices.list_notices(resources.pool, operator)
    return NoticeList(notices=[_summary(one) for one in found])


@router.get("/notices/{notice_id}")
async def show(notice_id: UUID, operator: Operator, resources: ResourcesOf) -> NoticeInFull:
    """A notice as clients read it in both languages, and whose mail came.

    `to_call`: the clients of whom somebody's mail was refused.
    """
    shown = await notices.show(resources.pool, operator, notice_id)
    return NoticeInFull(
        **_summary(shown.notice).model_dump(),
        preview={locale: _preview(shown.notice, locale) for locale in _LOCALES},
        clients=[_client(one) for one in shown.addressed],
        to_call=[_client(one) for one in shown.addressed if one.is_to_be_called],
    )


@router.post("/notices/{notice_id}/publish", status_code=204)
async def publish(notice_id: UUID, operator: Operator, resources: ResourcesOf) -> Response:
    """Lets clients be told as soon as it is time."""
    await notices.publish(resources.pool, operator, notice_id)
    return Response(status_code=204)


@router.post("/notices/{notice_id}/withdraw", status_code=204)
async def withdraw(
    notice_id: UUID, body: WithdrawalRequest, operator: Operator, resources: ResourcesOf
) -> Response:
    """Tells whoever was told that it does not happen."""
    reason = Texts(fr=body.reason.fr, en=body.reason.en)
    await notices.withdraw(resources.pool, operator, notice_id, reason)
    return Response(status_code=204)


@router.post("/notices/{notice_id}/clients/{tenant_id}/send", status_code=204)
async def send_again(
    notice_id: UUID, tenant_id: UUID, operator: Operator, resources: ResourcesOf
) -> Response:
    """Writes once more to a client whose mail was refused."""
    await notices.send_again(resources.pool, operator, notice_id, tenant_id)
    return Response(status_code=204)


@router.post("/notices/{notice_id}/carry-out", status_code=204)
async def carry_out(notice_id: UUID, operator: Operator, resources: ResourcesOf) -> Response:
    """Notes that a change of location was made, once every client could know long enough."""
    await notices.carry_out(resources.pool, operator, notice_id)
    return Response(status_code=204)


def _summary(notice: Notice) -> NoticeShown:
    return NoticeShown(
        notice_id=notice.notice_id,
        kind=notice.kind,
        state=notice.state,
        title=notice.title,
        begins_at=notice.begins_at,
        ends_at=notice.ends_at,
        ahead_days=notice.ahead.days,
        send_at=_sent_from(notice),
        everybody=notice.everybody,
        drafted_by=notice.drafted_by,
        published_by=notice.published_by,
        done_at=notice.done_at,
    )


def _sent_from(notice: Notice) -> datetime | None:
    return notice.send_at or notice.published_at


def _preview(notice: Notice, locale: Locale) -> NoticePreview:
    title, text = (
        (notice.title.fr, notice.text.fr) if locale == "fr" else (notice.title.en, notice.text.en)
    )
    tongue = Tongue(locale, DEFAULT_TIMEZONE)
    told = tell_notice(tongue, notice.kind, title, text, notice.begins_at, notice.ends_at)
    return NoticePreview(subject=told.subject, lead=told.lead, paragraphs=told.paragraphs)


def _client(one: Addressed) -> NoticeClient:
    return NoticeClient(
        tenant_id=one.tenant_id,
        name=one.name,
        standing=one.standing,
        told_at=one.told_at,
        accepted_at=one.accepted_at,
        mails=one.mails,
    )
