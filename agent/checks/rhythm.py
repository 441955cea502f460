"""When a plan ran last, and when it is due."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

from agent.checks.findings import Finding
from agent.config import Plan


def check_rhythm(plan: Plan, last: dict[str, Any] | None, now: datetime) -> Finding:
    """How the last run ended and when the next is due; late if two turns have passed since.

    now: an aware time.
    """
    zone = ZoneInfo(plan.timezone)
    due = due_next(plan, now)
    following = f"The next is due {due:%A %d %B %H:%M} ({plan.timezone})."
    if last is None or "started_at" not in last:
        return Finding("fine", "schedule", f"It never ran. {following}", plan.name)
    started = datetime.fromisoformat(str(last["started_at"])).astimezone(zone)
    ended = str(last.get("outcome", "")).replace("_", " ")
    told = f"The last run, {started:%d %B %Y %H:%M}, {_ended(ended)}."
    turns = list(islice(CronSim(plan.schedule, started), 2))
    if turns[-1].astimezone(UTC) < now:
        late = "Two turns have passed since: is the timer on (coffre-agent timer)?"
        return Finding("warning", "schedule", f"{told} {late} {following}", plan.name)
    if last.get("outcome") == "failed":
        why = (last.get("error") or {}).get("sentence", "")
        return Finding("warning", "schedule", f"{told} {why} {following}", plan.name)
    return Finding("fine", "schedule", f"{told} {following}", plan.name)


def due_next(plan: Plan, now: datetime) -> datetime:
    """When the plan is due the next time, in its own zone; now: an aware time."""
    return next(iter(CronSim(plan.schedule, now.astimezone(ZoneInfo(plan.timezone)))))


def _ended(words: str) -> str:
    return words if words.startswith("succeeded") or words == "failed" else "came to no end"
