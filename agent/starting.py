"""The beginning of a run: the plan declared, the run opened, and what to compare with."""

from __future__ import annotations

import time
from pathlib import Path

from agent import failures, fetched
from agent.connection import StreamCut
from agent.failures import Problem
from agent.ingest import StartedRun
from agent.job import Job

FETCH_TRIES = 5


def start(job: Job) -> Path | None:
    """Open the run; the records of its parent, None where there is no restore point yet."""
    _declare(job)
    known_file = job.state.records_file(job.remembered)
    parent = job.remembered.run if known_file is not None else None
    job.started = _open(job, parent)
    if job.started.parent is None:
        return None
    if known_file is None or job.started.parent != parent:
        return fetch(job)
    return known_file


def _declare(job: Job) -> None:
    remembered = job.remembered
    declaration = job.plan.declaration_sha256()
    if remembered.plan_id is not None and remembered.declaration == declaration:
        return
    declared = job.ingest.declare_plan(job.plan)
    if remembered.plan_id != declared.plan_id:
        remembered.run = None
    remembered.plan_id = declared.plan_id
    job.known_last_run = declared.last_run
    remembered.declaration = declaration


def _open(job: Job, parent: int | None) -> StartedRun:
    # A first copy grows for sure; whether a later one does is seen chunk by chunk.
    estimate = 1 if job.remembered.run is None and job.known_last_run is None else 0
    assert job.remembered.plan_id is not None
    try:
        return job.ingest.start_run(job.remembered.plan_id, parent, estimate)
    except Problem as problem:
        if problem.status != 404:
            raise
    # The server does not know the plan (any more): tell it again.
    job.remembered.declaration = ""
    _declare(job)
    return job.ingest.start_run(job.remembered.plan_id, None, estimate)


def fetch(job: Job) -> Path:
    """The server's list of the last restore point, as a file of records."""
    job.teller.say("Comparing with the server's list of the last run.")
    assert job.remembered.plan_id is not None
    file = job.state.new_records_file()
    for attempt in range(FETCH_TRIES):
        try:
            with job.ingest.entries(job.remembered.plan_id) as (_, batches):
                fetched.write_records(batches, file)
        except StreamCut:
            time.sleep(attempt)
        else:
            return file
    raise failures.Unreachable("The server's list of the last run broke off again and again.")
