"""A client's contract: what an administrator has, could order, and orders by one button."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.words.tongue import N_
from services.portal.actions.orders import ordering, saying
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages import sessions
from services.portal.pages.rendering import choose_locale, render
from services.portal.pages.sessions import Administrator, field
from services.portal.rules.orders.ordering import OrderWish
from services.portal.rules.orders.prices import NoPrice, SizeNotOffered
from services.portal.rules.orders.refusals import (
    BelowHeld,
    ByProviderOnly,
    KeyReused,
    OrderRefused,
    OrderUnchanged,
    QuoteChanged,
)
from services.portal.rules.people import Person

router = APIRouter()

_GIGABYTE = 10**9
REFUSALS: dict[type[errors.Refusal], str] = {
    OrderRefused: N_("Nothing can be ordered in the present state of the subscription."),
    OrderUnchanged: N_("That much is ordered already: order more or less."),
    BelowHeld: N_(
        "More than that is in use: reduce what is kept, or close users, then order less."
    ),
    ByProviderOnly: N_("For this contract your provider places the orders: ask them."),
    QuoteChanged: N_("Since the preview the price or the contract has changed: look at it again."),
    KeyReused: N_("This form was sent before with another order: begin again."),
    NoPrice: N_("There is no price for this month yet: ask your provider."),
    SizeNotOffered: N_("There is no price for so much storage: ask your provider."),
}


@router.get("/orders")
async def show_orders(
    request: Request, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """The contract, the next sizes with their prices, and what was ordered."""
    actor = person.at(address)
    listed = await ordering.list_orders(resources.pool, actor, actor.tenant_id)
    return render(request, "orders.html", person, timezone=listed.tenant.timezone, listed=listed)


@router.get("/orders/preview")
async def preview_order(
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
    storage_gb: Annotated[int | None, Query(ge=0, le=10**9)] = None,
    seats: Annotated[int | None, Query(ge=1, le=100_000)] = None,
) -> Response:
    """What an order would cost, and the button that orders it: mails lead here."""
    if storage_gb is not None:
        wish = OrderWish("storage", storage_gb * _GIGABYTE)
    elif seats is not None:
        wish = OrderWish("seats", seats)
    else:
        return RedirectResponse("/orders", 303)
    actor = person.at(address)
    try:
        shown = await ordering.preview(resources.pool, actor, actor.tenant_id, wish)
    except tuple(REFUSALS) as refusal:
        return _refuse(request, person, refusal)
    sentence = saying.say(saying.speak(choose_locale(request, person), shown), shown)
    return render(
        request,
        "order.html",
        person,
        timezone=shown.tenant.timezone,
        order=shown.order,
        quote=shown.quote,
        key=uuid4(),
        sentence=sentence,
        problem="",
    )


@router.post("/orders")
async def place_order(
    request: Request, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Orders what the preview showed, once."""
    form = await sessions.read_form(request, resources)
    wish = read_wish(field(form, "what"), field(form, "after"), field(form, "quote"))
    actor = person.at(address)
    key = field(form, "key")[:200]
    try:
        await ordering.place(resources.pool, actor, actor.tenant_id, wish, key)
    except tuple(REFUSALS) as refusal:
        return _refuse(request, person, refusal)
    return RedirectResponse("/orders", 303)


def read_wish(what: str, after: str, quote: str) -> OrderWish:
    """What a form of ours asks for; raises InvalidRequest for any other."""
    is_number = after.isascii() and after.isdecimal() and len(after) < 19
    if what not in ("storage", "seats") or not is_number or not quote:
        raise errors.InvalidRequest("Go back to the contract, and begin the order again.")
    return OrderWish("storage" if what == "storage" else "seats", int(after), quote=quote)


def _refuse(request: Request, person: Person, refusal: errors.Refusal) -> Response:
    return render(
        request,
        "order.html",
        person,
        status=refusal.status,
        order=None,
        problem=REFUSALS[type(refusal)],
    )
