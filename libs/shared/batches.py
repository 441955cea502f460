"""Batches: deltas of many folders as they travel, and what is wrong in them.

A batch on the wire is one zstd frame of MessagePack (docs/protocol.md, section 5).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NamedTuple

import msgspec
import zstandard

from libs.shared import errors
from libs.shared.entries import (
    MAX_NAME_BYTES,
    Entry,
    EntryFault,
    EntryRejected,
    FolderDelta,
    find_bad_name,
    find_fault,
    find_folder_fault,
    join,
)
from libs.shared.reasons import Reason

MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_BATCH_PLAIN_BYTES = 64 * 1024 * 1024
MAX_BATCH_ENTRIES = 50_000

_MAX_WINDOW_BYTES = 8 * 1024 * 1024
# What an entry takes beside its name, target and chunks: seven short members.
_ENTRY_BYTES = 64

_NO_NAME = EntryFault("this is no name of a file", Reason("name-invalid"))
_NAME_TOO_LONG = EntryFault(f"a name has at most {MAX_NAME_BYTES} bytes", Reason("name-over-limit"))
_TWICE = EntryFault("a name appears twice in this folder's changes", Reason("name-invalid"))

UNREADABLE = Entry(b"", "f", 0, 0, 0, 0, 0, b"", b"")
"""Stands for an entry that can't be read as one."""


class _Counted(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A FolderDelta of which only the number of entries is wanted."""

    folder: msgspec.Raw
    upserts: msgspec.Raw
    removed: msgspec.Raw


class _Loose(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A FolderDelta of which each entry is read on its own."""

    folder: bytes
    upserts: list[msgspec.Raw]
    removed: list[bytes]


# Folders with nothing in them do not count as entries, and cost as much.
_CountedFolders = Annotated[list[_Counted], msgspec.Meta(max_length=MAX_BATCH_ENTRIES)]


class BatchPlace(NamedTuple):
    """Where an entry stands in a batch: in which delta, and at which of its upserts, after which
    its removed names are counted on; entry None for all of that folder."""

    folder: int
    entry: int | None


Faults = dict[BatchPlace, EntryFault]
"""What can't be kept of a batch, each with what is wrong with it."""


class BatchRejected(errors.Refusal):
    """A batch that can't be read as one."""

    code = "batch-malformed"
    status = 422
    title = "The batch of entries can't be read"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def detail(self) -> str:
        return f"The batch of entries can't be read: {self.reason}."


class _Codecs(threading.local):
    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=3)
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        self.encoder = msgspec.msgpack.Encoder()
        self.decoder = msgspec.msgpack.Decoder(list[FolderDelta])
        self.counter = msgspec.msgpack.Decoder(_CountedFolders)
        self.loose = msgspec.msgpack.Decoder(list[_Loose])
        self.one = msgspec.msgpack.Decoder(Entry)


_codecs = _Codecs()


def encode_batch(deltas: Sequence[FolderDelta]) -> bytes:
    """A batch as it travels."""
    return _codecs.compressor.compress(_codecs.encoder.encode(on_wire(deltas)))


def on_wire(deltas: Iterable[FolderDelta]) -> list[tuple[Any, ...]]:
    """Deltas as they are encoded."""
    return [(one.folder, list_members(one.upserts), one.removed) for one in deltas]


def list_members(found: Iterable[Entry]) -> list[tuple[Any, ...]]:
    """The members that each entry has on the wire."""
    as_tuple = msgspec.structs.astuple
    return [as_tuple(one) if one.attributes else as_tuple(one)[:-1] for one in found]


def decode_batch(body: bytes | bytearray | memoryview) -> list[FolderDelta]:
    """The batch in a body, of bounded size; BatchRejected if it is none. Not yet checked."""
    with _rejecting():
        return _codecs.decoder.decode(_plain_of(body))


def decode_foreign_batch(body: bytes | bytearray | memoryview) -> list[FolderDelta]:
    """The batch in an agent's body; BatchRejected if it is none. Not yet checked.

    `UNREADABLE` stands for what is none of an entry's forms: no check lets it pass.
    """
    with _rejecting():
        plain = _plain_of(body)
        try:
            return _codecs.decoder.decode(plain)
        except msgspec.ValidationError:
            return [
                FolderDelta(one.folder, [*map(_read_entry, one.upserts)], one.removed)
                for one in _codecs.loose.decode(plain)
            ]


@contextmanager
def _rejecting() -> Iterator[None]:
    try:
        yield
    except (zstandard.ZstdError, msgspec.MsgspecError, RecursionError) as error:
        raise BatchRejected(str(error)) from error


def _plain_of(body: bytes | bytearray | memoryview) -> bytes:
    if len(body) > MAX_BATCH_BYTES:
        raise BatchRejected(f"it has {len(body)} bytes, {MAX_BATCH_BYTES} are allowed")
    plain = decompress(body, MAX_BATCH_PLAIN_BYTES)
    _check_count(plain)
    return plain


def _read_entry(packed: msgspec.Raw) -> Entry:
    try:
        return _codecs.one.decode(packed)
    except msgspec.ValidationError:
        return UNREADABLE


def _check_count(plain: bytes) -> None:
    """Count entries by the heads of their lists alone: a body of a megabyte may hold millions."""
    count = 0
    for counted in _codecs.counter.decode(plain):
        count += _length_of(counted.upserts) + _length_of(counted.removed)
        if count > MAX_BATCH_ENTRIES:
            raise BatchRejected(f"it has more than {MAX_BATCH_ENTRIES} entries")


