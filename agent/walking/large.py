"""Folders with very many entries: taken in slices, so that memory does not grow with them."""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections.abc import Iterable, Iterator

import zstandard

LARGE_FOLDER_ENTRIES = 50_000
_SLICE_ENTRIES = 4_096
_MOST_SLICE_ENTRIES = 20_000
_RUN_NAMES = 50_000
_BLOCK_NAMES = 2_500


class SortedNames:
    """The names of one folder in order, kept packed: sorted runs of compressed blocks."""

    def __init__(self, names: Iterable[bytes]) -> None:
        compressor = zstandard.ZstdCompressor(level=1)
        self._runs: list[list[bytes]] = []
        names = iter(names)
        while run := sorted(itertools.islice(names, _RUN_NAMES)):
            self._runs.append(
                [
                    compressor.compress(b"\0".join(run[at : at + _BLOCK_NAMES]))
                    for at in range(0, len(run), _BLOCK_NAMES)
                ]
            )

    def __iter__(self) -> Iterator[bytes]:
        return heapq.merge(*map(_names_of, self._runs))

    def slices(self) -> Iterator[tuple[list[bytes], bool]]:
        """(some names, whether they are the last).

        Where a slice ends depends on the names alone: one more name changes one slice.
        """
        part: list[bytes] = []
        for name in self:
            if part and (
                zlib.crc32(part[-1]) % _SLICE_ENTRIES == 0 or len(part) >= _MOST_SLICE_ENTRIES
            ):
                yield part, False
                part = []
            part.append(name)
        yield part, True


def _names_of(blocks: list[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield from zstandard.decompress(block).split(b"\0")
