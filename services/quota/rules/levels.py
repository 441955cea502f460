"""Heads-ups before a contract is reached: once on the way up, once on the way down."""

from __future__ import annotations

from typing import NamedTuple

LEVELS = (80, 95)
OVER = 100
SLACK = 5
"""How many percent of the contract volume must fall below a level for that to be left."""


class Notice(NamedTuple):
    """What is told of a level: that it is reached, or that it was left."""

    level_percent: int
    rising: bool


def find_level(before: int, stored_bytes: int, contracted_bytes: int, *, is_over: bool) -> int:
    """The level that a tenant is at: 0, one of LEVELS, or OVER.

    One that was reached holds until volume is SLACK below it, so that what goes to and fro around
    it is told of once; OVER ends with the case.
    """
    if is_over:
        return OVER
    if not contracted_bytes:
        return 0
    reached = [
        level
        for level in LEVELS
        if 100 * stored_bytes >= (level - (SLACK if level <= before else 0)) * contracted_bytes
    ]
    return max(reached, default=0)


def find_notice(before: int, after: int) -> Notice | None:
    """What a change of level is worth saying; beyond the contract the overage case speaks."""
    if before == after or OVER in (before, after):
        return None
    if after > before:
        return Notice(after, True)
    return Notice(min(level for level in LEVELS if level > after), False)
