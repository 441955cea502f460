"""What became of a run that wants to commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from libs.shared.entries import Entry
from libs.shared.events import DumpResult, Outcome
from libs.shared.reasons import Reason
from services.ingest.rules.reported import Counters

LONGEST_ENDING = 32
"""In bytes, with its dot: longer ones are no endings of files."""


def decide_outcome(
    hint: Outcome,
    counters: Counters,
    dumps: Sequence[DumpResult],
    expected: Sequence[str],
    warnings: Sequence[Reason] = (),
    reason: Reason | None = None,
) -> tuple[Outcome, Reason | None]:
    """What became of a run that wants to commit, and why if it failed.

    A dump that was expected and is not there, or failed, makes the run failed.
    reason: what the agent says where its hint is that the run failed.
    """
    told = {dump.name for dump in dumps}
    lost = sorted(told.union(expected) - {dump.name for dump in dumps if dump.succeeded})
    if lost:
        names = ", ".join(lost)
        if told.isdisjoint(lost):
            return "failed", Reason("dump-missing", names, len(lost))
        return "failed", Reason("dump-failed", names, len(lost))
    if hint == "failed":
        return "failed", reason or Reason("incomplete")
    if hint == "succeeded_with_warnings" or counters.files_not_copied > 0 or warnings:
        return "succeeded_with_warnings", None
    return "succeeded", None


def find_endings(found: Iterable[Entry]) -> Iterator[bytes]:
    """The ending of each file's name with its dot, where it has one of a common length."""
    for entry in found:
        if entry.kind == "f" and (dot := entry.name.rfind(b".")) > 0:
            ending = entry.name[dot:]
            if 1 < len(ending) <= LONGEST_ENDING:
                yield ending


def find_commonest(endings: Counter[bytes]) -> bytes:
    """The most frequent ending; empty for none."""
    return endings.most_common(1)[0][0] if endings else b""
