"""Folders that somebody dropped in the portal, so that restore points come without them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.telling.moments import moment
from agent.telling.names import shown_absolute


@dataclass(frozen=True)
class Dropped:
    """A folder that restore points up to `through_run` come without.

    undo_until: None where it can't be taken back any more, or is being taken back.
    """

    folder: bytes
    through_run: int
    by: str
    at: datetime
    undo_until: datetime | None

    def concerns(self, run: int, path: bytes | None) -> bool:
        """Would it be part of this path of a restore point?"""
        mine, wanted = self.folder + b"/", (path or b"") + b"/"
        return run <= self.through_run and (
            not path or mine.startswith(wanted) or wanted.startswith(mine)
        )

    def __str__(self) -> str:
        said = f"{shown_absolute(self.folder)} was dropped by {self.by} on {moment(self.at)}"
        if self.undo_until is None:
            return f"{said}."
        return (
            f"{said}; it can be taken back until {moment(self.undo_until)},"
            " by an administrator in the portal."
        )

    def as_dict(self) -> dict[str, Any]:
        """In JSON types."""
        return {
            "path": shown_absolute(self.folder),
            "through_run": self.through_run,
            "by": self.by,
            "dropped_at": self.at.isoformat(),
            "undo_until": self.undo_until.isoformat() if self.undo_until else None,
        }
