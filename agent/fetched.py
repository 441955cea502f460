"""The server's list of a plan's last restore point, brought into the order of the walk."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from agent import records
from agent.records import Record
from libs.shared.entries import Entry, FolderDelta

_encode = msgspec.msgpack.Encoder().encode
_entries_decoder = msgspec.msgpack.Decoder(list[Entry])

Place = tuple[bytes, bytes, int, int]


def write_records(batches: Iterable[list[FolderDelta]], file: Path) -> None:
    """Sort the folders of a streamed list into a file of records; holds only their paths."""
    with tempfile.TemporaryFile(dir=file.parent) as spool:
        places: list[Place] = []
        offset = 0
        for delta in itertools.chain.from_iterable(batches):
            body = _encode(delta.upserts)
            spool.write(body)
            places.append((records.order_of(delta.folder), delta.folder, offset, len(body)))
            offset += len(body)
        places.sort()
        records.write_sorted(file, _sorted_records(spool, places))


def _sorted_records(spool: IO[bytes], places: list[Place]) -> Iterator[Record]:
    for path, parts in itertools.groupby(places, key=lambda place: place[1]):
        entries: list[Entry] = []
        for _, _, offset, length in parts:
            spool.seek(offset)
            entries += _entries_decoder.decode(spool.read(length))
        pairs = sorted(map(records.row_of_entry, entries))
        yield records.record_of(path, [row for row, _ in pairs], [held for _, held in pairs])
