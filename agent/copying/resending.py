"""Chunks that the server asks for once more: found in the records, read again, sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from agent.copying.sending import Sender
from agent.dumps import folder
from agent.platforms import folders
from agent.telling.failures import AgentError
from agent.telling.names import shown
from agent.walking import records
from agent.walking.reading import FileGone, FileReader
from agent.walking.tree import FILE, Row
from agent.walking.views import Views
from libs.shared.entries import split_ids
from libs.shared.reasons import Reason


def resend(
    sender: Sender,
    chunk_keys: Sequence[bytes],
    wanted: set[bytes],
    file: Path,
    views: Views,
    *,
    dumps_too: bool = True,
) -> int:
    """Send the wanted chunks of the files that a file of records names; returns how many.

    chunk_keys: all by which chunks were named and cut, the present one first.
    views: from where the plan's folders are read.
    dumps_too: a wanted chunk of a dump is an AgentError, as it can't be read again.
    """
    left = set(wanted)

    def offer(chunk_id: bytes, content: bytes | memoryview) -> None:
        if chunk_id in left:
            left.discard(chunk_id)
            sender.offer(chunk_id, content)

    readers = [FileReader(key, offer) for key in chunk_keys]
    with_wanted = records.Reader(file)
    try:
        for record in with_wanted:
            rows = [row for row, held in records.unpack_record(record) if _needs(row, held, left)]
            if rows and record.path == folder.NAME:
                if dumps_too:
                    raise AgentError(Reason("dump-lost", shown(rows[0][0])))
            elif rows:
                _read_again(readers, views.actual(record.path), rows, left)
    finally:
        with_wanted.close()
    sender.finish()
    return len(wanted) - len(left)


def _needs(row: Row, held: records.Held, wanted: set[bytes]) -> bool:
    content = records.content_of(held)
    return row[1] >> 12 == FILE and not wanted.isdisjoint(split_ids(content))


def _read_again(
    readers: Iterable[FileReader], path: bytes, rows: Iterable[Row], left: set[bytes]
) -> None:
    with suppress(OSError):
        folder = folders.open_absolute(path)
        try:
            for row in rows:
                for reader in readers if left else ():
                    with suppress(OSError, FileGone):
                        reader.read(folder, row)
        finally:
            folders.close(folder)
