"""What of a client's log somebody wants to see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.portal.rules.log.acts import ACTS, Act
from services.portal.rules.log.chain import Line, Link

PAGE = 50
MOST_EXPORTED = 200_000
"""Lines of one export; what lies before is exported by its dates."""
VERIFIED_AT_ONCE = 5_000
"""How long a chain may be to be followed whenever its page is opened."""

Whose = Literal["anybody", "provider", "person"]


@dataclass(frozen=True)
class LogWish:
    """Which lines: of whom, of which kind, from when to when, older than which number.

    whose: `provider` is its staff, `person` the user_id. kind: a room of acts, "" for all.
    """

    whose: Whose = "anybody"
    user_id: UUID | None = None
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


@dataclass(frozen=True)
class SeenLine:
    """A line with its place, and whether the provider's staff did it."""

    link: Link
    line: Line
    by_provider: bool


def kind_of(act: type[Act]) -> str:
    """The room that an act stands in: what it is about."""
    return act.__module__.rpartition(".")[2]


KINDS: tuple[str, ...] = tuple(dict.fromkeys(kind_of(act) for act in ACTS))


def codes_of(kind: str) -> list[str] | None:
    """The acts of a kind, None for all."""
    return [act.code for act in ACTS if kind_of(act) == kind] if kind else None
