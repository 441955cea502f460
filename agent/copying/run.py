"""One run of a plan, from the lock to the summary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agent.config import Config, Plan
from agent.copying import committing, lease, refused, starting
from agent.copying.delta import Comparison
from agent.copying.job import Job
from agent.copying.rehearsal import growth_of
from agent.copying.sending import Sender
from agent.copying.state import DAMAGED, PlanState
from agent.dumps.folder import with_dumps
from agent.dumps.taking import take_all
from agent.exclusions import rules_of
from agent.programs.stopping import stoppable
from agent.server.bandwidth import Throttle
from agent.server.connection import Connection
from agent.server.identity import Identity
from agent.server.ingest import Ingest, StartedRun
from agent.snapshots.taking import snapshots
from agent.telling import failures
from agent.telling.failures import ENROL_FIRST, AgentError, Problem, Unreachable
from agent.telling.moments import moment
from agent.telling.progress import Totals, copying, counted
from agent.telling.results import Result, shown
from agent.telling.teller import Teller
from agent.walking.beside import Beside
from agent.walking.opening import outermost
from agent.walking.reading import FileReader
from agent.walking.records import Reader, RecordsDamaged, Writer
from agent.walking.sizes import TooLarge
from agent.walking.sources import Sources
from agent.walking.tree import Listing, Tree
from libs.shared.entries import FolderDelta
from libs.shared.reasons import Reason
from libs.shared.words.plain import size_text

MAX_ATTEMPTS = 3


class StartAgain(Exception):
    """The run can't be committed any more; another one can. Says why."""


def ingest_of(config: Config, identity: Identity, teller: Teller) -> Ingest:
    """The server of an enrolled machine, spoken to as the configuration says."""
    connection = Connection(
        config.server or identity.server,
        identity.token,
        ca_file=config.ca_file,
        proxy=config.proxy,
        patience_seconds=config.patience_seconds,
        on_wait=lambda sentence: teller.say(sentence, "waiting"),
        throttle=Throttle(config.bandwidth),
    )
    return Ingest(connection, identity.chunk_key_bytes)


def run_plan(
    config: Config, identity: Identity, plan: Plan, teller: Teller, accept_empty: bool = False
) -> Result:
    """Copy what changed since the last run, and say how it ended.

    accept_empty: a folder may have become another, empty one since the last run.
    """
    state = PlanState(config.state_dir, plan.name)
    ingest = ingest_of(config, identity, teller)
    began = time.monotonic()
    with state.lock(), stoppable():
        remembered, lost = state.examine(identity.agent_id)
        job = Job(config, identity, plan, state, ingest, teller, remembered)
        job.accept_empty = accept_empty
        job.pings.started()
        if lost is not None:
            job.warn(lost)
        try:
            result = _perform(job)
        finally:
            job.hooks.after("failed")
        if result.failure is not None and job.note(job.hooks.on_error(result.failure)):
            result.warnings = list(job.warnings)
        result.duration_seconds = time.monotonic() - began
        remembered.last = {
            **result.as_summary(plan.name),
            "started_at": job.started_at,
            "not_copied": shown(result.not_copied)[:20],
        }
        _keep(job, result)
    job.pings.ended(result.outcome, "\n".join([teller.log_tail(), result.error]))
    return result


def _keep(job: Job, result: Result) -> None:
    try:
        job.state.keep(job.remembered)
    except OSError as error:
        job.warn(committing.not_kept(job, error))
        result.warnings = list(job.warnings)
        if result.exit_code == failures.SUCCEEDED:
            result.exit_code = failures.WARNINGS


def _perform(job: Job) -> Result:
    """Run to an end that is told to the server wherever it can be."""
    for _ in range(MAX_ATTEMPTS):
        try:
            return _attempt(job)
        except StartAgain as again:
            job.teller.say(f"{again} Starting again.")
        except AgentError as error:
            return committing.abort(job, failures.final(_explained(job, error), ENROL_FIRST))
    return committing.abort(job, AgentError(Reason("others-between", amount=MAX_ATTEMPTS)))


def _explained(job: Job, error: AgentError) -> AgentError:
    """Say of a server that is away that this was announced, as it told at the last run."""
    now = datetime.now(UTC)
    for one in job.remembered.maintenance:
        if isinstance(error, Unreachable) and one.begins_at <= now < one.ends_at:
            return Unreachable(
                error.reason,
                f"{error} Maintenance was announced until {moment(one.ends_at)}: {one.title_en}",
            )
    return error


