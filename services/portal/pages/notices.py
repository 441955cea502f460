"""Notices as operators draft, read, announce and follow them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.events import Locale, NoticeKind, Texts
from libs.shared.words.notices import tell_notice
from libs.shared.words.tongue import DEFAULT_TIMEZONE, N_, Tongue, find_zone
from services.portal.actions import notices
from services.portal.actions.clients import listing
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator, Sent, field, line
from services.portal.rules import operators
from services.portal.rules.log import acts
from services.portal.rules.people import Person

router = APIRouter()

KINDS: dict[NoticeKind, str] = {
    "maintenance": N_("Maintenance"),
    "location": N_("Change of the storage location"),
    "text": N_("Another notice"),
}
_PROBLEMS = {
    "incomplete": N_("Title and text are needed in both languages."),
    "notice-incomplete": N_(
        "The times don't fit: maintenance has a beginning and an end, at most 7 days apart; a "
        "change of location has a day; nothing is told more than 365 days ahead."
    ),
    "notice-not-draft": N_("This was announced already."),
    "notice-not-published": N_("This isn't announced, or it is over."),
    "notice-too-late": N_(
        "Its time has come, or is nearer than it was to be told ahead: draft it anew."
    ),
    "notice-not-run": N_(
        "Not yet: each client's mail must have been accepted, the time between mail and change "
        "must be over, and the day must have come."
    ),
    "reason-missing": N_("Say why in both languages: clients read it."),
}
_LONGEST_TEXT = 20_000


@router.get("/notices")
async def list_notices(
    request: Request, operator: Operator, resources: ResourcesOf, address: Address
) -> Response:
    """Every notice, the newest first."""
    found = await notices.list_notices(resources.pool, operator.at(address))
    return render(request, "notices.html", operator, notices=found, kinds=KINDS)


@router.get("/notices/new")
async def show_form(request: Request, operator: Operator) -> Response:
    """The form of a draft."""
    operators.check(operator.duty, acts.NoticeDrafted)
    return _ask(request, operator, {"kind": "maintenance", "ahead_days": "7"})


@router.post("/notices/new")
async def draft(
    request: Request, operator: Operator, sent: Sent, resources: ResourcesOf
) -> Response:
    """Writes a draft, which nobody is told of yet."""
    form = sent.fields
    values = {name: value for name, value in form.items() if isinstance(value, str)}
    title = Texts(fr=line(form, "title_fr"), en=line(form, "title_en"))
    text = Texts(fr=_text(form, "text_fr"), en=_text(form, "text_en"))
    if not all((title.fr, title.en, text.fr, text.en)):
        return _ask(request, operator, values, "incomplete")
    kind = next((one for one in KINDS if one == field(form, "kind")), None)
    ahead = field(form, "ahead_days")
    try:
        if kind is None or not (ahead.isascii() and ahead.isdecimal() and len(ahead) < 4):
            raise errors.InvalidRequest("Go back, and begin again.")
        begins_at, ends_at = _moment(form, "begins_at"), _moment(form, "ends_at")
        named = [one.strip() for one in field(form, "clients").splitlines() if one.strip()]
        clients = await listing.find_by_names(resources.pool, named) if named else None
        notice = await notices.draft(
            resources.pool,
            sent.actor,
            kind,
            title,
            text,
            begins_at,
            ends_at,
            timedelta(days=int(ahead) if begins_at else 0),
            clients,
        )
    except listing.NameUnknown as unknown:
        return _ask(request, operator, values, unknown=unknown.name)
    except errors.Refusal as refusal:
        if refusal.code not in _PROBLEMS:
            raise
        return _ask(request, operator, values, refusal.code)
    return RedirectResponse(f"/notices/{notice.notice_id}", 303)


def _text(form: FormData, name: str) -> str:
    return field(form, name).replace("\r\n", "\n").replace("\0", "").strip()[:_LONGEST_TEXT]


def _moment(form: FormData, name: str) -> datetime | None:
    """A moment of a form's field, by the clock of the provider's zone."""
    text = field(form, name)
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=find_zone(DEFAULT_TIMEZONE))
    except ValueError:
        raise errors.InvalidRequest("This is not a moment.") from None


def _ask(
    request: Request,
    operator: Person,
    values: Mapping[str, str],
    problem: str = "",
    unknown: str = "",
) -> Response:
    return render(
        request,
        "notice_new.html",
        operator,
        status=422 if problem or unknown else 200,
        values=values,
        kinds=KINDS,
        problem=_PROBLEMS.get(problem, ""),
        unknown=unknown,
    )


@router.get("/notices/{notice_id}")
async def show_notice(
    notice_id: UUID,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    problem: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """A notice as clients read it in both languages, and whose mail came."""
    shown = await notices.show(resources.pool, operator.at(address), notice_id)
    notice = shown.notice

    def preview(locale: Locale) -> object:
        title, text = (
            (notice.title.fr, notice.text.fr)
            if locale == "fr"
            else (notice.title.en, notice.text.en)
        )
        tongue = Tongue(locale, DEFAULT_TIMEZONE)
        return tell_notice(tongue, notice.kind, title, text, notice.begins_at, notice.ends_at)

    standing = {"accepted": 0, "waiting": 0, "refused": 0}
    for one in shown.addressed:
        standing[one.standing] += 1
    return render(
        request,
        "notice.html",
        operator,
        notice=notice,
        addressed=shown.addressed,
        standing=standing,
        kinds=KINDS,
        previews={"fr": preview("fr"), "en": preview("en")},
        problem=_PROBLEMS.get(problem, ""),
    )


@router.post("/notices/{notice_id}/{step}")
async def take_step(
    notice_id: UUID,
    step: str,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Announces a draft, withdraws a notice, or notes that a change was made."""
    form, actor, query = sent.fields, sent.actor, {}
    try:
        match step:
            case "publish":
                await notices.publish(resources.pool, actor, notice_id)
            case "carry-out":
                await notices.carry_out(resources.pool, actor, notice_id)
            case "withdraw":
                reason = Texts(fr=line(form, "reason_fr"), en=line(form, "reason_en"))
                if not reason.fr or not reason.en:
                    query = {"problem": "reason-missing"}
                else:
                    await notices.withdraw(resources.pool, actor, notice_id, reason)
            case _:
                raise errors.NotFound
    except errors.Refusal as refusal:
        if refusal.code not in _PROBLEMS:
            raise
        query = {"problem": refusal.code}
    onward = f"/notices/{notice_id}"
    return RedirectResponse(f"{onward}?{urlencode(query)}" if query else onward, 303)


@router.post("/notices/{notice_id}/clients/{tenant_id}/send")
async def send_again(
    notice_id: UUID,
    tenant_id: UUID,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Writes once more to a client whose mail was refused."""
    await notices.send_again(resources.pool, sent.actor, notice_id, tenant_id)
    return RedirectResponse(f"/notices/{notice_id}", 303)
