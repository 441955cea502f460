"""When an ended subscription's data is due, and how long a destruction pauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from libs.shared.events import DESTRUCTION_AFTER

LOOK_AGAIN_AFTER = timedelta(hours=1)
"""How long after nothing was found the bucket is looked at once more."""
TRY_LOCKED_AFTER = timedelta(hours=1)
"""How long what the store won't delete is left alone."""
ASK_AGAIN_AFTER = timedelta(hours=1)
"""How long the portal has to answer before it is asked again."""


def find_destruction_date(ended_at: datetime) -> datetime:
    """Returns when an ended subscription's data is due for destruction: 30 times 24 hours later.

    Hours and not calendar days: never earlier, in whatever time zone, over whatever summer time.
    """
    return ended_at.astimezone(UTC) + DESTRUCTION_AFTER
