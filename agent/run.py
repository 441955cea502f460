"""One run of a plan, from the lock to the summary."""

from __future__ import annotations

import time
from pathlib import Path

from agent import committing, failures, starting
from agent.config import Config, Plan
from agent.connection import Connection
from agent.delta import Comparison
from agent.failures import ENROL_FIRST, AgentError, Problem
from agent.identity import Identity
from agent.ingest import Ingest, StartedRun
from agent.job import Job
from agent.reading import FileReader
from agent.records import Reader, RecordsDamaged, Writer
from agent.results import Result, named
from agent.sending import Sender
from agent.state import PlanState
from agent.stopping import stoppable
from agent.telling import Teller, progress_words
from agent.tree import Tree

MAX_ATTEMPTS = 3
OTHERS_BETWEEN = (
    "Other runs of this plan got in between again and again; "
    "is the same configuration used on two machines?"
)


class StartAgain(Exception):
    """The run can't be committed any more; another one can. Says why."""


def run_plan(config: Config, identity: Identity, plan: Plan, teller: Teller) -> Result:
    """Copy what changed since the last run, and say how it ended."""
    state = PlanState(config.state_dir, plan.name)
    connection = Connection(
        config.server or identity.server,
        identity.token,
        ca_file=config.ca_file,
        patience_seconds=config.patience_seconds,
        on_wait=lambda sentence: teller.say(sentence, "waiting"),
    )
    began = time.monotonic()
    with state.lock(), stoppable():
        remembered = state.load(identity.agent_id)
        job = Job(config, identity, plan, state, Ingest(connection), teller, remembered)
        result = _perform(job)
        result.duration_seconds = time.monotonic() - began
        remembered.last = {
            **result.as_summary(plan.name),
            "started_at": job.started_at,
            "not_copied": named(result.not_copied)[:20],
        }
        state.keep(remembered)
    return result


def _perform(job: Job) -> Result:
    """Run to an end that is told to the server wherever it can be."""
    job.teller.follow(lambda: _snapshot(job))
    for _ in range(MAX_ATTEMPTS):
        try:
            return _attempt(job)
        except StartAgain as again:
            job.teller.say(f"{again} Starting again.")
        except AgentError as error:
            return committing.abort(job, failures.final(error, ENROL_FIRST))
    return committing.abort(job, AgentError(OTHERS_BETWEEN))


def _attempt(job: Job) -> Result:
    job.begin_again()
    known_file = starting.start(job)
    assert job.started is not None
    tree = Tree(job.plan.folders, job.plan.exclude, [str(job.config.state_dir.absolute())])
    try:
        return _copy(job, job.started, tree, known_file)
    except RecordsDamaged as error:
        job.remembered.run = None
        raise StartAgain(f"What is remembered of the last run is damaged: {error}.") from error
    except Problem as problem:
        if problem.code not in ("parent-outdated", "run-closed"):
            raise
        if problem.code == "parent-outdated":
            job.remembered.run = None
            job.known_last_run = problem.document.get("last_run")
        raise StartAgain(problem.detail) from problem


def _copy(job: Job, started: StartedRun, tree: Tree, known_file: Path | None) -> Result:
    writer = Writer(job.state.new_records_file())
    known = Reader(known_file)
    sender = Sender(job.ingest, started.run_id, job.counters)
    files = FileReader(job.identity.chunk_key_bytes, sender.offer)
    comparison = Comparison(known, writer, files, sender.emit, job.counters, job.miss)
    try:
        comparison.compare(tree.walk())
        sender.finish()
        writer.finish()
        return committing.commit(job, started, writer, sender.batches)
    except BaseException:
        sender.stop()
        writer.discard()
        raise
    finally:
        known.close()


def _snapshot(job: Job) -> tuple[str, int, int | None]:
    counters = job.counters
    words = progress_words(counters.files_total, counters.bytes_protected, counters.bytes_sent)
    return words, counters.bytes_protected, None
