"""Which of a plan's runs became restore points, told by what lies of them in the bucket.

The reasoning is in docs/decisions/0013.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from libs.shared.bucket import End, Head

LIST_ENTRIES = 10_000
"""A whole list is due when the deltas since the last outgrew it, and had so many entries."""
LIST_RUNS = 500
"""... and after so many runs in any case."""


class History(msgspec.Struct, frozen=True):
    """The runs of a plan that became restore points, oldest first.

    heads: by number; a committed number without a head is one whose head can't be read.
    undecided: the newest, where only its head says that it was to become one.
    last_number: no run had a higher number.
    """

    committed: list[int]
    heads: dict[int, tuple[str, Head]]
    ends: dict[int, End]
    undecided: int | None
    last_number: int


def decide_history(
    heads: Mapping[str, Head],
    ends: Iterable[End],
    numbers: Collection[int],
    listed: Collection[int],
) -> History:
    """Tells which runs became restore points.

    heads: by key. numbers: of all objects that were found, readable or not. listed: runs of which
    there is a whole list.
    A run that a later head names as its parent was committed. So only the newest can be in
    doubt: it counts, as its agent had sent all and asked for it, unless its end says otherwise.
    """
    told = {end.number: end for end in ends}
    by_number: dict[int, list[tuple[str, Head]]] = {}
    for key, head in heads.items():
        by_number.setdefault(head.number, []).append((key, head))
    sure = {end.number for end in told.values() if end.state == "committed"}
    sure |= {head.parent for head in heads.values() if head.parent is not None}
    sure |= set(listed)
    newest = max(by_number, default=0)
    undecided = None
    if newest > max(sure, default=0) and newest not in told:
        _, head = _last_asked(by_number[newest])
        if head.parent == max(sure, default=None):
            undecided = newest
    committed = sorted(sure if undecided is None else sure | {undecided})
    chosen = {}
    for number in committed:
        tries = by_number.get(number, [])
        end = told.get(number)
        if end is not None and end.state == "failed":
            # A later head says that it was committed: an older database was put back meanwhile,
            # and used the number again, or closed the same run anew.
            tries = [one for one in tries if one[1].run_id != end.run_id] or tries
        elif end is not None and end.head_key is not None:
            tries = [(key, head) for key, head in tries if key == end.head_key]
        if tries:
            chosen[number] = _last_asked(tries)
    return History(
        committed,
        chosen,
        {number: end for number, end in told.items() if number in sure},
        undecided,
        max(numbers, default=0),
    )


def _last_asked(tries: Sequence[tuple[str, Head]]) -> tuple[str, Head]:
    return max(tries, key=lambda attempt: attempt[1].asked_at)


def find_expired_before(history: History) -> int:
    """Returns the run before which no version that ended was kept, as far as is known."""
    for number in sorted(history.ends, reverse=True):
        end = history.ends[number]
        if end.superseded_from is not None:
            return end.superseded_from
        return number
    return 0
