"""Price lists: what storage and seats cost a month, from when until when.

Amounts are before tax. They are rounded once, where a line comes to be (docs/decisions/0043).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

from libs.shared import errors
from services.portal.rules.orders.months import Month

OFFERED = 3
"""How many of the next sizes are offered."""

_UNIT_BYTES = 100_000_000_000
_CENT = Decimal("0.01")


def round_money(amount: Decimal) -> Decimal:
    """To the cent, halves away from zero, as merchants do."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Step:
    """Storage up to that size costs so much a month."""

    storage_bytes: int
    monthly: Decimal


@dataclass(frozen=True, slots=True)
class PriceList:
    """What is charged for orders that take effect from the month `first` to `last`, the latter too.

    last: None where there is no end yet. Storage costs what the smallest step says that holds it,
    or, without steps, `per_100_gb` for each 100 GB that was begun.
    seat_entry: once for each seat more; seat_monthly: for each seat.
    """

    first: Month
    last: Month | None
    currency: str
    vat_percent: Decimal
    seat_entry: Decimal
    seat_monthly: Decimal
    per_100_gb: Decimal | None
    steps: tuple[Step, ...] = ()

    def price_storage(self, storage_bytes: int) -> Decimal:
        """What so much storage costs a month; raises SizeNotOffered beyond the last step."""
        if storage_bytes == 0:
            return Decimal(0)
        if self.per_100_gb is not None:
            return self.per_100_gb * -(-storage_bytes // _UNIT_BYTES)
        for step in self.steps:
            if storage_bytes <= step.storage_bytes:
                return step.monthly
        raise SizeNotOffered(self.steps[-1].storage_bytes)

    def find_size_for(self, stored_bytes: int) -> int:
        """The smallest size offered that holds so much; raises SizeNotOffered."""
        if self.per_100_gb is not None:
            return -(-stored_bytes // _UNIT_BYTES) * _UNIT_BYTES
        self.price_storage(stored_bytes)
        return min(one.storage_bytes for one in self.steps if one.storage_bytes >= stored_bytes)

    def list_next_sizes(self, above_bytes: int) -> tuple[Step, ...]:
        """The next larger sizes that are offered, the smallest first."""
        if self.per_100_gb is not None:
            begun = above_bytes // _UNIT_BYTES
            sizes = [_UNIT_BYTES * (begun + more) for more in range(1, OFFERED + 1)]
            return tuple(Step(size, round_money(self.price_storage(size))) for size in sizes)
        larger = [step for step in self.steps if step.storage_bytes > above_bytes]
        return tuple(Step(one.storage_bytes, round_money(one.monthly)) for one in larger[:OFFERED])


def to_json(one: PriceList) -> dict[str, Any]:
    """A price list as it is kept and shown."""
    storage: dict[str, Any] = {"per_100_gb": str(one.per_100_gb)}
    if one.per_100_gb is None:
        storage = {
            "steps": [
                {"storage_bytes": step.storage_bytes, "monthly": str(step.monthly)}
                for step in one.steps
            ]
        }
    return {
        "from": str(one.first),
        "until": str(one.last) if one.last else None,
        "currency": one.currency,
        "vat_percent": str(one.vat_percent),
        "seat_entry": str(one.seat_entry),
        "seat_monthly": str(one.seat_monthly),
        "storage": storage,
    }


def from_json(kept: dict[str, Any]) -> PriceList:
    """A price list from how it is kept."""
    storage = kept["storage"]
    return PriceList(
        first=Month.read(kept["from"]),
        last=Month.read(kept["until"]) if kept["until"] else None,
        currency=kept["currency"],
        vat_percent=Decimal(kept["vat_percent"]),
        seat_entry=Decimal(kept["seat_entry"]),
        seat_monthly=Decimal(kept["seat_monthly"]),
        per_100_gb=Decimal(storage["per_100_gb"]) if "per_100_gb" in storage else None,
        steps=tuple(
            Step(step["storage_bytes"], Decimal(step["monthly"]))
            for step in storage.get("steps", ())
        ),
    )


class SizeNotOffered(errors.Refusal):
    """A size beyond the last step of the price list."""

    code = "size-not-offered"
    status = 409
    title = "No price for this size"

    def __init__(self, largest_bytes: int) -> None:
        super().__init__(largest_bytes)
        self.largest_bytes = largest_bytes

    @property
    def detail(self) -> str:
        return (
            f"The price list ends at {self.largest_bytes} bytes: order less, or have a larger size"
            " put on it."
        )


class NoPrice(errors.Refusal):
    """No price list covers a month."""

    code = "no-price"
    status = 409
    title = "No price list covers this month"

    def __init__(self, month: Month) -> None:
        super().__init__(month)
        self.month = month

    @property
    def detail(self) -> str:
        return f"No price list covers {self.month}: an operator puts one with PUT /api/v1/prices."


def find_list(lists: Sequence[PriceList], month: Month) -> PriceList:
    """The price list of a month; raises NoPrice."""
    for one in lists:
        if one.first <= month and (one.last is None or month <= one.last):
            return one
    raise NoPrice(month)


def check_lists(lists: Sequence[PriceList]) -> None:
    """Raises InvalidRequest, saying all that is wrong, unless the lists follow each other.

    In their order: no gap between them, no overlap, and the last has no end."""
    problems = [problem for one in lists for problem in _find_problems(one)]
    for one, following in pairwise(lists):
        if one.last is None or one.last >= following.first:
            problems.append(f"The list from {following.first} begins before the one before it ends")
        elif one.last.next != following.first:
            problems.append(f"There is a gap between {one.last} and {following.first}")
    if not lists:
        problems.append("There is no list")
    elif lists[-1].last is not None:
        problems.append("The last list has an end: leave it out, or say what follows")
    if problems:
        raise errors.InvalidRequest(". ".join(problems) + ".")


def _find_problems(one: PriceList) -> list[str]:
    about = f"The list from {one.first}"
    problems = []
    if one.last is not None and one.last < one.first:
        problems.append(f"{about} ends before it begins")
    if (one.per_100_gb is None) == (not one.steps):
        problems.append(f"{about} needs storage by steps or per 100 GB, one of them")
    sizes = [step.storage_bytes for step in one.steps]
    if sizes != sorted(set(sizes)) or any(size <= 0 for size in sizes):
        problems.append(f"{about} has steps that don't grow")
    prices = [one.seat_entry, one.seat_monthly, one.per_100_gb or Decimal(0), one.vat_percent]
    if any(price < 0 for price in (*prices, *(step.monthly for step in one.steps))):
        problems.append(f"{about} has a price or a rate below zero")
    if one.vat_percent > 100:
        problems.append(f"{about} has a rate of tax above 100 %")
    return problems
