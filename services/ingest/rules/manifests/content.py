"""A fingerprint of what a plan holds, the same in whatever order it is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from blake3 import blake3

_MODULUS = 1 << 256
_encode = msgspec.msgpack.Encoder().encode


class ListedVersion(NamedTuple):
    """A version, and the runs that see it."""

    name: bytes
    kind: str
    mode: int
    mtime_ns: int
    uid: int
    gid: int
    size: int
    target: bytes
    chunk_ids: bytes
    crc32: int
    first_run: int
    last_run: int | None
    attributes: bytes = b""


class Content:
    """The sum of the BLAKE3 hashes of all versions: no order, no memory, no version twice."""

    def __init__(self) -> None:
        self.versions = 0
        self._sum = 0

    def add(self, folder: bytes, versions: Iterable[ListedVersion]) -> None:
        """Adds versions that lie directly in a folder."""
        for version in versions:
            fields = version if version.attributes else version[:-1]
            digest = blake3(_encode((folder, *fields))).digest()
            self._sum = (self._sum + int.from_bytes(digest, "big")) % _MODULUS
            self.versions += 1

    @property
    def digest(self) -> str:
        """64 hexadecimal digits."""
        return f"{self._sum:064x}"
