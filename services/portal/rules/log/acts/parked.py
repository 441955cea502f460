"""Acts with parked events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.portal.rules.log.acts.base import Act


@dataclass(frozen=True)
class ParkedListed(Act):
    """Events that wait for a person in some service's inbox."""

    code = "parked-listed"
    events: int


@dataclass(frozen=True)
class ParkedViewed(Act):
    """One such event, with its error."""

    code = "parked-viewed"
    service: str
    event: str


@dataclass(frozen=True)
class ParkedDecided(Act):
    """One such event is to be handled again, or dropped."""

    code = "parked-decided"
    service: str
    event: str
    decision: Literal["replay", "drop"]
    reason: str
