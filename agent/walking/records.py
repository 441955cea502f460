"""What a plan looked like at its last restore point, folder by folder, in the order of the walk.

One file: a magic, then frames of zstd of MessagePack, each with some hundred folders.
Reading and writing are streams: memory does not grow with the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard
from blake3 import blake3

from agent.walking.tree import BLOCK, CHARACTER, FIFO, FILE, FOLDER, LINK, Row
from libs.shared import frames
from libs.shared.entries import Entry, Kind
from libs.shared.frames import FrameBroken

MAGIC = b"CFSTATE2"
FRAME_BYTES = 256 * 1024
MAX_FRAME_BYTES = 1 << 31
_KIND_LETTERS: dict[int, Kind] = {
    FILE: "f",
    FOLDER: "d",
    LINK: "l",
    FIFO: "p",
    BLOCK: "b",
    CHARACTER: "c",
}
_KINDS = {letter: kind for kind, letter in _KIND_LETTERS.items()}


class RecordsDamaged(Exception):
    """The file is not what was written; compare with the server's list instead."""


class More(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is held of an entry that has more than most.

    content: as of any other. shared: the path of the first of a file's several names.
    """

    content: bytes
    shared: bytes
    attributes: bytes


Held = bytes | More
"""A file's chunk ids, a symlink's target, a device's number; what else there is beside it."""


class Record(msgspec.Struct, array_like=True, gc=False):
    """One folder: its rows and, in the same order, what is held of each.

    Both are kept encoded, so that an unchanged folder costs one comparison of bytes.
    A large folder has several records, one after the other by name; `more` follow all but the last.
    """

    path: bytes
    rows: bytes
    contents: bytes
    files: int
    size_bytes: int
    more: bool = False


_encode = msgspec.msgpack.Encoder().encode
_rows_decoder = msgspec.msgpack.Decoder(list[Row])
_contents_decoder = msgspec.msgpack.Decoder(list[Held])
_frame_decoder = msgspec.msgpack.Decoder(list[Record])


def encode_rows(rows: Sequence[Row]) -> bytes:
    """Rows as they are kept and compared."""
    return _encode(rows)


def record_of(path: bytes, rows: list[Row], contents: list[Held], more: bool = False) -> Record:
    """The record of a folder, or of a part of it, whose rows are sorted by name."""
    files = [row[3] for row in rows if row[1] >> 12 == FILE]
    return Record(path, _encode(rows), _encode(contents), len(files), sum(files), more)


def unpack_record(record: Record) -> Iterator[tuple[Row, Held]]:
    """(row, what is held) of each entry of a folder."""
    return zip(
        _rows_decoder.decode(record.rows), _contents_decoder.decode(record.contents), strict=True
    )


def content_of(held: Held) -> bytes:
    """A file's chunk ids, a symlink's target, a device's number."""
    return held if isinstance(held, bytes) else held.content


def hold(content: bytes, shared: bytes, attributes: bytes) -> Held:
    """What is held of an entry: of most the content alone."""
    return More(content, shared, attributes) if shared or attributes else content


def entry_of(row: Row, held: Held) -> Entry:
    """An entry as the server keeps it."""
    name, mode, _, size, mtime_ns, _, uid, gid = row
    kind = _KIND_LETTERS[mode >> 12]
    content, target, attributes = content_of(held), b"", b""
    if isinstance(held, More):
        target, attributes = held.shared, held.attributes
    if kind != "f":
        size, target, content = 0, content, b""
    return Entry(name, kind, mode & 0o7777, mtime_ns, uid, gid, size, target, content, attributes)


def row_of_entry(entry: Entry) -> tuple[Row, Held]:
    """The row of an entry of which only the server knows: without inode and ctime."""
    mode = _KINDS[entry.kind] << 12 | entry.mode
    size = len(entry.target) if entry.kind == "l" else entry.size
    row = (entry.name, mode, 0, size, entry.mtime_ns, 0, entry.uid, entry.gid)
    if entry.kind == "f":
        return row, hold(entry.chunks, entry.target, entry.attributes)
    return row, hold(entry.target, b"", entry.attributes)


def order_of(path: bytes) -> bytes:
    """Sorts paths in the order of the walk: a folder, all below it, its next sibling."""
    return path.replace(b"/", b"\0")


class Reader:
    """The records of a file, one after the other, and where we are in it."""

    def __init__(self, file: Path | None) -> None:
        self._file: BinaryIO | None = None
        self._decompressor = zstandard.ZstdDecompressor()
        self.frame: list[Record] = []
        self.position = 0
        self.frame_start = len(MAGIC)
        self._next_frame = len(MAGIC)
        if file is not None:
            self._file = file.open("rb")
            if self._file.read(len(MAGIC)) != MAGIC:
                raise RecordsDamaged(f"{file} is no file of ours")
            self._load()

    @property
    def head(self) -> Record | None:
        """The record that comes next, None at the end."""
        return self.frame[self.position] if self.position < len(self.frame) else None

    def advance(self) -> None:
        """Go on to the next record."""
        self.position += 1
        if self.position == len(self.frame):
            self._load()

    def __iter__(self) -> Iterator[Record]:
        while (record := self.head) is not None:
            yield record
            self.advance()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def copy_passed_frames(self, target: BinaryIO) -> None:
        """Write all frames before the present one to another file, as they are."""
        if self._file is None:
            return
        back = self._file.tell()
        self._file.seek(len(MAGIC))
        left = self.frame_start - len(MAGIC)
        while left and (piece := self._file.read(min(left, 1 << 20))):
            target.write(piece)
            left -= len(piece)
        self._file.seek(back)

    def _load(self) -> None:
        if self._file is None:
            return
        self.frame, self.position = [], 0
        self.frame_start = self._next_frame
        try:
            body = frames.read_frame(self._file, MAX_FRAME_BYTES)
            if not body:
                return
            plain = self._decompressor.decompress(body, max_output_size=MAX_FRAME_BYTES)
            self.frame = _frame_decoder.decode(plain)
        except (FrameBroken, zstandard.ZstdError, msgspec.MsgspecError) as error:
            raise RecordsDamaged(str(error)) from error
        self._next_frame += frames.HEAD_BYTES + len(body)


class Writer:
    """Writes a plan's records; starts only at the first change, from what was passed so far.

    A disk that is full or fails does not end the run: `failure` says what happened, nothing more
    is written, and the next run compares with the server's list.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.has_begun = False
        self.failure: OSError | None = None
        self._target: BinaryIO | None = None
        self._compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
        self._frame: list[Record] = []
        self._frame_bytes = 0

    def begin(self, reader: Reader) -> None:
        """From here on records may differ from the old file's; again changes nothing."""
        if self.has_begun:
            return
        self.has_begun = True
        try:
            self._target = self.file.open("wb")
            self._target.write(MAGIC)
            reader.copy_passed_frames(self._target)
        except OSError as error:
            self._fail(error)
        for record in reader.frame[: reader.position]:
            self.add(record)

    def add(self, record: Record) -> None:
        """Append a record; none is written while nothing has changed."""
        if not self.has_begun or self.failure is not None:
            return
        self._frame.append(record)
        self._frame_bytes += len(record.rows) + len(record.contents) + len(record.path)
        if self._frame_bytes >= FRAME_BYTES:
            self._flush()

    def finish(self) -> None:
        """Write what is left and the end mark, and close."""
        if self._target is None:
            return
        self._flush()
        if self._target is None:
            return
        try:
            self._target.write(frames.END)
            self._target.close()
        except OSError as error:
            self._fail(error)
        self._target = None

    def discard(self) -> None:
        """Drop what was written."""
        if self._target is not None:
            with suppress(OSError):
                self._target.close()
            self._target = None
        with suppress(OSError):
            self.file.unlink(missing_ok=True)

    def _fail(self, error: OSError) -> None:
        self.failure = error
        self._frame, self._frame_bytes = [], 0
        self.discard()

    def _flush(self) -> None:
        if self._frame and self._target is not None:
            body = self._compressor.compress(_encode(self._frame))
            try:
                self._target.write(frames.frame(body))
            except OSError as error:
                self._fail(error)
        self._frame, self._frame_bytes = [], 0


def write_sorted(file: Path, records: Iterable[Record]) -> None:
    """A file of records that come in the order of the walk."""
    writer = Writer(file)
    writer.begin(Reader(None))
    for record in records:
        writer.add(record)
    writer.finish()
    if writer.failure is not None:
        raise writer.failure


def digest_of(file: Path) -> str:
    """BLAKE3 of a file, in hexadecimal."""
    hasher = blake3()
    with file.open("rb") as opened:
        while piece := opened.read(1 << 20):
            hasher.update(piece)
    return hasher.hexdigest()


def first_names(file: Path | None, most: int) -> dict[tuple[int, ...], bytes]:
    """By (inode, size, mtime, ctime) of a file with several names: the path of the first."""
    found: dict[tuple[int, ...], bytes] = {}
    reader = Reader(file)
    try:
        for record in reader:
            for row, held in unpack_record(record):
                if isinstance(held, More) and held.shared and row[2] and len(found) < most:
                    found[row[2:6]] = held.shared
    finally:
        reader.close()
    return found
