"""The server's list of a plan's last restore point, brought into the order of the walk."""

from __future__ import annotations

import http.client
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from agent.server.connection import StreamCut
from agent.walking import records
from agent.walking.records import Record
from libs.shared.entries import Entry, FolderDelta

_encode = msgspec.msgpack.Encoder().encode
_entries_decoder = msgspec.msgpack.Decoder(list[Entry])

# A folder in more parts than this is large, and its parts come by name (docs/protocol.md).
_PARTS_SORTED = 8

Place = tuple[bytes, bytes, int, int]


class DiskFailed(Exception):
    """The list can't be kept on disk; says why."""


def write_records(batches: Iterable[list[FolderDelta]], file: Path) -> None:
    """Sort the folders of a streamed list into a file of records; holds only their paths.

    DiskFailed where the disk does not take them, StreamCut where the stream breaks off.
    """
    try:
        with tempfile.TemporaryFile(dir=file.parent) as spool:
            places: list[Place] = []
            offset = 0
            for delta in _told(batches):
                body = _encode(delta.upserts)
                spool.write(body)
                places.append((records.order_of(delta.folder), delta.folder, offset, len(body)))
                offset += len(body)
            places.sort()
            records.write_sorted(file, _sorted_records(spool, places))
    except OSError as error:
        raise DiskFailed(error.strerror or str(error)) from error


def _told(batches: Iterable[list[FolderDelta]]) -> Iterator[FolderDelta]:
    """What the server sends, its errors apart from those of the disk."""
    try:
        yield from itertools.chain.from_iterable(batches)
    except (OSError, http.client.HTTPException) as error:
        raise StreamCut(str(error) or type(error).__name__) from error


def _sorted_records(spool: IO[bytes], places: list[Place]) -> Iterator[Record]:
    for path, grouped in itertools.groupby(places, key=lambda place: place[1]):
        parts = list(grouped)
        at_once = len(parts) if len(parts) <= _PARTS_SORTED else 1
        for at in range(0, len(parts), at_once):
            entries: list[Entry] = []
            for _, _, offset, length in parts[at : at + at_once]:
                spool.seek(offset)
                entries += _entries_decoder.decode(spool.read(length))
            pairs = sorted(map(records.row_of_entry, entries))
            more = at + at_once < len(parts)
            rows, contents = [row for row, _ in pairs], [held for _, held in pairs]
            yield records.record_of(path, rows, contents, more)