def _length_of(packed: msgspec.Raw) -> int:
    """How many members a MessagePack array says that it has; 0 for what is none."""
    head = bytes(memoryview(packed)[:5])
    if 0x90 <= head[0] <= 0x9F:
        return head[0] & 0x0F
    width = {0xDC: 2, 0xDD: 4}.get(head[0], 0)
    return int.from_bytes(head[1 : 1 + width], "big")


def decompress(body: bytes | bytearray | memoryview, max_bytes: int) -> bytes:
    """The content of exactly one zstd frame, of bounded size; ZstdError if it is none."""
    # For a frame that declares its content the library allocates that much, and its own limit of
    # the window holds for streams alone: look first.
    frame = zstandard.get_frame_parameters(body)
    if max_bytes < frame.content_size != zstandard.CONTENTSIZE_UNKNOWN:
        raise zstandard.ZstdError(f"it unpacks to {frame.content_size} bytes")
    if frame.window_size > _MAX_WINDOW_BYTES:
        raise zstandard.ZstdError(f"its window has {frame.window_size} bytes")
    return _codecs.decompressor.decompress(body, max_output_size=max_bytes, allow_extra_data=False)


def cut_deltas(
    folders: Iterable[tuple[bytes, list[Entry]]], most_bytes: int
) -> Iterator[list[FolderDelta]]:
    """Entries by folder, cut so that no part is much longer unless a single entry is.

    A folder that is cut goes on in the next part.
    """
    part: list[FolderDelta] = []
    filled = 0
    for folder, entries in folders:
        begin = 0
        filled += len(folder)
        for place, entry in enumerate(entries):
            weight = weight_of(entry)
            if filled + weight > most_bytes and (part or place > begin):
                if place > begin:
                    part.append(FolderDelta(folder, entries[begin:place], []))
                yield part
                part, begin, filled = [], place, len(folder)
            filled += weight
        part.append(FolderDelta(folder, entries[begin:], []))
    if part:
        yield part


def weight_of(entry: Entry) -> int:
    """About how many bytes an entry takes before it is compressed."""
    weight = _ENTRY_BYTES + len(entry.name) + len(entry.target) + len(entry.chunks)
    return weight + len(entry.attributes)


def check_batch(deltas: Sequence[FolderDelta]) -> int:
    """Check every path and entry of a batch; returns how many entries it changes.

    Raises EntryRejected naming the first entry that breaks a rule of docs/protocol.md.
    """
    for place, fault in find_faults(deltas).items():
        raise EntryRejected(path_at(deltas, place), fault)
    return count_entries(deltas)


def count_entries(deltas: Iterable[FolderDelta]) -> int:
    """How many entries a batch changes."""
    return sum(len(delta.upserts) + len(delta.removed) for delta in deltas)


def find_faults(deltas: Sequence[FolderDelta]) -> Faults:
    """Every entry of a batch that breaks a rule of docs/protocol.md; BatchRejected for too many."""
    if count_entries(deltas) > MAX_BATCH_ENTRIES:
        raise BatchRejected(f"it has more than {MAX_BATCH_ENTRIES} entries")
    faults: Faults = {}
    for at, delta in enumerate(deltas):
        if (fault := find_folder_fault(delta.folder)) is not None:
            faults[BatchPlace(at, None)] = fault
            continue
        names = {entry.name for entry in delta.upserts}
        names.update(delta.removed)
        is_told_twice = len(names) != len(delta.upserts) + len(delta.removed)
        if is_told_twice or find_bad_name(names) is not None:
            _find_name_faults(at, delta, faults)
        for number, entry in enumerate(delta.upserts):
            if (fault := find_fault(entry)) is not None:
                faults.setdefault(BatchPlace(at, number), fault)
    return faults


def path_at(deltas: Sequence[FolderDelta], place: BatchPlace) -> bytes:
    """The path that stands at a place of a batch."""
    delta, number = deltas[place.folder], place.entry
    if number is None:
        return delta.folder
    upserts = len(delta.upserts)
    name = delta.removed[number - upserts] if number >= upserts else delta.upserts[number].name
    return join(delta.folder, name)


def without(deltas: list[FolderDelta], faults: Faults) -> list[FolderDelta]:
    """What is left of a batch without these."""
    if not faults:
        return deltas
    return [
        FolderDelta(
            delta.folder,
            [one for at, one in enumerate(delta.upserts) if BatchPlace(folder, at) not in faults],
            [
                one
                for at, one in enumerate(delta.removed, len(delta.upserts))
                if BatchPlace(folder, at) not in faults
            ],
        )
        for folder, delta in enumerate(deltas)
        if BatchPlace(folder, None) not in faults
    ]


def _find_name_faults(at: int, delta: FolderDelta, faults: Faults) -> None:
    names = [*(entry.name for entry in delta.upserts), *delta.removed]
    often = Counter(names)
    for number, name in enumerate(names):
        if number < len(delta.upserts) and delta.upserts[number] is UNREADABLE:
            faults[BatchPlace(at, number)] = EntryFault("it can't be read as an entry")
        elif find_bad_name([name]) is not None:
            faults[BatchPlace(at, number)] = (
                _NO_NAME if len(name) <= MAX_NAME_BYTES else _NAME_TOO_LONG
            )
        elif often[name] > 1:
            faults[BatchPlace(at, number)] = _TWICE
