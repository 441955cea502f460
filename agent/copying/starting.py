"""The beginning of a run: the plan declared, the run opened, and what to compare with."""

from __future__ import annotations

import time
from pathlib import Path

from agent.copying import fetched
from agent.copying.job import Job
from agent.copying.state import DAMAGED, FOREIGN
from agent.server import identity
from agent.server.connection import StreamCut
from agent.server.ingest import Ingest, StartedRun
from agent.telling import failures
from agent.telling.failures import Problem, StateUnusable
from agent.telling.names import shown_place
from libs.shared.reasons import Reason

FETCH_TRIES = 5
LARGEST_CLOCK_ERROR_SECONDS = 300


def start(job: Job) -> Path | None:
    """Open the run; the records of its parent, None where there is no restore point yet."""
    _declare(job)
    known_file = job.state.records_file(job.remembered)
    if known_file is None and job.remembered.names_records:
        job.warn(DAMAGED)
    parent = job.remembered.run if known_file is not None else None
    started = job.started = _open(job, parent)
    job.remembered.maintenance = list(started.maintenance)
    _check_clock(job, started)
    if started.chunk_key is not None:
        _take_up(job, started.chunk_key)
    if started.parent is None:
        return None
    if started.list_anew:
        job.teller.say("Backups of this plan were dropped in the portal: what is here comes anew.")
    elif known_file is not None and started.parent == parent:
        if started.parent_run_id in (None, job.remembered.run_id):
            return known_file
        job.warn(FOREIGN)
    elif known_file is not None:
        job.teller.say(
            f"The server's last restore point is run {started.parent}, the last one known here is "
            f"run {parent}: a run was cut at its end, or two machines use the same token."
        )
    return fetch(job)


def _take_up(job: Job, chunk_key: str) -> None:
    """Name new chunks by the key that the server gave us; those from before keep their names."""
    job.identity = identity.renew(job.config, job.identity, chunk_key)
    job.ingest.chunk_key = job.identity.chunk_key_bytes
    job.teller.say("The server gave this machine a new key for what it backs up from now on.")


def _check_clock(job: Job, started: StartedRun) -> None:
    """Say that our clock is wrong; the times of runs are the server's."""
    ahead = started.clock_ahead_seconds
    if ahead is not None and abs(ahead) > LARGEST_CLOCK_ERROR_SECONDS:
        seconds = round(abs(ahead))
        job.warn(
            Reason("clock-ahead", amount=seconds)
            if ahead > 0
            else Reason("clock-behind", amount=seconds)
        )


def growth_fits(job: Job, started: StartedRun, growth_bytes: int) -> None:
    """Tell the server how much the run will add; Problem 507 where that is too much."""
    assert job.remembered.plan_id is not None
    job.ingest.start_run(job.remembered.plan_id, started.parent, growth_bytes, started.run_key)


def _declare(job: Job) -> None:
    remembered = job.remembered
    declaration = job.plan.declaration_sha256()
    if remembered.plan_id is not None and remembered.declaration == declaration:
        return
    declared = job.ingest.declare_plan(job.plan)
    if remembered.plan_id != declared.plan_id:
        remembered.run = None
    remembered.plan_id = declared.plan_id
    remembered.declaration = declaration


def _open(job: Job, parent: int | None) -> StartedRun:
    assert job.remembered.plan_id is not None
    try:
        return job.ingest.start_run(job.remembered.plan_id, parent)
    except Problem as problem:
        if problem.status != 404:
            raise
    # The server does not know the plan (any more): tell it again.
    job.remembered.declaration = ""
    _declare(job)
    return job.ingest.start_run(job.remembered.plan_id, None)


def fetch(job: Job) -> Path:
    """The server's list of the last restore point, as a file of records."""
    job.teller.say("Comparing with the server's list of the last run.")
    assert job.remembered.plan_id is not None
    file = job.state.new_records_file()
    fetch_records(job.ingest, job.remembered.plan_id, file)
    return file


def fetch_records(ingest: Ingest, plan_id: str, file: Path) -> None:
    """Write the server's list of the last restore point as a file of records."""
    for attempt in range(FETCH_TRIES):
        try:
            with ingest.entries(plan_id) as (_, batches):
                fetched.write_records(batches, file)
        except StreamCut:
            time.sleep(attempt)
        except fetched.DiskFailed as error:
            file.unlink(missing_ok=True)
            reason = Reason("state-unusable", shown_place(file.parent), detail=str(error))
            raise StateUnusable(reason) from error
        else:
            return
    raise failures.Unreachable(Reason("list-cut", amount=FETCH_TRIES))
