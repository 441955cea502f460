"""Trees with all that a Linux file system can hold, and a comparison that overlooks nothing."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

HOSTILE_NAMES = [
    b"plain.txt",
    "été à Zürich, 日本語 🥐.txt".encode(),
    b"latin-1 \xe9t\xe9.txt",
    b"\xff\xfe\x80 not utf-8",
    b"line\nbreak",
    b"carriage\rreturn\ttab",
    b"\x01\x02\x7f control",
    b"-rf",
    b"--config=oops",
    b" leading and trailing ",
    b"...",
    b"..hidden",
    b"~",
    b"$(touch oops)",
    b"`backticks`",
    b"quote'double\"",
    b"back\\slash\\..\\x",
    b"C:",
    b"CON",
    b"*?[x]",
    b"%2e%2e%2f",
    b"percent%00nul",
    "e\u0301 decomposed".encode(),
    "\u202e right to left".encode(),
    b"<img src=x onerror=alert(1)>",
    b"a&b=c#d;e",
    b"n" * 255,
    b"\xe9" * 255,
]
DEEP_PATH_BYTES = 4_000


def build_hostile_tree(root: Path, *, big_file_bytes: int = 3_000_000) -> list[bytes]:
    """Fills a new folder; gives the names of its special files, which are not copied.

    The tree's deepest path has 4,000 bytes from the root of the file system.
    """
    root.mkdir(parents=True)
    os.umask(os.umask(0o022))
    top = os.open(root, os.O_RDONLY)
    try:
        for number, name in enumerate(HOSTILE_NAMES):
            _write(top, name, b"content of %d\n" % number * (number + 1), 0o640)
        os.mkdir(b"names of folders", dir_fd=top)
        inside = os.open(b"names of folders", os.O_RDONLY, dir_fd=top)
        for name in HOSTILE_NAMES:
            os.mkdir(name, dir_fd=inside)
            folder = os.open(name, os.O_RDONLY, dir_fd=inside)
            _write(folder, name, name, 0o600)
            os.close(folder)
        os.close(inside)
        _build_kinds(top, big_file_bytes)
        _build_links(top)
        _build_deep(top, len(os.fsencode(root)))
        return _build_specials(root, top)
    finally:
        os.close(top)


def _build_kinds(top: int, big_file_bytes: int) -> None:
    _write(top, b"empty", b"", 0o644)
    os.mkdir(b"empty folder", dir_fd=top)
    os.mkdir(b"modes", dir_fd=top)
    modes = os.open(b"modes", os.O_RDONLY, dir_fd=top)
    for mode in (0o400, 0o444, 0o600, 0o755, 0o1777, 0o2755, 0o4711):
        _write(modes, b"%o" % mode, b"x", mode)
    os.close(modes)
    _write(top, b"big", os.urandom(1_000_003) * (big_file_bytes // 1_000_003 or 1), 0o644)
    _write(top, b"compressible", b"all work and no play " * 60_000, 0o644)
    _write(top, b"just whole", b"w" * (512 * 1024 - 1), 0o644)
    _write(top, b"just cut", b"c" * (512 * 1024), 0o644)
    sparse = os.open(b"sparse", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=top)
    os.ftruncate(sparse, 64 * 1024 * 1024)
    os.pwrite(sparse, b"an island", 40 * 1024 * 1024)
    os.close(sparse)
    hole = os.open(b"nothing but a hole", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=top)
    os.ftruncate(hole, 100_000)
    os.close(hole)
    _write(top, b"old", b"from before 1970", 0o644)
    os.utime(b"old", ns=(-1_500_000_000, -1_500_000_001), dir_fd=top)
    _write(top, b"future", b"from 2100", 0o644)
    os.utime(b"future", ns=(4_102_444_800_123_456_789,) * 2, dir_fd=top)


def _build_links(top: int) -> None:
    _write(top, b"linked once", b"the same inode", 0o644)
    os.link(b"linked once", b"linked twice", src_dir_fd=top, dst_dir_fd=top)
    for name, target in (
        (b"dangles", b"nowhere/at all"),
        (b"leaves", b"../../../../../../etc/passwd"),
        (b"absolute", b"/etc"),
        (b"itself", b"itself"),
        (b"to a folder", b"names of folders"),
        (b"strange target", b"\xff\n" * 1_000),
    ):
        os.symlink(target, name, dir_fd=top)


def _build_deep(top: int, root_bytes: int) -> None:
    """A path of exactly 4,000 bytes, its components of up to 255."""
    left = DEEP_PATH_BYTES - root_bytes - 1
    folder = os.dup(top)
    while left > 255 + 1 + 255:
        name = b"d" * 255
        os.mkdir(name, dir_fd=folder)
        below = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
        left -= 256
    first = left // 2
    os.mkdir(b"e" * first, dir_fd=folder)
    below = os.open(b"e" * first, os.O_RDONLY, dir_fd=folder)
    _write(below, b"f" * (left - first - 1), b"deep down", 0o644)
    os.close(below)
    os.close(folder)


def _build_specials(root: Path, top: int) -> list[bytes]:
    os.mkfifo(b"fifo", dir_fd=top)
    here = os.open(".", os.O_RDONLY)
    try:
        os.fchdir(top)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
    finally:
        os.fchdir(here)
        os.close(here)
    if os.geteuid() == 0:
        os.mknod(root / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    return [b"socket"]


def _write(folder: int, name: bytes, content: bytes, mode: int) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)


def compare_trees(
    left: Path, right: Path, *, ignore: list[bytes] | None = None, owners: bool = True
) -> list[str]:
    """Every difference in names, kinds, modes, times, owners, targets and contents, in words.

    ignore: names directly in `left` that `right` is not to have.
    """
    differences: list[str] = []
    pending: list[tuple[int, int, bytes]] = [
        (os.open(left, os.O_RDONLY), os.open(right, os.O_RDONLY), b"")
    ]
    ignored = set(ignore or [])
    while pending:
        one, other, path = pending.pop()
        names = {os.fsencode(name) for name in os.listdir(one)}  # noqa: PTH208 - by descriptor
        if not path:
            names -= ignored
        others = {os.fsencode(name) for name in os.listdir(other)}  # noqa: PTH208 - by descriptor
        differences += [f"{path + b'/' + name!r} is missing" for name in sorted(names - others)]
        differences += [f"{path + b'/' + name!r} is too much" for name in sorted(others - names)]
        for name in sorted(names & others):
            _compare(one, other, path + b"/" + name, name, owners, differences, pending)
        os.close(one)
        os.close(other)
    return differences


def _compare(
    one: int,
    other: int,
    path: bytes,
    name: bytes,
    owners: bool,
    differences: list[str],
    pending: list[tuple[int, int, bytes]],
) -> None:
    a = os.stat(name, dir_fd=one, follow_symlinks=False)
    b = os.stat(name, dir_fd=other, follow_symlinks=False)
    kind = stat.S_IFMT(a.st_mode)
    if kind != stat.S_IFMT(b.st_mode):
        differences.append(f"{path!r} is of another kind")
        return
    if a.st_mode != b.st_mode:
        differences.append(f"{path!r} has mode {b.st_mode:o}, not {a.st_mode:o}")
    if a.st_mtime_ns != b.st_mtime_ns:
        differences.append(f"{path!r} is of {b.st_mtime_ns}, not {a.st_mtime_ns}")
    if owners and (a.st_uid, a.st_gid) != (b.st_uid, b.st_gid):
        differences.append(f"{path!r} belongs to {b.st_uid}:{b.st_gid}")
    if a.st_rdev != b.st_rdev:
        differences.append(f"{path!r} is device {b.st_rdev}, not {a.st_rdev}")
    if (a.st_nlink > 1) != (b.st_nlink > 1) and kind == stat.S_IFREG:
        differences.append(f"{path!r} has {b.st_nlink} names, not {a.st_nlink}")
    if kind == stat.S_IFLNK:
        if os.readlink(name, dir_fd=one) != os.readlink(name, dir_fd=other):
            differences.append(f"{path!r} points elsewhere")
    elif kind == stat.S_IFDIR:
        flags = os.O_RDONLY | os.O_NOFOLLOW
        below = os.open(name, flags, dir_fd=one), os.open(name, flags, dir_fd=other)
        pending.append((*below, path))
    elif kind == stat.S_IFREG and not _same_content(one, other, name):
        differences.append(f"{path!r} has another content")


def _same_content(one: int, other: int, name: bytes) -> bool:
    a = os.fdopen(os.open(name, os.O_RDONLY, dir_fd=one), "rb")
    b = os.fdopen(os.open(name, os.O_RDONLY, dir_fd=other), "rb")
    with a, b:
        while True:
            piece = a.read(1 << 20)
            if piece != b.read(1 << 20):
                return False
            if not piece:
                return True
