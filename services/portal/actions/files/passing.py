"""What an archive's making keeps until its end: in memory while it is short, then on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from libs.shared.passing_files import discard, room_told

SPOOL_BYTES = 1024 * 1024


class Passing:
    """A passing file, which goes with the archive.

    Where the disk takes no more, all methods but `close` raise NoRoom, and the log says so.
    """

    def __init__(self) -> None:
        self._spool = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - lives as long as this

    def write(self, piece: bytes) -> None:
        """Adds to its end."""
        with room_told():
            self._spool.write(piece)

    def size(self) -> int:
        """How many bytes were written."""
        return self._spool.tell()

    def read(self) -> Iterator[bytes]:
        """All that was written, piece by piece."""
        with room_told():
            self._spool.seek(0)
        while piece := self._spool.read(SPOOL_BYTES):
            yield piece

    def close(self) -> None:
        """Removes it; what could not be written any more goes as well."""
        discard(self._spool)
