"""One dump: streamed into chunks, then judged by how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config import Dump
from agent.dumps import programs
from agent.dumps.streams import Deadline, DumpFailed, ProgramOutput, Seen
from agent.programs.processes import ProgramMissing
from agent.telling import sentences
from agent.telling.teller import Teller
from agent.walking.reading import LARGEST_CHUNK_LIST_BYTES
from libs.shared import reasons
from libs.shared.packs.cutting import Readable
from libs.shared.reasons import Reason
from libs.shared.words.explanations import say
from libs.shared.words.plain import duration_text, size_text

MUCH_SMALLER = 0.5

Read = Callable[[Readable], tuple[bytes, int]]


@dataclass(frozen=True)
class TakenDump:
    """What became of one dump.

    succeeded: it is kept as the new version; else the version before stays.
    guaranteed: its end and its size were checked, so that it can be restored.
    started_ns: when it began, in nanoseconds of the epoch; the state that it shows.
    chunks: the ids of its chunks, one after the other.
    reason: why it failed, or what is to be said of a good one.
    is_suspect: it is good, and yet a person should look at it.
    """

    name: str
    file_name: str
    succeeded: bool
    guaranteed: bool
    started_ns: int
    size_bytes: int = 0
    chunks: bytes = b""
    reason: Reason | None = None
    is_suspect: bool = False

    def as_result(self) -> dict[str, Any]:
        """As the protocol tells it."""
        return {
            "name": self.name,
            "succeeded": self.succeeded,
            "guaranteed": self.guaranteed,
            "size_bytes": self.size_bytes,
            "reason": reasons.write(self.reason),
        }


def take_all(
    dumps: Sequence[Dump],
    read: Read,
    private_folder: Path,
    sizes_before: dict[str, int],
    teller: Teller,
) -> list[TakenDump]:
    """Take a plan's dumps one after the other; one that fails harms no other.

    read: cuts a file into chunks, offers them, and gives (chunk ids, size).
    sizes_before: how large each was when it was last good.
    """
    taken = []
    for dump in dumps:
        teller.say(f"Dump {dump.name}: begins.", "dump", dump=dump.name, state="began")
        began = time.monotonic()
        one = take(dump, read, private_folder, sizes_before.get(dump.name))
        taken.append(one)
        words = f"{size_text(one.size_bytes)} in {duration_text(time.monotonic() - began)}"
        why = "" if one.reason is None else say(one.reason)
        if not one.succeeded:
            words = f"failed: {why}"
        elif why:
            words += f", {why}"
        bad = not one.succeeded or one.is_suspect
        teller.say(
            f"Dump {one.name}: {words}.",
            "warning" if bad else "dump",
            **{**sentences.dump_shown(one.as_result()), "dump": one.name, "state": "ended"},
        )
    return taken


def take(dump: Dump, read: Read, private_folder: Path, size_before: int | None) -> TakenDump:
    """Take one dump, whatever comes of it; errors of sending are raised."""
    started_ns = time.time_ns()
    name = programs.file_name(dump)
    try:
        chunks, seen, is_marked = _stream(dump, read, private_folder)
        _check_size(dump, seen.size_bytes, len(chunks))
    except DumpFailed as error:
        return TakenDump(dump.name, name, False, False, started_ns, reason=error.reason)
    except ProgramMissing as error:
        reason = Reason("dump-not-started", error.program, detail=error.words)
        return TakenDump(dump.name, name, False, False, started_ns, reason=reason)
    size = seen.size_bytes
    is_suspect = size_before is not None and size < size_before * MUCH_SMALLER
    why = None if is_marked else Reason("dump-unproven")
    if is_suspect:
        why = Reason("dump-much-smaller", amount=size, limit=size_before)
    return TakenDump(dump.name, name, True, is_marked, started_ns, size, chunks, why, is_suspect)


def _stream(dump: Dump, read: Read, private_folder: Path) -> tuple[bytes, Seen, bool]:
    """(chunk ids, what was seen, whether the dump proved to be whole)."""
    deadline = Deadline(dump.timeout_seconds)
    if dump.kind == "sqlite":
        assert dump.path is not None
        from agent.dumps import sqlite  # noqa: PLC0415 - costs start-up time and a megabyte

        with sqlite.copy(dump.path, private_folder, deadline) as copied:
            chunks, _ = read(copied)
            return chunks, copied.seen, True
    with (
        programs.prepare(dump, private_folder) as recipe,
        ProgramOutput(
            recipe.argv, recipe.environ, deadline, secrets=recipe.secrets, check=recipe.check
        ) as output,
    ):
        chunks, _ = read(output)
        output.finish()
        _check_marks(recipe, output.seen)
        return chunks, output.seen, bool(recipe.end_mark or recipe.check)


def _check_marks(recipe: programs.Recipe, seen: Seen) -> None:
    if seen.size_bytes == 0:
        raise DumpFailed(Reason("dump-empty"))
    if recipe.end_mark is not None and recipe.end_mark not in seen.tail:
        raise DumpFailed(Reason("dump-cut"))
    if not seen.head.startswith(recipe.head_mark):
        raise DumpFailed(Reason("dump-malformed"))


def _check_size(dump: Dump, size_bytes: int, chunk_list_bytes: int) -> None:
    if size_bytes < dump.min_size_bytes:
        raise DumpFailed(Reason("dump-too-small", amount=size_bytes, limit=dump.min_size_bytes))
    if chunk_list_bytes > LARGEST_CHUNK_LIST_BYTES:
        raise DumpFailed(Reason("dump-too-large", amount=size_bytes))
