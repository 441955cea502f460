"""Time in: what ingest does every so often."""

from __future__ import annotations

from datetime import timedelta

from libs.shared.runtime import Job, Jobs
from services.ingest import actions
from services.ingest.actions import Ingest


def choose_lease_pause(ingest: Ingest) -> timedelta:
    """Runs are closed within seconds after their lease ran out."""
    return min(timedelta(seconds=10), ingest.lease / 4)


async def make_names_findable(ingest: Ingest) -> bool:
    """What a commit brought can be searched for some seconds later."""
    return await actions.add_due_names(ingest.pool)


JOBS: Jobs[Ingest] = [
    Job("close_abandoned_runs", choose_lease_pause, actions.fail_abandoned),
    Job("tell_ends", timedelta(seconds=10), actions.tell_ends),
    Job("write_lists", timedelta(minutes=1), actions.write_due_lists),
    Job("make_names_findable", timedelta(seconds=2), make_names_findable),
]
