"""What operators type: sizes, days and moments; and how they are shown again."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click

from libs.shared.words.plain import size_text

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_SIZE = re.compile(r"(\d+(?:[.,]\d+)?)\s*([KMGTP]?)([BO]?)", re.IGNORECASE)


class Size(click.ParamType[int]):
    """Bytes, in decimal units as contracts count: 1GB, 500 MB, 2,5To."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes; fails on what is no size, or no whole number of bytes."""
        found = _SIZE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no size such as 500MB, 1GB or 2,5TB", param, ctx)
        number, unit, _ = found.groups()
        size = Decimal(number.replace(",", ".")) * 1000 ** _POWERS[unit.upper()]
        if size != int(size):
            self.fail(f"{value!r} is no whole number of bytes", param, ctx)
        return int(size)


class Day(click.ParamType[str]):
    """A day, as 2026-12-31."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The day as the portal reads it."""
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            self.fail(f"{value!r} is no day such as 2026-12-31", param, ctx)


class Moment(click.ParamType[str]):
    """A moment, as 2026-12-31T18:00; without an offset it is this machine's time."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The moment with its offset, as the portal reads it."""
        try:
            told = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment such as 2026-12-31T18:00", param, ctx)
        return (told if told.tzinfo else told.astimezone()).isoformat()


class Month(click.ParamType[str]):
    """A month, as 2026-11."""

    name = "month"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The month as the portal reads it."""
        if not re.fullmatch(r"[1-9]\d{3}-(0[1-9]|1[0-2])", value):
            self.fail(f"{value!r} is no month such as 2026-11", param, ctx)
        return str(value)


def show(name: str, value: Any) -> str:
    """A member of an answer for people: sizes by their unit, moments in this machine's zone."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes") and isinstance(value, int):
        return size_text(value)
    if isinstance(value, str) and name.endswith(("_at", "_since", "until")) and "T" in value:
        return f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M %Z}"
    return str(value)
