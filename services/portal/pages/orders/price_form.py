"""Price lists as a form: a block a list, with rooms for steps, and one block more that is empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from starlette.datastructures import FormData

from services.portal.pages.sessions import field
from services.portal.rules.orders.prices import PriceList

FIELDS_MAX = 8_000
_LISTS_MAX, _STEPS_MAX = 50, 100
_SPARE_STEPS = 3
_GB = 10**9


@dataclass(frozen=True)
class TypedStep:
    """A size in GB, and what it costs a month."""

    size_gb: str = ""
    monthly: str = ""


@dataclass(frozen=True)
class TypedList:
    """A price list as somebody types it; per_100_gb is empty where there are steps."""

    first: str = ""
    until: str = ""
    currency: str = "EUR"
    vat_percent: str = ""
    seat_entry: str = ""
    seat_monthly: str = ""
    per_100_gb: str = ""
    steps: tuple[TypedStep, ...] = ()

    def as_asked(self) -> dict[str, Any]:
        """As the API takes it; what isn't a number is left for its check."""
        steps = [
            {"storage_bytes": _read_size(one.size_gb), "monthly": _read_amount(one.monthly)}
            for one in self.steps
        ]
        storage = {"per_100_gb": _read_amount(self.per_100_gb)} if self.per_100_gb else {}
        return {
            "from": self.first,
            "until": self.until or None,
            "currency": self.currency.upper(),
            "vat_percent": _read_amount(self.vat_percent),
            "seat_entry": _read_amount(self.seat_entry),
            "seat_monthly": _read_amount(self.seat_monthly),
            "storage": storage | ({"steps": steps} if steps else {}),
        }


def write_lists(lists: Iterable[PriceList]) -> list[TypedList]:
    """What the form shows of the lists that count."""
    return [
        TypedList(
            first=str(one.first),
            until=str(one.last) if one.last else "",
            currency=one.currency,
            vat_percent=str(one.vat_percent),
            seat_entry=str(one.seat_entry),
            seat_monthly=str(one.seat_monthly),
            per_100_gb="" if one.per_100_gb is None else str(one.per_100_gb),
            steps=tuple(
                TypedStep(f"{Decimal(step.storage_bytes) / _GB:f}", str(step.monthly))
                for step in one.steps
            ),
        )
        for one in lists
    ]


def add_room(typed: Sequence[TypedList]) -> list[TypedList]:
    """The same with empty steps, and an empty list at the end."""
    spare = (TypedStep(),) * _SPARE_STEPS
    return [replace(one, steps=one.steps + spare) for one in (*typed, TypedList())]


def read_lists(form: FormData) -> list[TypedList]:
    """What was typed; a list without a month to begin with, and a step without a size, is none."""
    found = []
    for number in range(_LISTS_MAX):
        if f"{number}-first" not in form:
            break
        one = TypedList(
            **{
                name: field(form, f"{number}-{name}").strip()
                for name in TypedList.__dataclass_fields__
                if name != "steps"
            },
            steps=tuple(_read_steps(form, number)),
        )
        if one.first:
            found.append(one)
    return found


def _read_steps(form: FormData, number: int) -> Iterable[TypedStep]:
    for step in range(_STEPS_MAX):
        size = field(form, f"{number}-size-{step}").strip()
        if size:
            yield TypedStep(size, field(form, f"{number}-monthly-{step}").strip())


def _read_amount(text: str) -> str:
    """A number as French or English people write it."""
    return text.replace(",", ".").replace("\u00a0", "").replace("\u202f", "").replace(" ", "")


def _read_size(text: str) -> int | str:
    try:
        return int(Decimal(_read_amount(text)) * _GB)
    except (ArithmeticError, ValueError):
        return text
