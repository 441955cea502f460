"""One run of a plan, from the lock to the summary."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from agent import failures, fetched, resending
from agent.config import Config, Plan
from agent.connection import Connection, StreamCut
from agent.delta import CHANGED_WHILE_READ, Comparison, Counters
from agent.failures import AgentError, Interrupted, Problem
from agent.identity import ENROL_FIRST, Identity
from agent.ingest import Ingest, StartedRun
from agent.names import shown_absolute
from agent.reading import FileReader
from agent.records import Reader, RecordsDamaged, Writer, digest_of
from agent.results import MAX_NAMED_NOT_COPIED, Result, named
from agent.sending import Sender
from agent.state import PlanState
from agent.telling import Teller, progress_words
from agent.tree import Tree

MISSES_THAT_FAIL = 3
MAX_ATTEMPTS = 3
POLITE_SECONDS = 5
RESEND_ROUNDS = 100


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
    with state.lock(), _stoppable():
        run = Run(config, identity, plan, state, Ingest(connection), teller)
        result = run.perform()
        result.duration_seconds = time.monotonic() - began
        run.remembered.last = {
            **result.as_summary(plan.name),
            "started_at": run.started_at,
            "not_copied": named(result.not_copied)[:20],
        }
        state.keep(run.remembered)
    return result


class Run:
    """What one run holds on to."""

    def __init__(
        self,
        config: Config,
        identity: Identity,
        plan: Plan,
        state: PlanState,
        ingest: Ingest,
        teller: Teller,
    ) -> None:
        self.config, self.identity, self.plan = config, identity, plan
        self.state, self.ingest, self.teller = state, ingest, teller
        self.remembered = state.load(identity.agent_id)
        self.started_at = datetime.now(UTC).isoformat()
        self.counters = Counters()
        self.not_copied: dict[bytes, str] = {}
        self.started: StartedRun | None = None
        self.last_declared_run: int | None = None

    def perform(self) -> Result:
        """Run to an end that is told to the server wherever it can be."""
        try:
            for attempt in range(MAX_ATTEMPTS):
                try:
                    return self._attempt()
                except StartAgain as again:
                    self.teller.say(f"{again} Starting again.")
                    if attempt == MAX_ATTEMPTS - 1:
                        raise AgentError(
                            "Other runs of this plan got in between again and again; "
                            "is the same configuration used on two machines?"
                        ) from again
            raise AssertionError
        except AgentError as error:
            failure = failures.final(error, ENROL_FIRST)
            self._abort(failure)
            return self._failed(failure)

    def _attempt(self) -> Result:
        self.counters, self.not_copied = Counters(), {}
        self.teller.follow(self._snapshot)
        self._declare()
        known_file = self.state.records_file(self.remembered)
        parent = self.remembered.run if known_file is not None else None
        self.started = self._start(parent)
        tree = Tree(self.plan.folders, self.plan.exclude, [str(self.config.state_dir.absolute())])
        if self.started.parent is None:
            known_file = None
        elif known_file is None or self.started.parent != parent:
            known_file = self._fetch()
        writer = Writer(self.state.new_records_file())
        known = Reader(known_file)
        try:
            return self._copy(self.started, tree, known, writer)
        finally:
            known.close()

    def _declare(self) -> None:
        declaration = self.plan.declaration_sha256()
        if self.remembered.plan_id is not None and self.remembered.declaration == declaration:
            return
        declared = self.ingest.declare_plan(self.plan)
        if self.remembered.plan_id != declared.plan_id:
            self.remembered.run = None
        self.remembered.plan_id = declared.plan_id
        self.last_declared_run = declared.last_run
        self.remembered.declaration = declaration

    def _start(self, parent: int | None) -> StartedRun:
        # A first copy grows for sure; whether a later one does is seen chunk by chunk.
        estimate = 1 if self.remembered.run is None and self.last_declared_run is None else 0
        assert self.remembered.plan_id is not None
        try:
            return self.ingest.start_run(self.remembered.plan_id, parent, estimate)
        except Problem as problem:
            if problem.status != 404:
                raise
        # The server does not know the plan (any more): tell it again.
        self.remembered.declaration = ""
        self._declare()
        return self.ingest.start_run(self.remembered.plan_id, None, estimate)

    def _fetch(self) -> Path:
        self.teller.say("Comparing with the server's list of the last run.")
        assert self.remembered.plan_id is not None
        file = self.state.new_records_file()
        for attempt in range(5):
            try:
                with self.ingest.entries(self.remembered.plan_id) as (_, batches):
                    fetched.write_records(batches, file)
            except StreamCut:
                time.sleep(attempt)
            else:
                return file
        raise failures.Unreachable("The server's list of the last run broke off again and again.")

    def _copy(self, started: StartedRun, tree: Tree, known: Reader, writer: Writer) -> Result:
        sender = Sender(self.ingest, started.run_id, self.counters)
        files = FileReader(self.identity.chunk_key_bytes, sender.offer)
        comparison = Comparison(known, writer, files, sender.emit, self.counters, self._miss)
        try:
            comparison.compare(tree.walk())
            sender.finish()
            writer.finish()
            answer = self._commit(started, writer, sender.batches)
        except BaseException as error:
            sender.stop()
            writer.discard()
            if isinstance(error, RecordsDamaged):
                self.remembered.run = None
                raise StartAgain(
                    f"What is remembered of the last run is damaged: {error}."
                ) from error
            if isinstance(error, Problem) and error.code in ("parent-outdated", "run-closed"):
                if error.code == "parent-outdated":
                    self.remembered.run = None
                    self.last_declared_run = error.document.get("last_run")
                raise StartAgain(error.detail) from error
            raise
        return self._committed(answer, writer)

    def _miss(self, path: bytes, reason: str) -> None:
        if path in self.not_copied:
            return
        self.not_copied[path] = reason
        self.counters.files_not_copied += 1
        if len(self.not_copied) <= MAX_NAMED_NOT_COPIED:
            place = shown_absolute(path)
            self.teller.say(f"{place}: {reason}", "warning", path=place, reason=reason)

    def _missed_in_a_row(self) -> dict[str, int]:
        before = self.remembered.missed
        return {
            path.hex(): before.get(path.hex(), 0) + 1
            for path, reason in self.not_copied.items()
            if reason != CHANGED_WHILE_READ
        }

    def _commit(self, started: StartedRun, writer: Writer, batches: int) -> dict[str, Any]:
        hint = "succeeded_with_warnings" if self.not_copied else "succeeded"
        if any(count >= MISSES_THAT_FAIL for count in self._missed_in_a_row().values()):
            hint = "failed"
        summary = {**self._end_summary(), "batches": batches, "outcome_hint": hint, "full": False}
        for _ in range(RESEND_ROUNDS):
            try:
                return self.ingest.commit(started.run_id, summary)
            except Problem as problem:
                if problem.code != "chunks-missing":
                    raise
                wanted = {bytes.fromhex(text) for text in problem.document["chunks"]}
            self.teller.say(f"The server asks for {len(wanted)} chunks once more.")
            sender = Sender(self.ingest, started.run_id, self.counters)
            try:
                resending.resend(
                    sender, self.identity.chunk_key_bytes, wanted, self._records(writer)
                )
            except BaseException:
                sender.stop()
                raise
        raise AgentError("The server lacks chunks of files that have changed since. Run again.")

    def _end_summary(self) -> dict[str, Any]:
        counters = self.counters
        return {
            "counters": {
                "files_total": counters.files_total,
                "files_new": counters.files_new,
                "files_changed": counters.files_changed,
                "files_removed": counters.files_removed,
                "files_not_copied": counters.files_not_copied,
                "bytes_protected": counters.bytes_protected,
                "bytes_sent": counters.bytes_sent,
            },
            "not_copied": named(self.not_copied),
            "dumps": [],
            "log_tail": self.teller.log_tail(),
            "started_at": self.started_at,
        }

    def _records(self, writer: Writer) -> Path:
        """The records of the tree as it is now: those just written, else those before."""
        if writer.has_begun:
            return writer.file
        file = self.state.records_file(self.remembered)
        assert file is not None
        return file

    def _committed(self, answer: dict[str, Any], writer: Writer) -> Result:
        remembered = self.remembered
        remembered.missed = self._missed_in_a_row()
        outcome = str(answer["outcome"])
        result = self._result(outcome)
        result.stored_bytes = answer.get("stored_bytes")
        remembered.run = int(answer["number"])
        if writer.has_begun:
            remembered.records_name = writer.file.name
            remembered.records_digest = digest_of(writer.file)
        if outcome == "failed":
            result.exit_code = failures.FAILED
            result.code = "missed-again"
            result.error = (
                "The same files could not be read in three runs in a row; all others were copied."
                " Make them readable, or exclude them."
            )
        elif outcome == "succeeded_with_warnings":
            result.exit_code = failures.WARNINGS
        return result

    def _result(self, outcome: str) -> Result:
        result = Result(outcome, self.counters, not_copied=self.not_copied)
        if self.started is not None:
            result.run_id, result.number = self.started.run_id, self.started.number
        return result

    def _failed(self, failure: AgentError) -> Result:
        result = self._result("failed")
        result.code, result.error = failure.code, str(failure)
        result.exit_code = failure.exit_code
        return result

    def _abort(self, failure: AgentError) -> None:
        """Tell the server that the run failed, unless that is why it failed."""
        if self.started is None or failure.exit_code in (
            failures.UNREACHABLE,
            failures.NOT_AUTHORISED,
        ):
            return
        connection = self.ingest.connection
        connection.stopping.clear()
        connection.patience_seconds = min(connection.patience_seconds, POLITE_SECONDS)
        summary = {**self._end_summary(), "reason_code": failure.code, "reason": str(failure)}
        try:
            self.ingest.abort(self.started.run_id, summary)
        except AgentError as error:
            self.teller.say(f"The server could not be told that the run failed: {error}")

    def _snapshot(self) -> tuple[str, int, int | None]:
        counters = self.counters
        words = progress_words(counters.files_total, counters.bytes_protected, counters.bytes_sent)
        return words, counters.bytes_protected, None


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM and Ctrl-C end the run politely, once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        name = signal.Signals(number).name
        raise Interrupted(f"The run was stopped by {name}. The next one goes on from here.")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
