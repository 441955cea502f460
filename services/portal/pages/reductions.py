"""What fills the volume, and giving it back."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote_to_bytes, urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.catalogue import join_path
from libs.shared.words.tongue import N_
from libs.shared.words.volumes import tell_forecast
from services.portal.actions import reductions
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.places import path_of
from services.portal.pages import sessions
from services.portal.pages.rendering import render, speak
from services.portal.pages.sessions import Administrator, field, line
from services.portal.rules.files import names
from services.portal.rules.log.chain import Actor
from services.portal.rules.looks import Look
from services.portal.rules.people import Person
from services.portal.rules.reductions import UNDO_DAYS, NothingToDrop, ReductionWish, TooLate, What

router = APIRouter()

PlanName = Annotated[str, Query(max_length=200)]

STATES = {
    "ordered": N_("Being carried out"),
    "applied": N_("Dropped"),
    "withdrawing": N_("Being taken back"),
    "withdrawn": N_("Taken back"),
    "collected": N_("Deleted for good"),
}
REFUSALS = {
    NothingToDrop.code: N_("No backup that is kept fits that: nothing would be dropped."),
    TooLate.code: N_("This can't be taken back any more."),
}
_WHATS: dict[str, What] = {"plan": "plan", "folder": "folder", "older": "older"}


@router.get("/volume")
async def show_volume(
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
    plan: PlanName = "",
    problem: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """What fills it, by plan or by folder, and what was dropped."""
    actor = person.at(address)
    return await render_volume(request, person, resources, actor, plan, problem=problem)


async def render_volume(
    request: Request,
    person: Person,
    resources: Resources,
    actor: Actor,
    plan: str,
    look: Look | None = None,
    *,
    problem: str = "",
) -> Response:
    """The page of what fills a volume; look: of an operator, who drops nothing here."""
    filled = await reductions.look_at(
        resources.pool, actor, actor.tenant_id, plan, path_of(request)
    )
    return render(
        request,
        "volume.html",
        person,
        timezone=filled.tenant.timezone,
        filled=filled,
        crumbs=names.crumbs(filled.path),
        join_path=join_path,
        plans={one.plan_id: one for one in filled.plans},
        states=STATES,
        undo_days=UNDO_DAYS,
        problem=REFUSALS.get(problem, ""),
        at=f"/clients/{actor.tenant_id}/volume" if look else "/volume",
        look=look,
        named=look is None or not look.takes_two or look.until is not None,
        forecast=tell_forecast(speak(request, person, filled.tenant.timezone), filled.reached_on),
    )


@router.get("/volume/preview")
async def preview(
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
    what: Annotated[str, Query(max_length=10)],
    plan: Annotated[str, Query(max_length=200)],
    before: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """What dropping would free, with the one button that does it."""
    actor = person.at(address)
    wish = ReductionWish(_read_what(what), plan, path_of(request), before)
    try:
        previewed = await reductions.preview(resources.pool, actor, actor.tenant_id, wish)
    except NothingToDrop as refusal:
        return _back(refusal)
    return render(
        request,
        "volume_preview.html",
        person,
        timezone=previewed.tenant.timezone,
        previewed=previewed,
        undo_days=UNDO_DAYS,
        key=uuid4(),
    )


@router.post("/volume/reductions")
async def order(
    request: Request, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Drops what the preview showed."""
    form = await sessions.read_form(request, resources)
    actor = person.at(address)
    wish = ReductionWish(
        _read_what(field(form, "what")),
        line(form, "plan"),
        unquote_to_bytes(field(form, "folder")),
        line(form, "before", 40),
    )
    key = line(form, "key")
    try:
        await reductions.order(resources.pool, actor, actor.tenant_id, wish, key)
    except NothingToDrop as refusal:
        return _back(refusal)
    return RedirectResponse("/volume", 303)


@router.post("/volume/reductions/{reduction_id}/withdraw")
async def withdraw(
    reduction_id: UUID,
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
) -> Response:
    """Takes back what was dropped."""
    await sessions.read_form(request, resources)
    actor = person.at(address)
    try:
        await reductions.withdraw(resources.pool, actor, actor.tenant_id, reduction_id)
    except TooLate as refusal:
        return _back(refusal)
    return RedirectResponse("/volume", 303)


def _read_what(text: str) -> What:
    what = _WHATS.get(text)
    if what is None:
        raise errors.InvalidRequest("What is dropped is a plan, a folder, or what is older.")
    return what


def _back(refusal: errors.Refusal) -> Response:
    return RedirectResponse("/volume?" + urlencode({"problem": refusal.code}), 303)
