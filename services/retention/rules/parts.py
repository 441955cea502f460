"""Which parts of runs' deltas no rebuild of the bucket can need (docs/decisions/0019)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from libs.shared.bucket import End, Head


def is_given_up(number: int, end: End | None, later: Sequence[Head | None]) -> bool:
    """Whether no rebuild can take a run for a restore point, though a commit was asked for.

    later: the heads of all runs of the plan with higher numbers, None for one that can't be read.
    A run that one of them names as its parent was committed, whatever its end says: the end may
    be another run's, of the same number, from after an older database was put back.
    """
    if end is None or end.state != "failed":
        return False
    return all(head is not None and head.parent != number for head in later)


def find_unneeded(parts: Collection[str], heads: Sequence[Head | None]) -> set[str]:
    """Returns those keys of a closed run's parts that no head names.

    heads: all of this number, None for one that can't be read: it may name any part.
    """
    named: set[str] = set()
    for head in heads:
        if head is None:
            return set()
        named |= {part.key for part in head.parts}
    return set(parts) - named
