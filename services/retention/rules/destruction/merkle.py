"""The Merkle root over an inventory, as RFC 9162 (section 2.1) has it, in memory that hardly grows.

A leaf is the canonical JSON of [key, version, size in bytes]; leaves come in the order of the
inventory (docs/certificate.md).
"""

from __future__ import annotations

import hashlib

from libs.shared import certificates

_LEAF, _NODE = b"\x00", b"\x01"


def hash_leaf(key: str, version_id: str, size_bytes: int) -> bytes:
    """The hash of one line of an inventory."""
    return hashlib.sha256(_LEAF + certificates.canonical([key, version_id, size_bytes])).digest()


class MerkleTree:
    """Takes leaves one after the other; keeps one hash for each whole subtree, as bits of a count.

    Of n leaves these are log2(n) at most.
    """

    def __init__(self) -> None:
        self.leaves = 0
        self._whole: list[bytes] = []  # of subtrees, the largest first

    def add(self, leaf: bytes) -> None:
        """Takes the next leaf's hash."""
        self._whole.append(leaf)
        count = self.leaves
        while count & 1:
            right, left = self._whole.pop(), self._whole.pop()
            self._whole.append(_join(left, right))
            count >>= 1
        self.leaves += 1

    def root(self) -> bytes:
        """The root over all leaves so far; of none, the hash of nothing."""
        if not self._whole:
            return hashlib.sha256(b"").digest()
        root = self._whole[-1]
        for left in reversed(self._whole[:-1]):
            root = _join(left, root)
        return root


def _join(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
