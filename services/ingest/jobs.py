"""Time in: what ingest does every so often."""

from __future__ import annotations

from datetime import timedelta

from libs.shared.runtime import Job, Jobs
from services.ingest import actions
from services.ingest.actions.resources import Resources


def choose_lease_pause(resources: Resources) -> timedelta:
    """Runs are closed within seconds after their lease ran out."""
    return min(timedelta(seconds=10), resources.lease / 4)


async def make_names_findable(resources: Resources) -> bool:
    """What a commit brought can be searched for some seconds later."""
    return await actions.names.add_due_names(resources.pool)


JOBS: Jobs[Resources] = [
    Job("cut_withdrawn", timedelta(seconds=0.5), actions.agents.cut_withdrawn),
    Job("close_abandoned_runs", choose_lease_pause, actions.runs.ending.fail_abandoned),
    Job("tell_ends", timedelta(seconds=10), actions.manifests.ends.tell_ends),
    Job("write_lists", timedelta(minutes=1), actions.manifests.lists.write_due_lists),
    Job("forget_usage", timedelta(hours=6), actions.usage.forget_usage),
    Job("make_names_findable", timedelta(seconds=2), make_names_findable),
]
