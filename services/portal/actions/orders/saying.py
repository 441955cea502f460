"""How an order is shown: as JSON, and in words in both languages."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.shared.events import Locale
from libs.shared.words.orders import say_order
from libs.shared.words.tongue import Tongue, find_zone
from services.portal.actions.orders.effects import say_line
from services.portal.actions.orders.ordering import OrderInFull
from services.portal.rules.orders.months import Month

_LOCALES = Path(__file__).parents[2] / "locales"


def to_json(shown: OrderInFull) -> dict[str, Any]:
    """An order, what is due by it this month and the next, and the same in words."""
    order = shown.order
    return {
        "order_id": order.order_id,
        "what": order.what,
        "before": order.before,
        "after": order.after,
        "ordered_at": order.ordered_at,
        "effective_at": order.effective_at,
        "by": order.by,
        "in_provider_name": order.cause == "revised",
        "cause": order.cause,
        "reason": order.reason,
        "clause": order.clause,
        "lines": [say_line(line).model_dump(mode="json") for line in shown.lines],
        "monthly": str(order.monthly),
        "currency": order.currency,
        "sentences": {locale: say(speak(locale, shown), shown) for locale in ("fr", "en")},
    }


def preview_to_json(shown: OrderInFull) -> dict[str, Any]:
    """An order that was not placed: it has no id yet, and a quote instead."""
    preview = to_json(shown)
    del preview["order_id"]
    return {**preview, "quote": shown.quote}


def speak(locale: str, shown: OrderInFull) -> Tongue:
    """The tongue for a reader of a client's orders."""
    chosen: Locale = "en" if locale == "en" else "fr"
    return Tongue(chosen, shown.tenant.timezone, _LOCALES)


def say(tongue: Tongue, shown: OrderInFull) -> str:
    """When an order takes effect, what is billed for the month, and what from then on."""
    order = shown.order
    month = Month.of(order.ordered_at, find_zone(shown.tenant.timezone))
    return say_order(
        tongue,
        ordered_at=order.ordered_at,
        effective_at=order.effective_at,
        due=sum((one.amount for one in shown.lines if one.about == month), Decimal(0)),
        entry=order.entry,
        monthly=order.monthly,
        currency=order.currency,
    )
