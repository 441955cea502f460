"""The end of a run: committed, with chunks sent again where the server lacks them; or aborted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.copying import resending
from agent.copying.job import Job
from agent.copying.sending import Sender
from agent.server.ingest import StartedRun
from agent.telling import failures, oserrors
from agent.telling.failures import AgentError, Problem, StateUnusable
from agent.telling.names import shown_place
from agent.telling.results import Result
from agent.walking.records import Writer, digest_of
from libs.shared import reasons
from libs.shared.reasons import Reason
from libs.shared.words.plain import count_text

MISSES_THAT_FAIL = 3
POLITE_SECONDS = 5
RESEND_ROUNDS = 100
# What the state folder says, by what a file would.
_NOT_KEPT = {
    "disk-full": Reason("state-disk-full"),
    "read-only": Reason("state-read-only"),
    "permission-denied": Reason("state-forbidden"),
    "disk-error": Reason("state-disk-error"),
}


def commit(job: Job, started: StartedRun, writer: Writer, batches: int) -> Result:
    """Make the run a restore point, remember it, and say how it ended."""
    _tell_hot_files(job)
    if writer.failure is not None:
        job.warn(not_kept(job, writer.failure))
    has_bad_dump = any(not dump.succeeded for dump in job.dumps)
    job.note(job.hooks.after("failed" if has_bad_dump else _hint(job)[0]))
    if started.wanted_chunks:
        _heal(job, started, writer)
    job.note(job.pings.warning())
    hint, reason = _hint(job)
    summary = {
        **job.ending(),
        "batches": batches,
        "outcome_hint": hint,
        "reason": reasons.write(reason),
        "full": False,
    }
    wanted: set[bytes] = set()
    for _ in range(RESEND_ROUNDS):
        try:
            return _committed(job, started, job.ingest.commit(started.run_id, summary), writer)
        except Problem as problem:
            if problem.code != "chunks-missing":
                raise
            wanted = {bytes.fromhex(text) for text in problem.document["chunks"]}
        job.teller.say(f"The server asks for {count_text(len(wanted), 'chunk')} once more.")
        _send_again(job, started, writer, wanted)
    raise AgentError(Reason("content-changed", amount=len(wanted)))


def not_kept(job: Job, error: OSError) -> Reason:
    """What it means that the state folder takes nothing more."""
    folder = shown_place(job.state.folder)
    known = _NOT_KEPT.get(oserrors.reason_of(error).code)
    if known is not None:
        return replace(known, subject=folder)
    return Reason("state-not-kept", folder, detail=oserrors.words_of(error))


def _hint(job: Job) -> tuple[str, Reason | None]:
    """The outcome as far as we see, and why; a dump that failed is the server's to judge."""
    counts = [count for count in job.missed_in_a_row().values() if count >= MISSES_THAT_FAIL]
    if counts:
        return "failed", Reason("missed-again", amount=len(counts), limit=MISSES_THAT_FAIL)
    if job.not_copied or job.warnings or any(dump.is_suspect for dump in job.dumps):
        return "succeeded_with_warnings", None
    return "succeeded", None


def _tell_hot_files(job: Job) -> None:
    named = job.hot.named()
    for path, _ in named:
        sentence = f"{path}: backed up, not guaranteed restorable: use a dump."
        job.teller.say(sentence, "notice", path=path)
    if left := len(job.hot.found) - len(named):
        job.teller.say(f"{left} more database files were backed up so.", "notice")


def _heal(job: Job, started: StartedRun, writer: Writer) -> None:
    """Send what was damaged in the store, as far as our files have it still; never fails a run."""
    try:
        sent = _send_again(job, started, writer, set(started.wanted_chunks), dumps_too=False)
    except StateUnusable:
        return  # the server's list is all there is: the next run has records
    except Problem as problem:
        if problem.status != 507:
            raise
        job.teller.say(f"Damaged chunks could not be sent again: {problem.detail}", "notice")
        return
    if sent:
        chunks = count_text(sent, "chunk")
        job.teller.say(f"Sent again, for the store had them damaged: {chunks}.", "notice")


def _send_again(
    job: Job, started: StartedRun, writer: Writer, wanted: set[bytes], *, dumps_too: bool = True
) -> int:
    sender = Sender(job.ingest, started.run_id, job.counters)
    try:
        return resending.resend(
            sender,
            job.identity.chunk_keys,
            wanted,
            job.records(writer),
            job.views,
            dumps_too=dumps_too,
        )
    except BaseException:
        sender.stop()
        raise


def _committed(job: Job, started: StartedRun, answer: dict[str, Any], writer: Writer) -> Result:
    remembered = job.remembered
    remembered.missed = job.missed_in_a_row()
    outcome = str(answer["outcome"])
    result = job.result(outcome)
    result.stored_bytes = answer.get("stored_bytes")
    remembered.run = int(answer["number"])
    remembered.run_id = started.run_id
    remembered.files_total = job.counters.files_total
    remembered.bytes_protected = job.counters.bytes_protected
    assert job.sources is not None
    remembered.sources = job.sources.remembered()
    if writer.failure is not None or job.was_refused:
        # The next run compares with the server's list: it tries again what was refused.
        remembered.records_name = None
    elif writer.has_begun:
        remembered.records_name = writer.file.name
        remembered.records_digest = digest_of(writer.file)
    remembered.dump_sizes = {
        dump.name: dump.size_bytes if dump.succeeded else remembered.dump_sizes.get(dump.name, 0)
        for dump in job.dumps
    }
    if outcome == "failed":
        result.exit_code = failures.FAILED
        why = reasons.read(answer.get("reason")) or Reason("incomplete")
        result.failure = AgentError(why)
    elif outcome == "succeeded_with_warnings":
        result.exit_code = failures.WARNINGS
    return result


def abort(job: Job, failure: AgentError) -> Result:
    """Tell the server that the run failed, unless that is why it failed; say how it ended."""
    job.note(job.hooks.after("failed"))
    result = job.result("failed")
    result.failure, result.exit_code = failure, failure.exit_code
    if job.started is None or failure.exit_code in (failures.UNREACHABLE, failures.NOT_AUTHORISED):
        return result
    connection = job.ingest.connection
    connection.stopping.clear()
    connection.patience_seconds = min(connection.patience_seconds, POLITE_SECONDS)
    summary = {**job.ending(), "reason": failure.reason.as_dict()}
    try:
        job.ingest.abort(job.started.run_id, summary)
    except AgentError as error:
        job.teller.say(f"The server could not be told that the run failed: {error}")
    return result
