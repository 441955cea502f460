"""Reading one file: its chunks, and whether it held still while it was read."""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Callable
from typing import NamedTuple

from blake3 import blake3

from agent.platforms import SYSTEM, extended, folders
from agent.walking import holes
from agent.walking.tree import Row, row_of
from libs.shared.batches import MAX_BATCH_BYTES
from libs.shared.packs import MAX_CUT_BYTES, WHOLE_BELOW_BYTES, Chunker
from libs.shared.packs.cutting import Readable

LARGEST_CHUNK_LIST_BYTES = MAX_BATCH_BYTES - 1024 * 1024
# Of a file that is said to be empty and isn't, as in /proc: nothing tells where it ends.
MOST_UNTOLD_BYTES = 1_000_000_000
# Stands for the ctime of what the next run must read again: no file has it.
READ_AGAIN = -1
# How long a file system's clock may stand still: by the kernel's ticks, or where it knows whole
# seconds only (FAT: every second one).
TICK_NS, COARSE_TICK_NS = 100_000_000, 3_000_000_000
# The kernel's own files refuse buffers of several megabytes.
_READ_BYTES = 1024 * 1024
_SECOND_NS = 1_000_000_000
# The clock of a file server may be ahead of ours; a date far from now says nothing.
_MOST_AHEAD_NS = 86_400 * _SECOND_NS

Offer = Callable[[bytes, bytes | memoryview], None]


class FileGone(Exception):
    """The file vanished, or is no regular file any more."""


def settled(row: Row, read_ns: int) -> Row:
    """The row to remember of what was read from a moment on, our clock's time in ns.

    What changed just before may change again without that its times tell: it is read again.
    """
    if _is_fresh(row[5], read_ns) or _is_fresh(row[4], read_ns):
        return (*row[:5], READ_AGAIN, *row[6:])
    return row


def _is_fresh(changed_ns: int, read_ns: int) -> bool:
    tick_ns = TICK_NS if changed_ns % _SECOND_NS else COARSE_TICK_NS
    return read_ns - tick_ns < changed_ns < read_ns + _MOST_AHEAD_NS


class ReadFile(NamedTuple):
    """A file that was read: the row to remember, its chunk ids, its state after the reading.

    has_changed: while it was read, twice. attributes: or why they can't be had.
    """

    row: Row
    chunks: bytes
    has_changed: bool
    status: os.stat_result
    attributes: dict[bytes, bytes] | OSError


class FileReader:
    """Reads files below a folder's descriptor and offers their chunks.

    `offer(chunk_id, content)` is called for each chunk in order; a memoryview is only valid
    during the call.
    """

    def __init__(self, chunk_key: bytes, offer: Offer) -> None:
        self._key = chunk_key
        self._chunker = Chunker(chunk_key)
        self._offer = offer
        self._zeros: dict[int, bytes] = {}

    def read(self, folder: int, row: Row) -> ReadFile:
        """Read it up to the size that it has; twice if it changed meanwhile.

        Raises FileGone, or OSError when it can't be read.
        """
        name, _, inode, size, mtime_ns, *_ = row
        read_ns = time.time_ns()
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
                    digest = b""
                    if content:
                        digest = blake3(content, key=self._key).digest()
                        self._offer(digest, content)
                    return ReadFile(
                        settled(row, read_ns), digest, False, status, _attributes(descriptor)
                    )
            return self._read_carefully(descriptor, row)
        finally:
            os.close(descriptor)

    def _read_carefully(self, descriptor: int, listed: Row) -> ReadFile:
        name = listed[0]
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise FileGone
        row = row_of(name, before)
        ids, held = b"", 0
        for _ in range(2):
            read_ns = time.time_ns()
            os.lseek(descriptor, 0, os.SEEK_SET)
            ids, held = self._read_chunks(descriptor, row[3], holes.may_have(before))
            after = os.fstat(descriptor)
            if row[3:5] == row_of(name, after)[3:5]:
                if held == row[3]:
                    if SYSTEM == "windows":
                        # An open file tells no ctime there.
                        row = (*row[:5], listed[5], *row[6:])
                    return ReadFile(
                        settled(row, read_ns), ids, False, after, _attributes(descriptor)
                    )
                if row[3] == 0:
                    is_cut = held == MOST_UNTOLD_BYTES
                    row = (*row[:3], held, row[4], READ_AGAIN, *row[6:])
                    return ReadFile(row, ids, is_cut, after, _attributes(descriptor))
            row = row_of(name, after)
        row = (*row[:3], held, row[4], READ_AGAIN, *row[6:])
        return ReadFile(row, ids, True, after, _attributes(descriptor))

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

    def _read_chunks(self, descriptor: int, size: int, has_holes: bool) -> tuple[bytes, int]:
        """A file up to the size that it had: one that grows as it is read has no end."""
        with io.FileIO(descriptor, closefd=False) as file:
            if not has_holes:
                return self.read_stream(_UpTo(file, size or MOST_UNTOLD_BYTES))
            ids, held = b"", 0
            for start, end, is_hole in holes.pieces(descriptor, size):
                if is_hole:
                    more, length = self._name_zeros(end - start), end - start
                else:
                    os.lseek(descriptor, start, os.SEEK_SET)
                    more, length = self.read_stream(_UpTo(file, end - start))
                ids, held = ids + more, held + length
                if held < end:
                    break  # it became shorter
            return ids, held

    def _name_zeros(self, size: int) -> bytes:
        """The chunks of a hole, which is not read."""
        ids = []
        for length in (*[MAX_CUT_BYTES] * (size // MAX_CUT_BYTES), size % MAX_CUT_BYTES):
            if length and length not in self._zeros:
                zeros = bytes(length)
                self._zeros[length] = blake3(zeros, key=self._key).digest()
                self._offer(self._zeros[length], zeros)
            if length:
                ids.append(self._zeros[length])
        return b"".join(ids)


def _attributes(descriptor: int) -> dict[bytes, bytes] | OSError:
    try:
        return extended.read(descriptor)
    except OSError as error:
        return error


class _UpTo:
    """The first bytes of a file."""

    def __init__(self, file: io.FileIO, most_bytes: int) -> None:
        self._file, self._left = file, most_bytes

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on, never past the last of the bytes."""
        count = self._file.readinto(buffer[: min(self._left, _READ_BYTES)]) or 0
        self._left -= count
        return count
