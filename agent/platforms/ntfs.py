"""What Windows answers about files, taken apart; pure functions, named as in its documents."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

# winnt.h
_READ_ONLY, _FOLDER, _REPARSE_POINT = 0x1, 0x10, 0x400
# FILE_STREAM_INFO: NextEntryOffset, StreamNameLength, StreamSize, StreamAllocationSize.
_STREAM = struct.Struct("<IIqq")
# FILE_ID_BOTH_DIR_INFO: NextEntryOffset, FileIndex, CreationTime, LastAccessTime, LastWriteTime,
# ChangeTime, EndOfFile, AllocationSize, FileAttributes, FileNameLength, EaSize (the tag of a
# reparse point), ShortNameLength, ShortName, FileId; the name follows.
_ENTRY = struct.Struct("<II6qIIIbx24s2xq")
DATA = ":$DATA"
"""What a stream of bytes is, in its full name."""
_EPOCH_TICKS = 116_444_736_000_000_000  # of 100 ns, from 1601 to 1970

# SECURITY_DESCRIPTOR: revision, resource manager, control, owner, group, SACL, DACL.
_DESCRIPTOR = struct.Struct("<BBHIIII")
_DACL_PRESENT, _AUTO_INHERIT_REQUESTED, _AUTO_INHERITED = 0x4, 0x100, 0x400
OWNER, GROUP, DACL = 1, 2, 4
"""What of a descriptor is asked for or given: SECURITY_INFORMATION."""


class Status(NamedTuple):
    """What listing a folder tells of an entry, under the names of os.stat_result.

    `st_ctime_ns` is when anything of it changed last, rights and streams included; where the file
    system doesn't count that, when it was made.
    """

    st_mode: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_reparse_tag: int
    st_ino: int = 0
    st_uid: int = 0
    st_gid: int = 0


class NtfsEntry(NamedTuple):
    """An entry of a folder, as os.DirEntry tells it."""

    name: str
    status: Status

    def stat(self, *, follow_symlinks: bool) -> Status:
        """Its state; that of a link is its own."""
        assert not follow_symlinks
        return self.status


def streams_of(buffer: bytes) -> dict[str, int]:
    """The alternate streams with their sizes, of the answer to FileStreamInfo."""
    found = {}
    for at, name in _pieces(buffer, _STREAM, 1):
        plain = name.removeprefix(":")
        if plain.endswith(DATA) and (plain := plain.removesuffix(DATA)):
            found[plain] = _STREAM.unpack_from(buffer, at)[2]
    return found


def entries_of(buffer: bytes) -> Iterator[NtfsEntry]:
    """What lies in a folder, of one answer to FileIdBothDirectoryInfo."""
    for at, name in _pieces(buffer, _ENTRY, 9):
        if name in (".", ".."):
            continue
        fields = _ENTRY.unpack_from(buffer, at)
        created, _, written, changed, size, _, attributes = fields[2:9]
        tag = fields[10] if attributes & _REPARSE_POINT else 0
        mode = stat.S_IFDIR | 0o111 if attributes & _FOLDER else stat.S_IFREG
        mode |= 0o444 if attributes & _READ_ONLY else 0o666
        yield NtfsEntry(
            name, Status(mode, size, unix_ns(written), unix_ns(changed or created), tag)
        )


def _pieces(buffer: bytes, head: struct.Struct, length_at: int) -> Iterator[tuple[int, str]]:
    """(where it begins, its name) of each of the structures that point at the next."""
    at = 0
    while at + head.size <= len(buffer):
        fields = head.unpack_from(buffer, at)
        start = at + head.size
        raw = buffer[start : start + fields[length_at]]
        yield at, raw.decode("utf-16-le", "surrogatepass")
        if not fields[0]:
            return
        at += fields[0]


def unix_ns(ticks: int) -> int:
    """A FILETIME in nanoseconds since 1970."""
    return (ticks - _EPOCH_TICKS) * 100


def parts_of(descriptor: bytes) -> int:
    """Which of OWNER, GROUP and DACL a descriptor has."""
    _, _, control, owner, group, _, _ = _DESCRIPTOR.unpack_from(descriptor)
    dacl = DACL if control & _DACL_PRESENT else 0
    return (OWNER if owner else 0) | (GROUP if group else 0) | dacl


def to_be_set(descriptor: bytes) -> bytes:
    """A descriptor so that Windows keeps of it what it told.

    It takes the mark of inherited rights only from who asks for it.
    """
    control = int.from_bytes(descriptor[2:4], "little")
    if control & _AUTO_INHERITED:
        control |= _AUTO_INHERIT_REQUESTED
    return descriptor[:2] + control.to_bytes(2, "little") + descriptor[4:]
