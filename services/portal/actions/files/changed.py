"""The list of names that an archive holds under others."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

from services.portal.rules.files import names

SPOOL_BYTES = 1024 * 1024
_INTRODUCTION = (
    "Names that this archive can't safely hold were changed. Each line: the name in this archive, "
    "a tab, the original bytes percent-encoded.\r\n"
    "Les noms que cette archive ne peut pas contenir sans risque ont été modifiés. Chaque ligne : "
    "le nom dans cette archive, une tabulation, les octets d'origine encodés en pourcent.\r\n\r\n"
)


class ChangedNames:
    """A file that grows with each name; none while there is no such name."""

    def __init__(self) -> None:
        self._spool = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - lives as long as this
        self.size = 0
        self.crc32 = 0

    def note(self, name: str, path: bytes) -> None:
        """Adds a line."""
        line = f"{name}\t{names.quoted(path)}\r\n".encode("utf-8", "backslashreplace")
        if not self.size:
            line = _INTRODUCTION.encode() + line
        self.size += len(line)
        self.crc32 = zlib.crc32(line, self.crc32)
        self._spool.write(line)

    def read(self) -> Iterator[bytes]:
        """All of it, piece by piece."""
        return read_back(self._spool)

    def close(self) -> None:
        """Removes the file."""
        self._spool.close()


def read_back(spool: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    """What was written to a passing file, piece by piece."""
    spool.seek(0)
    while piece := spool.read(SPOOL_BYTES):
        yield piece
