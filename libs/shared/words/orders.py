"""How an order is said before and after it is placed: what is billed for its month, and then."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from libs.shared.words.tongue import N_, Tongue

_MORE = N_(
    "Opened on day {day}: billed for the whole month {of_month}: {amount}, then {monthly} a month,"
    " before tax."
)
_MORE_WITH_ENTRY = N_(
    "Opened on day {day}: billed for the whole month {of_month}: {amount}, with {entry} of entry"
    " fee once, then {monthly} a month, before tax."
)
_LESS = N_(
    "What you have is due until the end of the month {of_month}: {amount}; then {monthly} a month,"
    " before tax."
)


def say_order(
    tongue: Tongue,
    *,
    ordered_at: datetime,
    effective_at: datetime,
    due: Decimal,
    entry: Decimal,
    monthly: Decimal,
    currency: str,
) -> str:
    """When an order takes effect, what is billed for its month, and what a month from then on.

    The reader's zone must be the contract's. due: for the month, `entry` included, which is due
    once; monthly: for each month in effect.
    """
    is_now = effective_at == ordered_at
    day = ordered_at.astimezone(tongue.zone)
    return tongue.say(
        _LESS if not is_now else _MORE_WITH_ENTRY if entry else _MORE,
        day="1er" if tongue.locale == "fr" and day.day == 1 else day.day,
        of_month=tongue.of_month(day.date()),
        amount=tongue.money(due, currency),
        entry=tongue.money(entry, currency),
        monthly=tongue.money(monthly, currency),
    )
