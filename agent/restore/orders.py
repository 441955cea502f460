"""What passes between a restore and its worker processes: frames of MessagePack.

To a worker: `Setup` once, then orders. From it, for each order, reports, of which one is the last.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple, TypeVar

import msgspec

from libs.shared import frames
from libs.shared.entries import Entry
from libs.shared.frames import FrameBroken
from libs.shared.reasons import Reason
from libs.shared.restores import PlacedChunk

_MAX_BYTES = 2**32 - 1
T = TypeVar("T")


class Setup(msgspec.Struct, array_like=True):
    """What a worker needs to know of the restore; secrets among it, so never on a command line."""

    url: str
    token: str
    ca_file: str | None
    proxy: str | None
    patience_seconds: float
    plan: str
    chunk_keys: tuple[bytes, ...]
    root: int | str
    overwrite: bool


class Target(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A file to write; a large one has a number, and was there in part if `is_kept`."""

    folder: int
    entry: Entry
    number: int
    is_kept: bool


class Chunk(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A chunk, and (which file, at what offset) needs it."""

    place: PlacedChunk
    uses: list[tuple[int, int]]


class Order(msgspec.Struct, array_like=True):
    """Some megabytes of chunks in the order of packs, with folders (path, is fresh) and files."""

    folders: list[tuple[bytes, bool]]
    files: list[Target]
    chunks: list[Chunk]


class Failed(NamedTuple):
    """A file that can't be restored."""

    path: bytes
    number: int
    reason: Reason


class Fatal(NamedTuple):
    """Why the whole restore must end, as an AgentError says it."""

    reason: Reason
    exit_code: int
    sentence: str


class Report(msgspec.Struct, array_like=True):
    """What a worker did since its last report: `pieces` (number, how many) of large files."""

    is_last: bool = False
    files: int = 0
    bytes_written: int = 0
    bytes_kept: int = 0
    bytes_fetched: int = 0
    refused: dict[str, int] = {}
    pieces: list[tuple[int, int]] = []
    failed: list[Failed] = []
    said: list[str] = []
    fatal: Fatal | None = None


def send(stream: BinaryIO, message: bytes) -> None:
    """Write a frame."""
    stream.write(frames.frame(message))
    stream.flush()


def receive(stream: BinaryIO, kind: type[T]) -> T | None:
    """Read a frame; None at the end of the stream."""
    try:
        return msgspec.msgpack.decode(frames.read_frame(stream, _MAX_BYTES), type=kind)
    except FrameBroken:
        return None
