"""Reading one file: its chunks, and whether it held still while it was read."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable

from blake3 import blake3

from agent.platforms import folders
from agent.walking.tree import Row, row_of
from libs.shared.entries import MAX_BATCH_BYTES
from libs.shared.packs import WHOLE_BELOW_BYTES, Chunker
from libs.shared.packs.cutting import Readable

LARGEST_CHUNK_LIST_BYTES = MAX_BATCH_BYTES - 1024 * 1024

Offer = Callable[[bytes, bytes | memoryview], None]


class FileGone(Exception):
    """The file vanished, or is no regular file any more."""


class FileReader:
    """Reads files below a folder's descriptor and offers their chunks.

    `offer(chunk_id, content)` is called for each chunk in order; a memoryview is only valid
    during the call.
    """

    def __init__(self, chunk_key: bytes, offer: Offer) -> None:
        self._key = chunk_key
        self._chunker = Chunker(chunk_key)
        self._offer = offer

    def read(self, folder: int, row: Row) -> tuple[Row, bytes, bool]:
        """(row as read, chunk ids, whether it changed while it was read, twice).

        Raises FileGone, or OSError when it can't be read.
        """
        name, _, inode, size, mtime_ns, *_ = row
        if size == 0:
            return row, b"", False
        descriptor = folders.open_file(name, folder)
        try:
            if size < WHOLE_BELOW_BYTES:
                content = os.read(descriptor, size + 1)
                status = os.fstat(descriptor)
                if (
                    len(content) == size == status.st_size
                    and status.st_mtime_ns == mtime_ns
                    and status.st_ino == inode
                ):
                    digest = blake3(content, key=self._key).digest()
                    self._offer(digest, content)
                    return row, digest, False
            return self._read_carefully(descriptor, row)
        finally:
            os.close(descriptor)

    def _read_carefully(self, descriptor: int, row: Row) -> tuple[Row, bytes, bool]:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise FileGone
        row = row_of(row[0], before)
        ids, held = b"", 0
        for _ in range(2):
            os.lseek(descriptor, 0, os.SEEK_SET)
            ids, held = self._read_chunks(descriptor)
            after = os.fstat(descriptor)
            if held == row[3] == after.st_size and row[4] == after.st_mtime_ns:
                return row, ids, False
            row = row_of(row[0], after)
        # Without a ctime of its own the row never looks unchanged: the next run reads again.
        return (*row[:3], held, row[4], 0, *row[6:]), ids, True

    def read_stream(self, file: Readable) -> tuple[bytes, int]:
        """Cut and offer whatever gives bytes: (chunk ids, size)."""
        ids: list[bytes] = []
        held = 0
        for chunk in self._chunker.cut(file):
            digest = blake3(chunk, key=self._key).digest()
            self._offer(digest, chunk)
            ids.append(digest)
            held += len(chunk)
        return b"".join(ids), held

    def _read_chunks(self, descriptor: int) -> tuple[bytes, int]:
        with io.FileIO(descriptor, closefd=False) as file:
            return self.read_stream(file)
