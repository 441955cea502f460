"""`run --dry-run`: what a run would send, told without starting one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config import Config, Plan
from agent.copying import starting
from agent.copying.rehearsal import Rehearsed, rehearse
from agent.copying.run import ingest_of
from agent.copying.state import PlanState
from agent.exclusions import rules_of
from agent.server.identity import Identity
from agent.telling.names import shown_absolute
from agent.telling.results import shown
from agent.telling.teller import Teller
from agent.walking.tree import Tree
from libs.shared.words.plain import count_text, size_text

LAST_RUN, SERVERS_LIST, NOTHING = "the last run", "the server's list", "nothing: a first backup"
UNKNOWN = "size not known"
SHOWN_UNREADABLE = 20


@dataclass(frozen=True)
class DryRun:
    """What was seen, and what it was compared with.

    dumps: how many bytes each of the plan's dumps had when it was last good; None where that is
    not known.
    """

    found: Rehearsed
    compared_with: str
    dumps: dict[str, int | None]

    def as_summary(self, plan: str) -> dict[str, Any]:
        """All members, in JSON types; bytes are plain, before compression and deduplication."""
        counters = self.found.counters
        return {
            "message_type": "dry_run",
            "plan": plan,
            "compared_with": self.compared_with,
            "files_total": counters.files_total,
            "bytes_total": counters.bytes_protected,
            "files_new": counters.files_new,
            "files_changed": counters.files_changed,
            "files_removed": counters.files_removed,
            "files_to_read": self.found.files_to_read,
            "bytes_to_read": self.found.bytes_to_read,
            "dumps": list(self.dumps),
            "dump_bytes_last_time": self.dumps,
            "unreadable": shown(self.found.unreadable),
            "largest": [
                {"path": shown_absolute(path), "size_bytes": size}
                for size, path in self.found.largest
            ],
        }

    def lines(self, plan: str) -> Iterator[str]:
        """What a run would do, in lines for people."""
        found, counters = self.found, self.found.counters
        yield (
            f"{plan}: {count_text(counters.files_total, 'file')}, "
            f"{size_text(counters.bytes_protected)}. "
            f"Compared with {self.compared_with}: {counters.files_new} new, "
            f"{counters.files_changed} changed, {counters.files_removed} removed."
        )
        yield (
            f"{count_text(found.files_to_read, 'file')} with {size_text(found.bytes_to_read)} "
            "would be read; "
            "what of it is sent is less by compression and by what the server has already."
        )
        if self.dumps:
            yield self._dumps_line()
        if found.largest:
            yield "The largest new and changed files:"
            for size, path in found.largest:
                yield f"  {size_text(size):>10}  {shown_absolute(path)}"
        for path, missed in list(found.unreadable.items())[:SHOWN_UNREADABLE]:
            yield f"{shown_absolute(path)}: {missed.sentence}"
        if (more := len(found.unreadable) - SHOWN_UNREADABLE) > 0:
            yield f"{more} more can't be read."
        yield "Nothing was sent."

    def _dumps_line(self) -> str:
        total = sum(size or 0 for size in self.dumps.values())
        each = ", ".join(
            f"{name} ({UNKNOWN if size is None else size_text(size)})"
            for name, size in self.dumps.items()
        )
        return (
            f"Dumps: about {size_text(total)}, as last time: {each}."
            if total
            else f"Dumps: {each}."
        )


def look(config: Config, identity: Identity, plan: Plan, teller: Teller) -> DryRun:
    """Compare a plan's folders with the last run, or with the server's list where that is lost."""
    state = PlanState(config.state_dir, plan.name)
    remembered = state.load(identity.agent_id)
    tree = Tree(plan.folders, rules_of(plan), [str(config.state_dir.absolute())])
    # A size of 0 is remembered of a dump that was never good.
    dumps = {dump.name: remembered.dump_sizes.get(dump.name) or None for dump in plan.dumps}
    known_file = state.records_file(remembered)
    if known_file is not None:
        return DryRun(rehearse(tree, known_file, plan.dumps), LAST_RUN, dumps)
    ingest = ingest_of(config, identity, teller)
    declared = ingest.find_plan(plan.name)
    if declared is None or declared.last_run is None:
        return DryRun(rehearse(tree, None, plan.dumps), NOTHING, dumps)
    state.prepare()
    fetched_file: Path = state.new_records_file()
    try:
        starting.fetch_records(ingest, declared.plan_id, fetched_file)
        return DryRun(rehearse(tree, fetched_file, plan.dumps), SERVERS_LIST, dumps)
    finally:
        fetched_file.unlink(missing_ok=True)
