"""What a run or a restore came to; as JSON it is the last line of `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.telling import failures, sentences
from agent.telling.counters import Counters, Missed
from agent.telling.dropped import Dropped
from agent.telling.failures import AgentError
from agent.telling.names import shown_absolute
from libs.shared.reasons import Reason

MAX_NAMED_NOT_COPIED = 1000


@dataclass
class Result:
    """What a run came to; `as_summary` is the last line of `run --json`."""

    outcome: str
    counters: Counters
    run_id: str | None = None
    number: int | None = None
    duration_seconds: float = 0.0
    not_copied: dict[bytes, Missed] = field(default_factory=dict)
    files_too_large: int = 0
    failure: AgentError | None = None
    exit_code: int = failures.SUCCEEDED
    stored_bytes: int | None = None
    dumps: list[dict[str, Any]] = field(default_factory=list)
    hot_files: list[str] = field(default_factory=list)
    warnings: list[Reason] = field(default_factory=list)

    @property
    def error(self) -> str:
        """Why it failed, in words; empty where it didn't."""
        return "" if self.failure is None else str(self.failure)

    def as_summary(self, plan: str) -> dict[str, Any]:
        """All members, in JSON types."""
        counters = self.counters
        return {
            "message_type": "summary",
            "plan": plan,
            "outcome": self.outcome,
            "run_id": self.run_id,
            "run_number": self.number,
            "files_total": counters.files_total,
            "files_new": counters.files_new,
            "files_changed": counters.files_changed,
            "files_removed": counters.files_removed,
            "files_not_copied": counters.files_not_copied,
            "folders_total": counters.folders_total,
            "specials_skipped": counters.specials_skipped,
            "files_too_large": self.files_too_large,
            "bytes_protected": counters.bytes_protected,
            "bytes_read": counters.bytes_read,
            "bytes_sent": counters.bytes_sent,
            "stored_bytes": self.stored_bytes,
            "duration_seconds": round(self.duration_seconds, 3),
            "not_copied": shown(self.not_copied),
            "dumps": [sentences.dump_shown(dump) for dump in self.dumps],
            "hot_files": self.hot_files,
            "warnings": [
                sentences.with_sentence(warning, sentences.in_full(warning))
                for warning in self.warnings
            ],
            "error": _error_shown(self.failure),
            "exit_code": self.exit_code,
        }


def named(not_copied: Mapping[bytes, Missed]) -> list[dict[str, Any]]:
    """The files not copied as the protocol names them, a thousand at most."""
    pairs = list(not_copied.items())[:MAX_NAMED_NOT_COPIED]
    return [
        {
            "path": shown_absolute(path),
            "is_folder": missed.is_folder,
            "reason": missed.reason.as_dict(),
        }
        for path, missed in pairs
    ]


def shown(not_copied: Mapping[bytes, Missed]) -> list[dict[str, Any]]:
    """The files not copied for the agent's JSON, each with its sentence."""
    pairs = list(not_copied.items())[:MAX_NAMED_NOT_COPIED]
    return [missed_shown(path, missed) for path, missed in pairs]


def missed_shown(path: bytes, missed: Missed) -> dict[str, Any]:
    """One file that was not copied, with its sentence."""
    return {
        "path": shown_absolute(path),
        "is_folder": missed.is_folder,
        "reason": sentences.with_sentence(missed.reason, missed.sentence),
    }


def _error_shown(failure: AgentError | None) -> dict[str, Any] | None:
    return None if failure is None else sentences.with_sentence(failure.reason, str(failure))


@dataclass
class Restored:
    """What a restore came to; `as_summary` is the last line of `restore --json`.

    refused: how many could not be given what they had, by kind: owner, mode, ACLs...
    dropped: the folders that the restore point came without.
    """

    run: int | None = None
    run_at: str | None = None
    files: int = 0
    files_already_there: int = 0
    folders: int = 0
    symlinks: int = 0
    bytes_written: int = 0
    bytes_already_there: int = 0
    bytes_fetched: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    specials: int = 0
    renamed: int = 0
    duration_seconds: float = 0.0
    not_restored: dict[bytes, Reason] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    failure: AgentError | None = None
    exit_code: int = failures.SUCCEEDED

    @property
    def outcome(self) -> str:
        """In the words of runs."""
        if self.failure is not None:
            return "failed"
        return "succeeded_with_warnings" if self.has_warnings else "succeeded"

    @property
    def has_warnings(self) -> bool:
        """Is anything not as it was?"""
        return bool(self.not_restored or self.refused or self.renamed)

    def as_summary(self, plan: str) -> dict[str, Any]:
        """All members, in JSON types."""
        pairs = list(self.not_restored.items())[:MAX_NAMED_NOT_COPIED]
        return {
            "message_type": "summary",
            "plan": plan,
            "outcome": self.outcome,
            "run_number": self.run,
            "run_at": self.run_at,
            "files_restored": self.files,
            "files_already_there": self.files_already_there,
            "folders_restored": self.folders,
            "symlinks_restored": self.symlinks,
            "specials_restored": self.specials,
            "files_not_restored": len(self.not_restored),
            "bytes_restored": self.bytes_written,
            "bytes_already_there": self.bytes_already_there,
            "bytes_fetched": self.bytes_fetched,
            "refused": self.refused,
            "entries_renamed": self.renamed,
            "duration_seconds": round(self.duration_seconds, 3),
            "not_restored": [
                {"path": shown_absolute(path), "reason": sentences.with_sentence(reason)}
                for path, reason in pairs
            ],
            "dropped": [dropped.as_dict() for dropped in self.dropped],
            "error": _error_shown(self.failure),
            "exit_code": self.exit_code,
        }
