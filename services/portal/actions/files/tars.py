"""A tar archive that brings back exactly what was copied, but names that lead elsewhere.

GNU headers hold any bytes in names (`@LongLink`), owners and sizes beyond octal; a PAX header
before them holds what they can't: the fraction of a second, attributes and ACLs. GNU tar, bsdtar
and Python read both.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from libs.shared import attributes
from libs.shared.catalogue import EntryRow
from services.portal.actions.files.changed import ChangedNames
from services.portal.rules.files import names

_TYPES = {
    "f": tarfile.REGTYPE,
    "d": tarfile.DIRTYPE,
    "l": tarfile.SYMTYPE,
    "p": tarfile.FIFOTYPE,
    "b": tarfile.BLKTYPE,
    "c": tarfile.CHRTYPE,
}
_ACLS = {attributes.ACL_ACCESS: b"SCHILY.acl.access", attributes.ACL_DEFAULT: b"SCHILY.acl.default"}
_BLOCK = tarfile.BLOCKSIZE
_SECOND = 10**9


class Tar:
    """Builds an archive piece by piece."""

    def __init__(self) -> None:
        self._shown = names.ArchivePaths(names.tar_name)
        self._changed = ChangedNames()
        # Files with several names by what is equal for all of them: the name in the archive.
        self._firsts: dict[tuple[object, ...], str] = {}
        self._announced: set[tuple[object, ...]] = set()

    def enter(self, path: bytes) -> None:
        """A folder that is in the archive by what lies in it alone."""
        name = self._shown.show(path, "d")
        if name != _text(path):
            self._changed.note(name, path)

    def has_content(self, entry: EntryRow) -> bool:
        """Whether an entry's content follows: not that of a file that came under another name."""
        if entry.kind != "f" or not entry.target:
            return entry.kind == "f"
        key = _shared_key(entry)
        is_first = key not in self._announced
        self._announced.add(key)
        return is_first

    def begin(self, path: bytes, entry: EntryRow) -> bytes:
        """What comes before an entry's content."""
        name = self._shown.show(path, entry.kind)
        if name != _text(path):
            self._changed.note(name, path)
        if attributes.has_of_windows(entry.attributes):
            self._changed.note_unheld("windows", path)
        mtime_ns = attributes.time_of(entry.mtime_ns, entry.attributes)
        header = tarfile.TarInfo(name)
        header.type = _TYPES[entry.kind]
        # Whoever unpacks without ACLs must not give the group the mask's rights.
        header.mode = attributes.mode_of(entry.mode, entry.attributes)
        header.uid = entry.uid
        header.gid = entry.gid
        header.mtime = mtime_ns // _SECOND
        if entry.kind == "f":
            self._begin_file(header, name, entry)
        elif entry.kind == "l":
            header.linkname = _text(entry.target)
        elif entry.kind in "bc":
            header.devmajor, header.devminor = map(int, entry.target.split(b":"))
        block = header.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        if header.type == tarfile.LNKTYPE:
            return block
        return _extended(mtime_ns, entry.attributes) + block

    def _begin_file(self, header: tarfile.TarInfo, name: str, entry: EntryRow) -> None:
        header.size = entry.size
        first = self._firsts.setdefault(_shared_key(entry), name) if entry.target else name
        if first != name:
            header.type, header.linkname, header.size = tarfile.LNKTYPE, first, 0

    def end(self, entry: EntryRow, size: int) -> bytes:
        """What comes after an entry's content, of which so many bytes followed."""
        return bytes(-size % _BLOCK)

    def finish(self) -> Iterator[bytes]:
        """The list of changed names and of what is left out, if any, and the end."""
        self._changed.end()
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


def _shared_key(entry: EntryRow) -> tuple[object, ...]:
    """What all names of one file have in common, and those of no other."""
    return entry[2:11]


def _extended(mtime_ns: int, written: bytes) -> bytes:
    """A PAX header (POSIX.1-2008, pax) with the exact time, attributes and ACLs; often none.

    GNU tar 1.34 misreads fractions before 1970, its own too, by a second; others don't."""
    records = b""
    if mtime_ns % _SECOND:
        sign = "-" if mtime_ns < 0 else ""
        whole, part = divmod(abs(mtime_ns), _SECOND)
        records = _record(f"mtime={sign}{whole}.{part:09d}\n".encode())
    for name, value in attributes.read(written).items():
        if name in _ACLS:
            records += _record(b"%s=%s\n" % (_ACLS[name], attributes.acl_text(value).encode()))
        elif name != attributes.TIME and not name.startswith(attributes.OF_WINDOWS):
            # As GNU tar writes such names: the first sign of equality ends one.
            keyword = name.replace(b"%", b"%25").replace(b"=", b"%3D")
            records += _record(b"SCHILY.xattr.%s=%s\n" % (keyword, value))
    if not records:
        return b""
    header = tarfile.TarInfo("PaxHeaders/mtime")
    header.type = tarfile.XHDTYPE
    header.size = len(records)
    return header.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % _BLOCK)


def _record(body: bytes) -> bytes:
    """A PAX record: its length, which counts itself, a space, the body."""
    length = len(body) + 1
    while length != len(body) + 1 + len(str(length)):
        length = len(body) + 1 + len(str(length))
    return b"%d %s" % (length, body)
