"""A zip archive, stored and not deflated, written in one pass (APPNOTE 6.3.10).

Size and CRC-32 of every file are known before its content, so nothing is buffered; what the end
of a zip repeats of each entry goes to a temporary file once it is large.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from libs.shared import attributes
from libs.shared.catalogue import EntryRow
from services.portal.actions.files.changed import ChangedNames
from services.portal.actions.files.passing import Passing
from services.portal.rules.files import names

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_END64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<IIQI")

_UTF8 = 0x800
_MADE_ON_UNIX = (3 << 8) | 45
_FULL32 = 0xFFFFFFFF
_FULL16 = 0xFFFF
_TYPES = {"f": stat.S_IFREG, "d": stat.S_IFDIR, "l": stat.S_IFLNK}


class Zip:
    """Builds an archive piece by piece."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._shown = names.ArchivePaths(names.zip_name, for_windows=True)
        self._central = Passing()
        self._changed = ChangedNames()
        self._count = 0
        self._offset = 0

    def enter(self, path: bytes) -> None:
        """A folder that is in the archive by what lies in it alone."""
        name = self._shown.show(path, "d")
        if name.encode() != path:
            self._changed.note(name, path)

    def has_content(self, entry: EntryRow) -> bool:
        """Whether an entry's content follows its beginning: a file's always does."""
        return entry.kind == "f"

    def begin(self, path: bytes, entry: EntryRow) -> bytes:
        """What comes before an entry's content; a symlink's target is in it."""
        if entry.kind not in _TYPES:
            self._changed.note_unheld("left out", path)
            return b""
        if entry.kind == "f" and entry.target:
            self._changed.note_unheld("names", path)
        if attributes.has_of_others(entry.attributes):
            self._changed.note_unheld("attributes", path)
        if attributes.has_of_windows(entry.attributes):
            self._changed.note_unheld("windows", path)
        name = self._shown.show(path, entry.kind)
        if name.encode() != path:
            self._changed.note(name, path)
        crc32, size, body = entry.crc32, entry.size, b""
        if entry.kind == "l":
            body = entry.target
            crc32, size = zlib.crc32(body), len(body)
        if entry.kind == "d":
            name += "/"
        mode = _TYPES[entry.kind] | attributes.mode_of(entry.mode, entry.attributes)
        mtime_ns = attributes.time_of(entry.mtime_ns, entry.attributes)
        return self._header(name, mode, mtime_ns, size, crc32) + body

    def end(self, entry: EntryRow, size: int) -> bytes:  # the other format has something to say
        """Nothing follows a content."""
        return b""

    def finish(self) -> Iterator[bytes]:
        """The list of changed names, if any, and the central directory."""
        self._changed.end()
        if size := self._changed.size:
            crc32 = self._changed.crc32
            yield self._header(names.NAMES_LIST, stat.S_IFREG | 0o644, 0, size, crc32)
            yield from self._changed.read()
        start = self._offset
        size = self._central.size()
        yield from self._central.read()
        yield _end(self._count, start, size)

    def close(self) -> None:
        """Removes the temporary files."""
        self._central.close()
        self._changed.close()

    def _header(self, name: str, mode: int, mtime_ns: int, size: int, crc32: int) -> bytes:
        """The entry's local header; its central one is kept for the end."""
        raw = name.encode()
        day, time = _dos_time(mtime_ns, self._zone)
        # A size or place that 32 bits can't hold goes to an extra field, in both headers.
        large, far = size >= _FULL32, self._offset >= _FULL32
        needs = 45 if large or far else 20
        shown = _FULL32 if large else size
        stamp = _unix_time(mtime_ns)
        sizes = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
        local = _LOCAL.pack(
            0x04034B50, needs, _UTF8, 0, time, day, crc32, shown, shown, len(raw),
            len(sizes) + len(stamp),
        )  # fmt: skip
        wide = (struct.pack("<QQ", size, size) if large else b"") + (
            struct.pack("<Q", self._offset) if far else b""
        )
        extra = (struct.pack("<HH", 1, len(wide)) + wide if wide else b"") + stamp
        central = _CENTRAL.pack(
            0x02014B50, _MADE_ON_UNIX, needs, _UTF8, 0, time, day, crc32, shown, shown,
            len(raw), len(extra), 0, 0, 0,
            (mode << 16) | (0x10 if stat.S_ISDIR(mode) else 0),
            _FULL32 if far else self._offset,
        )  # fmt: skip
        self._central.write(central + raw + extra)
        self._count += 1
        header = local + raw + sizes + stamp
        self._offset += len(header) + size
        return header


def _end(count: int, start: int, size: int) -> bytes:
    """The end of the central directory, in its long form where the short one can't hold it."""
    end = b""
    if count >= _FULL16 or start >= _FULL32 or size >= _FULL32:
        end = _END64.pack(
            0x06064B50, _END64.size - 12, _MADE_ON_UNIX, 45, 0, 0, count, count, size, start
        )
        end += _LOCATOR64.pack(0x07064B50, 0, start + size, 1)
    short = min(count, _FULL16)
    return end + _END.pack(
        0x06054B50, 0, 0, short, short, min(size, _FULL32), min(start, _FULL32), 0
    )


def _dos_time(mtime_ns: int, zone: ZoneInfo) -> tuple[int, int]:
    """(date, time) in MS-DOS form, in the client's time, which begins in 1980 and ends in 2107."""
    seconds = min(max(mtime_ns // 10**9, 315_619_200), 4_354_732_798)
    at = datetime.fromtimestamp(seconds, zone)
    return (
        (at.year - 1980) << 9 | at.month << 5 | at.day,
        at.hour << 11 | at.minute << 5 | at.second // 2,
    )


def _unix_time(mtime_ns: int) -> bytes:
    """The extended-timestamp extra field: the exact second, where 32 bits can hold it."""
    seconds = mtime_ns // 10**9
    if not -(2**31) <= seconds < 2**31:
        return b""
    return struct.pack("<HHBi", 0x5455, 5, 1, seconds)
