"""What a client may make us write on one day: many times what any was seen to need.

Content is paid for by its bytes. These bound what costs us rows and events, and costs nothing to
send: one token must not fill the database (docs/decisions/0028).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from services.ingest.rules.refusals import AllowanceUsed

Kind = Literal["runs", "declarations", "packs", "entries", "told-bytes"]

MOST: dict[Kind, int] = {
    # 200 machines with three plans each, every hour.
    "runs": 20_000,
    # Plans that are new or changed.
    "declarations": 5_000,
    # 3 TB in packs of 16 MiB; a script makes one for each new file.
    "packs": 200_000,
    # Files, folders and removals that batches and scripts name: the first copy of very large trees.
    "entries": 50_000_000,
    # What declarations and reports of runs say: 20,000 reports of 50 KB.
    "told-bytes": 1024**3,
}
MOST_PLANS = 2_000


def check_usage(kind: Kind, amount: int, now: datetime) -> None:
    """Raises AllowanceUsed where a day's amount is more than the day's allowance."""
    if amount > MOST[kind]:
        raise AllowanceUsed(kind, MOST[kind], seconds_left(now))


def check_plans(count: int) -> None:
    """Raises AllowanceUsed where a client has more plans than it may have."""
    if count > MOST_PLANS:
        raise AllowanceUsed("plans", MOST_PLANS, None)


def seconds_left(now: datetime) -> int:
    """How long a day (UTC) still lasts, in whole seconds, at least one."""
    now = now.astimezone(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return int((midnight - now).total_seconds()) + 1
