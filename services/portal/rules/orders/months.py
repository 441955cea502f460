"""Calendar months, which are those of a contract's time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from libs.shared import errors

_WRITTEN = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One month of a calendar; written `2026-11`."""

    year: int
    number: int

    @classmethod
    def of(cls, at: datetime, zone: ZoneInfo) -> Month:
        """The month that a moment falls in, by the clock of that zone."""
        local = at.astimezone(zone)
        return cls(local.year, local.month)

    @classmethod
    def read(cls, text: str) -> Month:
        """The month of a text such as `2026-11`; raises InvalidRequest."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise errors.InvalidRequest("A month is written as 2026-11.")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def next(self) -> Month:
        """The month after."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def before(self) -> Month:
        """The month before."""
        return Month(self.year - (self.number == 1), (self.number - 2) % 12 + 1)

    @property
    def first_day(self) -> date:
        """The day it begins with."""
        return date(self.year, self.number, 1)

    def begins_at(self, zone: ZoneInfo) -> datetime:
        """The moment it begins in that zone, in UTC."""
        return datetime(self.year, self.number, 1, tzinfo=zone).astimezone(UTC)


def list_months(first: Month, last: Month) -> list[Month]:
    """All months from one to another, both included."""
    found = []
    while first <= last:
        found.append(first)
        first = first.next
    return found
