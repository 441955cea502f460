"""What an archive's making keeps until its end: in memory while it is short, then on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from libs.shared import logs
from libs.shared.errors import Unavailable

SPOOL_BYTES = 1024 * 1024


class Passing:
    """A passing file, which goes with the archive.

    Where the disk takes no more, all methods but `close` raise Unavailable, and the log says so.
    """

    def __init__(self) -> None:
        self._spool = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - lives as long as this

    def write(self, piece: bytes) -> None:
        """Adds to its end."""
        with _lack_told():
            self._spool.write(piece)

    def size(self) -> int:
        """How many bytes were written."""
        return self._spool.tell()

    def read(self) -> Iterator[bytes]:
        """All that was written, piece by piece."""
        with _lack_told():
            self._spool.seek(0)
        while piece := self._spool.read(SPOOL_BYTES):
            yield piece

    def close(self) -> None:
        """Removes it; what could not be written any more goes as well."""
        try:
            self._spool.close()
        except OSError:
            logs.get().debug("archive.passing_unwritten")


@contextmanager
def _lack_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        logs.get().error(
            "archive.no_room",
            why=str(error),
            advice=f"Make room in {tempfile.gettempdir()}: an archive keeps some 150 bytes there"
            " for each of its files. It was broken off, and can be asked for again.",
        )
        raise Unavailable("disk for passing files") from error
