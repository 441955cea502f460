"""What a plan holds, path by path, and how a run tells of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from libs.shared import attributes, packs
from libs.shared.entries import Entry, FolderDelta

MTIME_NS = 1_700_000_000_123_456_789


OF_WINDOWS = {
    # Owner, group, and a DACL of three, as Windows' functions told it.
    attributes.WINDOWS_SECURITY: bytes.fromhex(
        "010004801400000030000000000000004c0000000105000000000005150000000000000000000000"
        "00000000e8030000010500000000000515000000000000000000000000000000010200000200540003"
        "00000000001400ff011f0001010000000000051200000000002400ff011f0001050000000000051500"
        "0000000000000000000000000000e803000000001400a9001200010100000000000100000000"
    ),
    attributes.WINDOWS_STREAM + b"Zone.Identifier": b"[ZoneTransfer]\r\nZoneId=3\r\n",
}
"""What a file of Windows has beside its mode."""


@dataclass
class File:
    """A file's content in chunks, or a symlink's target, or (neither) a folder."""

    chunks: list[bytes] = field(default_factory=list)
    target: bytes | None = None
    is_folder: bool = False
    mode: int = 0o644
    mtime_ns: int = MTIME_NS
    uid: int = 1000
    gid: int = 1000
    attributes: bytes = b""

    @property
    def content(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks)

    def entry(self, name: bytes, chunk_key: bytes) -> Entry:
        """The entry that tells of it."""
        return Entry(
            name,
            "d" if self.is_folder else "f" if self.target is None else "l",
            self.mode,
            self.mtime_ns,
            self.uid,
            self.gid,
            sum(map(len, self.chunks)),
            self.target or b"",
            b"".join(packs.chunk_id(chunk, chunk_key) for chunk in self.chunks),
            self.attributes,
        )


def folder(mode: int = 0o755) -> File:
    """A folder."""
    return File(is_folder=True, mode=mode)


def link(target: bytes) -> File:
    """A symlink."""
    return File(target=target, mode=0o777)


def text(content: bytes, **more: int) -> File:
    """A file of one chunk, or none."""
    return File([content] if content else [], **more)


def add_folders(tree: dict[bytes, File]) -> None:
    """Adds the folders that the paths of a tree need and it doesn't name."""
    for path in list(tree):
        parts = path.split(b"/")
        for depth in range(1, len(parts)):
            tree.setdefault(b"/".join(parts[:depth]), folder())


def deltas(
    tree: Mapping[bytes, File], removed: Collection[bytes], chunk_key: bytes
) -> list[FolderDelta]:
    """What a run sends that brings these paths and drops those, folders first."""
    found: dict[bytes, FolderDelta] = {}

    def delta_of(path: bytes) -> tuple[FolderDelta, bytes]:
        above, _, name = path.rpartition(b"/")
        return found.setdefault(above, FolderDelta(above, [], [])), name

    for path in sorted(tree, key=lambda path: (path.count(b"/"), path)):
        delta, name = delta_of(path)
        delta.upserts.append(tree[path].entry(name, chunk_key))
    for path in sorted(removed):
        delta, name = delta_of(path)
        delta.removed.append(name)
    return list(found.values())


def write_secret(path: Path, text: str) -> Path:
    """A file that its owner alone can read, as services want their secrets."""
    path.touch(0o600)
    path.write_text(text)
    return path
