"""What folders come to after a run (docs/decisions/0037)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from libs.shared.proofs import MODULUS, Prover


class Folder(NamedTuple):
    """A folder that a run may change: where it lies, and what it came to before."""

    parent_id: int
    name: bytes
    digest: int


def settle(
    changes: Mapping[int, int], folders: Mapping[int, Folder], prover: Prover
) -> dict[int, int]:
    """Returns the digests of the folders that a run changed, up to the root.

    changes: by how much the entries of each folder came to more. folders: those and all above.
    """
    sums = dict(changes)
    depths: dict[int, int] = {}
    for folder_id in folders:
        _find_depth(folder_id, folders, depths)
    settled: dict[int, int] = {}
    for folder_id in sorted(folders, key=lambda one: depths[one], reverse=True):
        parent_id, name, before = folders[folder_id]
        after = (before + sums.get(folder_id, 0)) % MODULUS
        if after == before:
            continue
        settled[folder_id] = after
        more = prover.folder(name, after) - prover.folder(name, before)
        sums[parent_id] = sums.get(parent_id, 0) + more
    return settled


def _find_depth(folder_id: int, folders: Mapping[int, Folder], depths: dict[int, int]) -> None:
    way = []
    while folder_id in folders and folder_id not in depths:
        way.append(folder_id)
        folder_id = folders[folder_id].parent_id
    depth = depths.get(folder_id, 0)
    for one in reversed(way):
        depth += 1
        depths[one] = depth
