"""What the parts of one run share: its plan, its memory, its server, and what was seen so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.config import Config, Plan
from agent.copying.delta import COPIED_ALL_THE_SAME
from agent.copying.state import PlanState, Remembered
from agent.dumps.taking import TakenDump
from agent.programs.hooks import RunHooks
from agent.programs.pings import Pings
from agent.server.identity import Identity
from agent.server.ingest import Ingest, StartedRun
from agent.telling import sentences
from agent.telling.counters import Counters, Missed
from agent.telling.failures import StateUnusable
from agent.telling.names import shown_absolute
from agent.telling.results import MAX_NAMED_NOT_COPIED, Result, missed_shown, named
from agent.telling.teller import Teller
from agent.walking.hot import HotFiles
from agent.walking.records import Writer
from agent.walking.sources import Sources
from agent.walking.views import IN_PLACE, Views
from libs.shared.reasons import Reason

MAX_DUMPS_TOLD = 100


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass
class Job:
    """One run of a plan.

    not_copied: paths that were not copied as they should, each with the reason.
    dumps: what became of each dump; hot: the database files among those copied.
    warnings: what else went wrong without making the run fail.
    sources: what was found below the plan's folders. views: from where they are read.
    was_refused: some entry was kept out by the server, which our records have as copied.
    """

    config: Config
    identity: Identity
    plan: Plan
    state: PlanState
    ingest: Ingest
    teller: Teller
    remembered: Remembered
    started_at: str = field(default_factory=_now)
    counters: Counters = field(default_factory=Counters)
    not_copied: dict[bytes, Missed] = field(default_factory=dict)
    dumps: list[TakenDump] = field(default_factory=list)
    hot: HotFiles = field(default_factory=HotFiles)
    warnings: list[Reason] = field(default_factory=list)
    hooks: RunHooks = field(init=False)
    pings: Pings = field(init=False)
    started: StartedRun | None = None
    accept_empty: bool = False
    sources: Sources | None = None
    views: Views = IN_PLACE
    was_refused: bool = False

    def __post_init__(self) -> None:
        self.hooks = RunHooks(self.plan.hooks, self.plan.name, self.teller)
        self.pings = Pings(self.config.ping_url_of(self.plan), self.teller, self.config.proxy)

    def begin_again(self) -> None:
        """Forget what an attempt saw."""
        self.counters, self.not_copied = Counters(), {}
        self.dumps, self.hot = [], HotFiles()
        self.was_refused = False

    def warn(self, warning: Reason) -> None:
        """Tell of what went wrong without making the run fail; the same again changes nothing."""
        if self.note(warning):
            self.teller.say(sentences.in_full(warning), "warning")

    def note(self, warning: Reason | None) -> bool:
        """Keep what went wrong, if anything did and it is new; it has been told already."""
        if warning is None or warning in self.warnings:
            return False
        self.warnings.append(warning)
        return True

    def miss(self, path: bytes, missed: Missed) -> None:
        """Note a path that can't be copied; a second reason for it is not needed."""
        if path in self.not_copied:
            return
        self.not_copied[path] = missed
        self.counters.files_not_copied += 1
        if len(self.not_copied) <= MAX_NAMED_NOT_COPIED:
            sentence = f"{shown_absolute(path)}: {missed.sentence}"
            self.teller.say(sentence, "warning", **missed_shown(path, missed))

    def lose_attributes(self, path: bytes, reason: Reason) -> None:
        """Note a path that is copied without some of its attributes."""
        self.miss(path, Missed(reason))

    def missed_in_a_row(self) -> dict[str, int]:
        """For each file that could not be read now: in how many runs in a row."""
        before = self.remembered.missed
        return {
            path.hex(): before.get(path.hex(), 0) + 1
            for path, missed in self.not_copied.items()
            if missed.reason.code not in COPIED_ALL_THE_SAME
        }

    def records(self, writer: Writer) -> Path:
        """The records of the tree as it is now: those just written, else those before."""
        if writer.has_begun and writer.failure is None:
            return writer.file
        file = self.state.records_file(self.remembered)
        if file is None:
            raise StateUnusable(Reason("records-missing"))
        return file

    def ending(self) -> dict[str, Any]:
        """What a commit and an abort both tell of the run."""
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
                "bytes_read": counters.bytes_read,
            },
            "not_copied": named(self.not_copied),
            "dumps": [
                *(dump.as_result() for dump in self.dumps),
                *self.hot.as_results(MAX_DUMPS_TOLD - len(self.dumps)),
            ],
            "warnings": [warning.as_dict() for warning in self.warnings],
            "log_tail": self.teller.log_tail(),
            "started_at": self.started_at,
        }

    def result(self, outcome: str) -> Result:
        """How it ended, as far as that is known."""
        result = Result(outcome, self.counters, not_copied=self.not_copied)
        result.dumps = [dump.as_result() for dump in self.dumps]
        result.hot_files = [path for path, _ in self.hot.named()]
        result.warnings = list(self.warnings)
        if self.started is not None:
            result.run_id, result.number = self.started.run_id, self.started.number
        return result
