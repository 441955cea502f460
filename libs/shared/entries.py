"""Entries and deltas: what a run says of its files, as it is kept."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, NamedTuple

import msgspec

from libs.shared import attributes as sets
from libs.shared import errors, packs
from libs.shared.reasons import Reason

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4096
CHUNK_ID_BYTES = 32

_MAX_I64 = 2**63 - 1
MAX_TIME_NS = _MAX_I64
"""The border of an entry's time, also before 1970; what lies beyond is told by an attribute."""
_NO_NAMES = frozenset({b"", b".", b".."})
_NEEDS_TARGET = frozenset("lbc")
_TARGETS = {
    "l": f"a symlink has a target of 1 to {MAX_PATH_BYTES} bytes without NUL",
    "f": "what a file has for a target is a path from the plan's root",
    "b": "a device has a number such as 8:1",
    "c": "a device has a number such as 8:1",
    "d": "a folder has no target",
    "p": "a FIFO has no target",
}
_DEVICE = re.compile(rb"[0-9]{1,10}:[0-9]{1,10}")

Kind = Literal["f", "d", "l", "p", "b", "c"]


class Entry(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """One path: a file, a folder, a symlink, a FIFO ("p"), a block or a character device.

    target: where a symlink leads; a device's number (`8:1`); of a file with several names the path
    of the first from the plan's root, which is equal for all of them.
    chunks: the 32-byte ids of a file's chunks one after the other.
    attributes: what it has beside its mode, as `libs.shared.attributes` writes it; most have
    nothing, and on the wire no such member.
    """

    name: bytes
    kind: Kind
    mode: int
    mtime_ns: int
    uid: int
    gid: int
    size: int
    target: bytes
    chunks: bytes
    attributes: bytes = b""


class FolderDelta(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What changed directly in one folder, given by its path from the plan's root."""

    folder: bytes
    upserts: list[Entry]
    removed: list[bytes]


class EntryFault(NamedTuple):
    """What is wrong with an entry, in words for who programs against the API, and as a reason."""

    words: str
    reason: Reason = Reason("entry-over-limit")


class EntryRejected(errors.Refusal):
    """An entry that can't be kept; the run stays open."""

    code = "entry-invalid"
    status = 422
    title = "An entry can't be accepted"

    def __init__(self, path: bytes, fault: EntryFault) -> None:
        super().__init__(path, fault)
        self.path = path
        self.fault = fault

    @property
    def detail(self) -> str:
        shown = self.path[:300].decode("utf-8", "backslashreplace")
        return f"{shown!r}: {self.fault.words}."


PATH_TOO_LONG = EntryFault(f"a path has at most {MAX_PATH_BYTES} bytes", Reason("name-over-limit"))


def find_bad_name(names: Collection[bytes]) -> bytes | None:
    """One that is no name of a file; all are looked at together, as there are so many."""
    if not names:
        return None
    together = b"".join(names)
    if (
        b"/" not in together
        and b"\0" not in together
        and _NO_NAMES.isdisjoint(names)
        and max(map(len, names)) <= MAX_NAME_BYTES
    ):
        return None
    return next(
        name
        for name in names
        if name in _NO_NAMES or b"/" in name or b"\0" in name or len(name) > MAX_NAME_BYTES
    )


def find_folder_fault(folder: bytes) -> EntryFault | None:
    """What is wrong with a folder's path from the plan's root; None for nothing."""
    if len(folder) > MAX_PATH_BYTES:
        return PATH_TOO_LONG
    if folder and find_bad_name(folder.split(b"/")) is not None:
        return EntryFault("this is no path from the plan's root", Reason("name-invalid"))
    return None


def join(folder: bytes, name: bytes) -> bytes:
    """The path of a name in a folder."""
    return folder + b"/" + name if folder else name


def find_fault(entry: Entry) -> EntryFault | None:
    """What is wrong with an entry beside its name; None for nothing."""
    if not (
        0 <= entry.mode <= 0o7777
        and 0 <= entry.size <= _MAX_I64
        and 0 <= entry.uid <= _MAX_I64
        and 0 <= entry.gid <= _MAX_I64
        and -MAX_TIME_NS <= entry.mtime_ns <= MAX_TIME_NS
    ):
        return EntryFault("mode, size, owner or time is out of range")
    if (entry.target or entry.kind in _NEEDS_TARGET) and not _is_target(entry):
        return EntryFault(_TARGETS[entry.kind], Reason("target-invalid"))
    if entry.attributes and (fault := sets.find_fault(entry.attributes)) is not None:
        return EntryFault(fault, Reason("attributes-invalid"))
    chunk_bytes = len(entry.chunks)
    if entry.kind != "f":
        is_more = entry.size or chunk_bytes
        return EntryFault("only a file has a size and chunks") if is_more else None
    if (
        chunk_bytes % CHUNK_ID_BYTES
        or (entry.size == 0) != (chunk_bytes == 0)
        or chunk_bytes > CHUNK_ID_BYTES * most_chunks(entry.size)
    ):
        return EntryFault(f"{chunk_bytes} bytes of chunk ids for a file of {entry.size} bytes")
    return None


def _is_target(entry: Entry) -> bool:
    target = entry.target
    if entry.kind in "bc":
        return _DEVICE.fullmatch(target) is not None
    if not 1 <= len(target) <= MAX_PATH_BYTES:
        return False
    if entry.kind == "f":
        return find_bad_name(target.split(b"/")) is None
    return entry.kind == "l" and b"\0" not in target


def split_ids(chunks: bytes) -> list[bytes]:
    """Cuts chunk ids that were written one after the other."""
    return [chunks[at : at + CHUNK_ID_BYTES] for at in range(0, len(chunks), CHUNK_ID_BYTES)]


def most_chunks(size: int) -> int:
    """Into how many chunks a file of that many bytes may be cut: all but the last have 256 KiB."""
    return 1 if size < packs.WHOLE_BELOW_BYTES else size // packs.MIN_CUT_BYTES + 1
