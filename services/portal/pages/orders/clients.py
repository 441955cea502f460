"""A client's contract: what an administrator has, could order, and orders by one button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from libs.shared import errors
from libs.shared.words.tongue import N_
from services.portal.actions.orders import ordering, saying
from services.portal.api.access import Address, ResourcesOf, find_resources
from services.portal.pages import sessions
from services.portal.pages.rendering import choose_locale, render
from services.portal.pages.sessions import Administrator, field
from services.portal.rules.log.chain import Actor
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


@dataclass(frozen=True)
class Counter:
    """Where an order is looked at and placed: by a client, or by an operator for one."""

    tenant_id: UUID
    contract: str
    orders: str
    is_for_client: bool = False


async def find_wanted(
    storage_gb: Annotated[int | None, Query(ge=0, le=10**9)] = None,
    seats: Annotated[int | None, Query(ge=1, le=100_000)] = None,
) -> OrderWish | None:
    """What an address asks the price of; None for nothing."""
    if storage_gb is not None:
        return OrderWish("storage", storage_gb * _GIGABYTE)
    return OrderWish("seats", seats) if seats is not None else None


Wanted = Annotated[OrderWish | None, Depends(find_wanted)]


async def preview(
    request: Request, reader: Person, actor: Actor, at: Counter, wish: OrderWish | None
) -> Response:
    """What an order would cost, and the button that orders it."""
    if wish is None:
        return RedirectResponse(at.contract, 303)
    resources = find_resources(request)
    try:
        shown = await ordering.preview(resources.pool, actor, at.tenant_id, wish)
    except tuple(REFUSALS) as refusal:
        return refuse(request, reader, at, refusal)
    return render(
        request,
        "order.html",
        reader,
        timezone=shown.tenant.timezone,
        at=at,
        order=shown.order,
        quote=shown.quote,
        key=uuid4(),
        sentence=saying.say(saying.speak(choose_locale(request, reader), shown), shown),
        problem="",
    )


async def place(
    request: Request, reader: Person, actor: Actor, at: Counter, form: FormData
) -> Response:
    """Orders what the preview showed, once."""
    wish = _read_wish(field(form, "what"), field(form, "after"), field(form, "quote"))
    key = field(form, "key")[:200]
    try:
        await ordering.place(find_resources(request).pool, actor, at.tenant_id, wish, key)
    except tuple(REFUSALS) as refusal:
        return refuse(request, reader, at, refusal)
    done = "?said=saved" if at.is_for_client else ""
    return RedirectResponse(at.contract + done, 303)


def refuse(request: Request, reader: Person, at: Counter, refusal: errors.Refusal) -> Response:
    """Says why nothing was ordered."""
    return render(
        request,
        "order.html",
        reader,
        status=refusal.status,
        at=at,
        order=None,
        problem=REFUSALS[type(refusal)],
    )


def _own(actor: Actor) -> Counter:
    return Counter(actor.tenant_id, "/orders", "/orders")


@router.get("/orders/preview")
async def preview_order(
    request: Request, person: Administrator, address: Address, wish: Wanted
) -> Response:
    """What an order would cost: mails lead here."""
    actor = person.at(address)
    return await preview(request, person, actor, _own(actor), wish)


@router.post("/orders")
async def place_order(
    request: Request, person: Administrator, resources: ResourcesOf, address: Address
) -> Response:
    """Orders what the preview showed, once."""
    form, actor = await sessions.read_form(request, resources), person.at(address)
    return await place(request, person, actor, _own(actor), form)


def _read_wish(what: str, after: str, quote: str) -> OrderWish:
    """What a form of ours asks for; raises InvalidRequest for any other."""
    is_number = after.isascii() and after.isdecimal() and len(after) < 19
    if what not in ("storage", "seats") or not is_number or not quote:
        raise errors.InvalidRequest("Go back to the contract, and begin the order again.")
    return OrderWish("storage" if what == "storage" else "seats", int(after), quote=quote)
