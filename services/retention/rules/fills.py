"""What of a client's folders fills its volume: pure sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

COUNTING_SHARE = 1 / 100
"""How much of its time is spent on counting what fills one client's volume."""


def find_pause(took: timedelta) -> timedelta:
    """How long a count is left as it is, by what it took."""
    return took / COUNTING_SHARE


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a plan; the root's parent is 0."""

    folder_id: int
    plan_id: UUID
    parent_id: int
    name: bytes


@dataclass(frozen=True, slots=True)
class Fill:
    """A folder with all below it: current files, their sizes, and what only it needs."""

    folder: Folder
    files: int
    size_bytes: int
    freed_bytes: int


def sum_up(
    folders: Mapping[int, Folder],
    current: Iterable[tuple[int, int, int]],
    needed: Iterable[tuple[Sequence[int], int]],
) -> list[Fill]:
    """Returns what fills each folder, but those with nothing in or below them.

    current: (folder, files, bytes). needed: (folders that need the same stored bytes, how many):
    these are freed with the deepest folder that has all of them below it.
    """
    ways: dict[int, tuple[int, ...]] = {0: ()}
    for folder_id in folders:
        _find_way(folder_id, folders, ways)
    sums: dict[int, list[int]] = {}
    for folder_id, files, size_bytes in current:
        mine = sums.setdefault(folder_id, [0, 0, 0])
        mine[0] += files
        mine[1] += size_bytes
    for among, freed_bytes in needed:
        common = _find_common([ways[one] for one in among if one in ways])
        if common:
            sums.setdefault(common, [0, 0, 0])[2] += freed_bytes
    for folder_id in sorted(folders, key=lambda one: len(ways[one]), reverse=True):
        parent_id = folders[folder_id].parent_id
        mine = sums.get(folder_id, [0, 0, 0])
        if any(mine) and parent_id in folders:
            above = sums.setdefault(parent_id, [0, 0, 0])
            for place, amount in enumerate(mine):
                above[place] += amount
    return [Fill(folders[one], *amounts) for one, amounts in sums.items() if any(amounts)]


def _find_way(
    folder_id: int, folders: Mapping[int, Folder], ways: dict[int, tuple[int, ...]]
) -> None:
    """The folders from the root down to this one, for it and all above it."""
    unknown: list[int] = []
    while folder_id not in ways and folder_id in folders and len(unknown) <= len(folders):
        unknown.append(folder_id)
        folder_id = folders[folder_id].parent_id
    way = ways.get(folder_id, ())
    for one in reversed(unknown):
        way = ways[one] = (*way, one)


def _find_common(ways: Sequence[tuple[int, ...]]) -> int:
    """The deepest folder that all these ways lead through; 0 for none."""
    common = 0
    for level in zip(*ways, strict=False):
        if any(one != level[0] for one in level):
            break
        common = level[0]
    return common
