"""Billing: a month, what every client owes for it, its close and its export; the price list."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from libs.shared import clock, errors
from libs.shared.words.tongue import N_, find_zone
from services.portal.actions.orders import billing, prices
from services.portal.actions.orders.billing import Bill, MonthNotOver
from services.portal.api.access import Address, ResourcesOf
from services.portal.api.orders import exports
from services.portal.api.orders.operators import PricesRequest
from services.portal.pages import sessions
from services.portal.pages.orders import price_form
from services.portal.pages.orders.price_form import TypedList
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Operator, Sent, field
from services.portal.rules.orders import ledger
from services.portal.rules.orders.ledger import Total
from services.portal.rules.orders.months import Month
from services.portal.rules.orders.prices import from_json
from services.portal.rules.people import Person
from services.portal.store.orders.prices import Put

router = APIRouter()

_ZONE = "Europe/Paris"
_CLIENTS_SHOWN = 25
SAID = {
    "closed": N_("The month is closed."),
    "month-not-over": N_("This month is not over: it can only be looked at."),
    "saved": N_("The price list counts from now on; what was ordered keeps its price."),
}


def _total(bill: Bill) -> list[Total]:
    return ledger.sum_up(bill.lines)


@router.get("/billing")
async def show_current(request: Request, operator: Operator) -> Response:
    """Leads to the month before this one: the one that is closed next."""
    month = Month.of(clock.now(), find_zone(_ZONE)).before
    return RedirectResponse(f"/billing/{month}", 303)


@router.get("/billing/{month}")
async def show_month(
    month: str,
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    said: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """What every client owes for a month, some at a time; it may change until it is closed."""
    shown = Month.read(month)
    bills = await billing.view(resources.pool, operator.at(address), shown)
    due = [bill for bill in bills if bill.lines]
    present = Month.of(clock.now(), find_zone(_ZONE))
    due.sort(key=lambda bill: -sum((one.net for one in _total(bill)), Decimal(0)))
    pages = max(1, -(-len(due) // _CLIENTS_SHOWN))
    page = min(page, pages)
    return render(
        request,
        "billing.html",
        operator,
        month=shown,
        bills=[
            (bill, _total(bill))
            for bill in due[(page - 1) * _CLIENTS_SHOWN : page * _CLIENTS_SHOWN]
        ],
        owing=len(due),
        page=page,
        pages=pages,
        link=lambda page: f"/billing/{shown}?page={page}",
        totals=ledger.sum_up([line for bill in due for line in bill.lines]),
        # Who came after the month owes nothing for it, and is never closed.
        is_closed=any(bill.is_closed for bill in bills)
        and all(bill.is_closed or not bill.lines for bill in bills),
        is_over=shown < present,
        following=shown.next if shown < present.next else None,
        said=SAID.get(said, ""),
        is_problem=said == "month-not-over",
    )


@router.get("/billing/{month}/export")
async def export_month(
    month: str,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    form: Annotated[Literal["csv", "csv-fr", "json"], Query(alias="format")] = "csv-fr",
) -> Response:
    """A month's bills as a file."""
    bills = await billing.export(resources.pool, operator.at(address), Month.read(month))
    return exports.answer(month, bills, form)


@router.post("/billing/{month}/close")
async def close_month(month: str, sent: Sent, resources: ResourcesOf) -> Response:
    """Closes a month that is over, of every client."""
    said = "closed"
    try:
        await billing.close_month(resources.pool, sent.actor, Month.read(month))
    except MonthNotOver as refusal:
        said = refusal.code
    return RedirectResponse(f"/billing/{month}?{urlencode({'said': said})}", 303)


@router.get("/prices")
async def show_prices(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    said: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """The price lists that count, and a form that replaces them."""
    put = await prices.view_prices(resources.pool, operator.at(address))
    return _show_prices(request, operator, put, said=SAID.get(said, ""))


@router.post("/prices")
async def put_prices(
    request: Request, operator: Operator, resources: ResourcesOf, address: Address
) -> Response:
    """Replaces the price lists."""
    form = await sessions.read_form(request, resources, price_form.FIELDS_MAX)
    typed, actor = price_form.read_lists(form), operator.at(address)
    asked_for = {"lists": [one.as_asked() for one in typed]}
    try:
        asked = PricesRequest.model_validate(
            {**asked_for, "version": field(form, "version") or None}
        )
        await prices.put_prices(
            resources.pool, actor, [one.read() for one in asked.lists], asked.version
        )
    except (ValueError, ValidationError, errors.InvalidRequest, errors.Conflict) as error:
        put = await prices.view_prices(resources.pool, actor)
        return _show_prices(request, operator, put, typed=typed, problem=_say(error), status=422)
    return RedirectResponse("/prices?said=saved", 303)


def _say(error: Exception) -> str:
    """What is wrong, for a technician: the words of the check."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]
        )
    return str(getattr(error, "detail", error))


def _show_prices(
    request: Request,
    operator: Person,
    put: Put,
    *,
    typed: Sequence[TypedList] = (),
    problem: str = "",
    said: str = "",
    status: int = 200,
) -> Response:
    lists = [from_json(one) for one in put.lists]
    return render(
        request,
        "prices.html",
        operator,
        status=status,
        put=put,
        lists=lists,
        blocks=price_form.add_room(typed or price_form.write_lists(lists)),
        problem=problem,
        said=said,
    )
