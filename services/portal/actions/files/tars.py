"""A tar archive that brings back exactly what was copied, but names that lead elsewhere.

GNU headers hold any bytes in names (`@LongLink`), owners and sizes beyond octal; a PAX header
before them holds what they can't, the fraction of a second. GNU tar, bsdtar and Python read both.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from libs.shared.catalogue import EntryRow
from services.portal.actions.files.changed import ChangedNames
from services.portal.rules.files import names

_TYPES = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE}
_BLOCK = tarfile.BLOCKSIZE
_SECOND = 10**9


class Tar:
    """Builds an archive piece by piece."""

    media_type = "application/x-tar"

    def __init__(self) -> None:
        self._shown = names.Shown(names.tar_name)
        self._changed = ChangedNames()

    def begin(self, path: bytes, entry: EntryRow) -> bytes:
        """What comes before an entry's content."""
        name = self._shown.show(path, entry.kind)
        if name != _text(path):
            self._changed.note(name, path)
        header = tarfile.TarInfo(name)
        header.type = _TYPES[entry.kind]
        header.mode = entry.mode
        header.uid = entry.uid
        header.gid = entry.gid
        header.size = entry.size if entry.kind == "f" else 0
        header.mtime = entry.mtime_ns // _SECOND
        header.linkname = _text(entry.target)
        block = header.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        return _fraction(entry.mtime_ns) + block

    def end(self, entry: EntryRow) -> bytes:
        """What comes after an entry's content."""
        return bytes(-entry.size % _BLOCK) if entry.kind == "f" else b""

    def finish(self) -> Iterator[bytes]:
        """The list of changed names, if any, and the end."""
        if size := self._changed.size:
            header = tarfile.TarInfo(names.NAMES_LIST)
            header.size = size
            yield header.tobuf(tarfile.GNU_FORMAT)
            yield from self._changed.read()
            yield bytes(-size % _BLOCK)
        yield bytes(2 * _BLOCK)

    def close(self) -> None:
        """Removes the list."""
        self._changed.close()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _fraction(mtime_ns: int) -> bytes:
    """A PAX header (POSIX.1-2008, pax) with the exact time; none for a whole second.

    GNU tar 1.34 misreads fractions before 1970, its own too, by a second; others don't."""
    if mtime_ns % _SECOND == 0:
        return b""
    sign = "-" if mtime_ns < 0 else ""
    whole, part = divmod(abs(mtime_ns), _SECOND)
    record = _record(f"mtime={sign}{whole}.{part:09d}\n".encode())
    header = tarfile.TarInfo("PaxHeaders/mtime")
    header.type = tarfile.XHDTYPE
    header.size = len(record)
    return header.tobuf(tarfile.USTAR_FORMAT) + record + bytes(-len(record) % _BLOCK)


def _record(body: bytes) -> bytes:
    """A PAX record: its length, which counts itself, a space, the body."""
    length = len(body) + 3
    record = b"%d %s" % (length, body)
    return record if len(record) == length else b"%d %s" % (len(record), body)
