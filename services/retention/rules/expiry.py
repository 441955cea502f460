"""What of a plan's past may expire, and which runs hold that up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FEW_FILES = 10
"""Fewer files than this may all change in a run: dumps and mailboxes do every night."""


def is_alive(subscription: str) -> bool:
    """Whether versions of a tenant may expire: a suspended or ended one keeps all it has."""
    return subscription in ("active", "ending")


def find_cutoff(now: datetime, retention_days: int) -> datetime:
    """Returns before which moment a version must have been superseded to expire."""
    return now - timedelta(days=max(retention_days, 1))


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run beside the restore point before it: files and bytes there, superseded, and after."""

    files_before: int
    bytes_before: int
    files_superseded: int
    bytes_superseded: int
    files_after: int
    bytes_after: int


def find_unusual(facts: RunFacts) -> str | None:
    """Says what is unusual in a run: more than half of its files or bytes vanished or changed.

    Changes count from FEW_FILES files on; a loss always counts.
    """
    if facts.files_after * 2 < facts.files_before:
        return f"{facts.files_before - facts.files_after} of {facts.files_before} files vanished"
    if facts.bytes_after * 2 < facts.bytes_before:
        return f"{facts.bytes_before - facts.bytes_after} of {facts.bytes_before} bytes vanished"
    if facts.files_superseded < FEW_FILES:
        return None
    if facts.files_superseded * 2 > facts.files_before:
        return f"{facts.files_superseded} of {facts.files_before} files vanished or changed"
    if facts.bytes_superseded * 2 > facts.bytes_before:
        return f"{facts.bytes_superseded} of {facts.bytes_before} bytes vanished or changed"
    return None
