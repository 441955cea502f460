"""What is mounted where, as Linux tells it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One file system at its place; paths are absolute."""

    place: bytes
    kind: str
    source: bytes


def list_mounts() -> list[Mount]:
    """All mounts, as far as the system tells them; of several at one place the last."""
    try:
        lines = TABLE.read_bytes().splitlines()
    except OSError:
        return []
    found: dict[bytes, Mount] = {}
    for line in lines:
        before, _, after = line.partition(b" - ")
        kind, source = after.split(b" ")[:2]
        place = _plain(before.split(b" ")[4])
        found.pop(place, None)
        found[place] = Mount(place, kind.decode(), _plain(source))
    return list(found.values())


def mount_of(path: bytes, mounts: list[Mount]) -> Mount | None:
    """The mount that a path lies in, symlinks resolved."""
    holding = [mount for mount in mounts if lies_in(path, mount.place)]
    return max(holding, key=lambda mount: len(mount.place), default=None)


def lies_in(path: bytes, folder: bytes) -> bool:
    """Is it the folder, or below it?"""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def relative(path: bytes, folder: bytes) -> bytes:
    """The rest of a path below a folder, without a slash at either end."""
    return posixpath.relpath(path, folder) if path != folder else b""


def _plain(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), text)
