"""What a report tells of the runs before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared.events import Outcome

SHOWN = 14
"""How many runs a report shows at a glance, its own among them."""


@dataclass(frozen=True, slots=True)
class EndedRun:
    """How a run ended, and when we heard of it."""

    number: int
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """How many runs before a run failed one after the other; first: the run that began it."""

    failures: int = 0
    first: UUID | None = None