def _attempt(job: Job) -> Result:
    job.begin_again()
    known_file = starting.start(job)
    assert job.started is not None
    with lease.kept(job.ingest, job.started):
        return _copy_or_start_again(job, job.started, known_file)


def _copy_or_start_again(job: Job, started: StartedRun, known_file: Path | None) -> Result:
    job.hooks.about(started.run_id, started.number)
    job.hooks.before()
    own = [str(job.config.state_dir.absolute())]
    try:
        with snapshots(job.plan, job.config.state_dir, job.teller.say, job.warn) as taken:
            job.views = taken.views
            tree = Tree(job.plan.folders, rules_of(job.plan), own + taken.own_folders, job.views)
            if started.growth_left_bytes is not None:
                _check_growth(job, started, tree, known_file, started.growth_left_bytes)
            with _followed(job, tree):
                return _copy(job, started, tree, known_file)
    except RecordsDamaged as error:
        job.remembered.run = None
        job.warn(DAMAGED)
        raise StartAgain(f"What is remembered of the last run is damaged: {error}.") from error
    except Problem as problem:
        if problem.code not in ("parent-outdated", "run-closed"):
            raise
        if problem.code == "parent-outdated":
            job.remembered.run = None
        raise StartAgain(problem.detail) from problem


def _check_growth(
    job: Job, started: StartedRun, tree: Tree, known_file: Path | None, left_bytes: int
) -> None:
    """Let the server refuse what will not fit before anything is sent."""
    job.teller.say(f"{size_text(left_bytes)} may still be added; counting what this run adds.")
    key = job.identity.chunk_key_bytes
    growth = growth_of(job.ingest, started, key, tree, known_file, left_bytes)
    if growth:
        starting.growth_fits(job, started, growth)


@contextmanager
def _followed(job: Job, tree: Tree) -> Iterator[None]:
    """Show progress: against the last run, or against a count beside the first copy."""
    progress = copying(job.counters)
    job.teller.follow(progress.snapshot)
    if job.remembered.files_total:
        progress.expect(Totals(job.remembered.files_total, job.remembered.bytes_protected))
        yield
    else:
        with counted(outermost(tree.roots), progress.expect):
            yield


def _copy(job: Job, started: StartedRun, tree: Tree, known_file: Path | None) -> Result:
    writer = Writer(job.state.new_records_file())
    job.sources = Sources(job.counters)
    known = Reader(known_file)
    sender = Sender(job.ingest, started.run_id, job.counters, asks=started.has_chunks)
    files = FileReader(job.identity.chunk_key_bytes, sender.offer)

    def emit(delta: FolderDelta) -> None:
        job.hot.look(delta)
        sender.emit(delta)

    too_large = TooLarge(job.teller, job.plan.max_file_size_bytes)
    beside = Beside(job.plan.exclude_attributes, job.lose_attributes, known_file)
    comparison = Comparison(known, writer, files, emit, job.counters, job.miss, beside)
    try:
        walk = job.sources.watch(too_large.watch(tree.walk()))
        comparison.compare(_with_dumps(job, files, walk))
        _check_sources(job, known_file)
        sender.finish()
        writer.finish()
        batches = refused.name(job, started, sender)
        result = committing.commit(job, started, writer, batches)
    except BaseException:
        sender.stop()
        writer.discard()
        raise
    finally:
        known.close()
    result.files_too_large = too_large.files
    return result


def _check_sources(job: Job, known_file: Path | None) -> None:
    """Fail rather than take an empty mount for files that were removed."""
    assert job.sources is not None
    job.sources.check_least(job.plan)
    emptied = job.sources.emptied(job.remembered.sources, known_file, job.accept_empty)
    for path, missed in emptied.items():
        job.miss(path, missed)


def _with_dumps(job: Job, files: FileReader, walk: Iterator[Listing]) -> Iterator[Listing]:
    """Take the dumps, then walk: they are one more folder."""
    if not job.plan.dumps:
        return walk
    with job.state.private_folder() as private:
        job.dumps = take_all(
            job.plan.dumps, files.read_stream, private, job.remembered.dump_sizes, job.teller
        )
    return with_dumps(walk, job.dumps, job.miss)
