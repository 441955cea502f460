"""Chunks wanted next, put into the order in which they lie in packs and cut into orders."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agent.restore.orders import Chunk, Order, Target
from libs.shared.entries import Entry
from libs.shared.restores import PlacedChunk

FIRST_PIECES = 1_000
MOST_PIECES = 12_000
MOST_BYTES = 1 << 30
ORDER_BYTES = 16 << 20
LAST_ORDER_BYTES = 5 << 20
ORDER_CHUNKS = 4_096
_WHOLE_ORDER_BYTES = 96 << 20


class Planned(msgspec.Struct, eq=False, gc=False):
    """A file to be written; a large one has a number, and was there in part if `is_kept`."""

    folder: bytes
    is_fresh: bool
    entry: Entry
    number: int = 0
    is_kept: bool = False


class Window:
    """Gathers pieces of files; only what describes them is held, never contents."""

    def __init__(self) -> None:
        self._wanted: dict[bytes, tuple[PlacedChunk, list[tuple[Planned, int]]]] = {}
        self._pieces = 0
        self._bytes = 0
        # The first is small, so that workers have something to do soon.
        self._room = FIRST_PIECES

    @property
    def is_full(self) -> bool:
        """Should orders be made of it now?"""
        return self._pieces >= self._room or self._bytes >= MOST_BYTES

    def add(self, file: Planned, place: PlacedChunk, offset: int) -> None:
        """A chunk of a file is wanted."""
        known = self._wanted.get(place.chunk_id)
        if known is None:
            self._wanted[place.chunk_id] = (place, [(file, offset)])
            self._bytes += place.size
        else:
            known[1].append((file, offset))
        self._pieces += 1

    def empty(self, *, is_last: bool = False) -> list[bytes]:
        """Orders for all of it, as they travel; the window begins anew.

        The last ones are small, so that all workers end at about the same time.
        """
        in_order = sorted(self._wanted.values(), key=_position)
        self._wanted, self._pieces, self._bytes = {}, 0, 0
        self._room = min(self._room * 2, MOST_PIECES)
        encoder = msgspec.msgpack.Encoder()
        parts = _parts(in_order, LAST_ORDER_BYTES if is_last else ORDER_BYTES)
        return [encoder.encode(_order(part)) for part in parts]


_Wanted = tuple[PlacedChunk, list[tuple[Planned, int]]]


def _parts(in_order: list[_Wanted], order_bytes: int) -> Iterator[list[_Wanted]]:
    part: list[_Wanted] = []
    stored = plain = 0
    frame = (-1, -1)
    for one in in_order:
        place = one[0]
        # Its frame comes once, with the first of its chunks.
        length = 0 if (place.pack_no, place.offset) == frame else place.length
        if part and (
            stored + length > order_bytes
            or plain + place.size > _WHOLE_ORDER_BYTES
            or len(part) >= ORDER_CHUNKS
        ):
            yield part
            part, stored, plain, length = [], 0, 0, place.length
        frame = (place.pack_no, place.offset)
        part.append(one)
        stored += length
        plain += place.size
    if part:
        yield part


def _position(wanted: _Wanted) -> tuple[int, int, int]:
    place = wanted[0]
    return place.pack_no, place.offset, place.start


def _order(part: list[_Wanted]) -> Order:
    folders: dict[bytes, int] = {}
    numbers: dict[int, int] = {}
    order = Order([], [], [])
    files, chunks = order.files, order.chunks
    for place, uses in part:
        found = []
        for file, offset in uses:
            number = numbers.get(file.number) if file.number else None
            if number is None:
                number = len(files)
                if file.number:
                    numbers[file.number] = number
                folder = folders.get(file.folder)
                if folder is None:
                    folder = folders[file.folder] = len(order.folders)
                    order.folders.append((file.folder, file.is_fresh))
                entry = file.entry
                # A huge file's list of chunks would go along with each of its pieces.
                bare = Entry(entry.name, "f", entry.mode, entry.mtime_ns, entry.uid, entry.gid,
                             entry.size, b"", b"", entry.attributes)  # fmt: skip
                files.append(Target(folder, bare, file.number, file.is_kept))
            found.append((number, offset))
        chunks.append(Chunk(place, found))
    return order
