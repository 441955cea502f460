"""The tree that is copied: real files of the machine, always the same ones on the same machine."""

from __future__ import annotations

import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WANTED_FILES = 100_000
WANTED_BYTES = 2_000_000_000
ROOTS = (Path("/usr"), Path("/opt"), Path(sys.prefix), Path("/var/lib"))


@dataclass(frozen=True)
class Share:
    """How much of a machine's files is taken: one folder in so many, always the same ones."""

    one_in: int
    largest_file_bytes: int


WHOLE = Share(1, 32 * 1024 * 1024)
SMALL = Share(12, 2 * 1024 * 1024)
"""For a quick look: some 200 MB."""


@dataclass(frozen=True)
class Tree:
    """A gathered tree and what is in it."""

    folder: Path
    files: int
    size_bytes: int
    roots: list[str]
    share: Share

    def describe(self) -> str:
        """A sentence for the results."""
        roots = ", ".join(self.roots)
        one_in = self.share.one_in
        share = "everything" if one_in == 1 else f"one folder in {one_in} of all"
        return (
            f"{self.files:,} files, {self.size_bytes / 1e9:.2f} GB: {share} under {roots} "
            f"except files above {self.share.largest_file_bytes // 1024**2} MiB"
        )


def gather(folder: Path, roots: Sequence[Path] = ROOTS, share: Share = WHOLE) -> Tree:
    """Copy real files under `folder` until there are enough; a tree that is there is taken."""
    one_in = share.one_in
    done = folder.with_name(folder.name + ".roots")
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        taken: list[str] = []
        files = size = 0
        for root in roots:
            if files * one_in >= WANTED_FILES and size * one_in >= WANTED_BYTES:
                break
            if root.is_dir():
                more_files, more_bytes = _copy(root, folder / str(root).strip("/"), share)
                files, size = files + more_files, size + more_bytes
                taken.append(str(root))
        done.write_text("\n".join(taken))
    files, size = count(folder)
    return Tree(folder, files, size, done.read_text().split("\n"), share)


def count(folder: Path) -> tuple[int, int]:
    """(regular files, sum of their sizes) below a folder."""
    sizes = [status.st_size for _, status in _walk(folder)]
    return len(sizes), sum(sizes)


def warm(folder: Path) -> None:
    """Read every file, so that whoever reads next finds it in the page cache."""
    buffer = bytearray(1 << 20)
    for path, _ in _walk(folder):
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as found:
            for each in found:
                if each.is_dir(follow_symlinks=False):
                    pending.append(each.path)
                elif each.is_file(follow_symlinks=False):
                    yield each.path, each.stat(follow_symlinks=False)


def _copy(source: Path, target: Path, share: Share) -> tuple[int, int]:
    files = size = 0
    for parent, folders, names in os.walk(source):
        folders.sort()
        if zlib.crc32(os.fsencode(parent)) % share.one_in:
            continue
        there = target / Path(parent).relative_to(source)
        there.mkdir(parents=True, exist_ok=True)
        for name in sorted(names):
            path, copied = Path(parent, name), there / name
            if path.is_symlink():
                copied.symlink_to(path.readlink())
            elif path.is_file() and path.stat().st_size <= share.largest_file_bytes:
                shutil.copy2(path, copied)
                files, size = files + 1, size + path.stat().st_size
    return files, size
