"""Whether the time can be believed, before anything is forgotten because of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_GAP = timedelta(minutes=5)
"""How far the clocks of this machine, the database and the store may lie apart."""

MAX_STEP = timedelta(days=3)
"""How long retention may have been away before somebody has to say that the date is right."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Times read within a moment.

    machine, database, store: what they say without any offset of the installation.
    now, seen_at: the installation's time, and the last one that was believed.
    """

    machine: datetime
    database: datetime
    store: datetime
    now: datetime
    seen_at: datetime | None


def find_objections(clocks: Clocks) -> list[str]:
    """Says in words why nothing may be forgotten now; empty where the time can be believed."""
    objections = []
    for name, told in (("database", clocks.database), ("store", clocks.store)):
        gap = clocks.machine - told
        if abs(gap) > MAX_GAP:
            objections.append(
                f"This machine's clock is {_describe(gap)} of the {name}'s ({told:%Y-%m-%d %H:%M})."
            )
    if clocks.seen_at is not None:
        step = clocks.now - clocks.seen_at
        if step > MAX_STEP or step < -MAX_GAP:
            objections.append(
                f"The time is {_describe(step)} of the last one that was believed"
                f" ({clocks.seen_at:%Y-%m-%d %H:%M}); if it is right, say so with"
                " `python -m services.retention clock --accept --reason …`."
            )
    return objections


def _describe(gap: timedelta) -> str:
    side = "ahead" if gap > timedelta(0) else "behind"
    gap = abs(gap)
    if gap >= timedelta(days=2):
        return f"{gap.days} days {side}"
    return f"{gap.total_seconds() / 60:.0f} minutes {side}"
