"""Which glibc a bundle needs: the newest version that one of its files asks for."""

from __future__ import annotations

import re
from pathlib import Path

# As `objdump -T` tells them; they stand in a file's table of names.
_VERSION = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?\0")


def needed(folder: Path) -> tuple[int, int]:
    """The version, such as (2, 28)."""
    return max(
        (int(major), int(minor))
        for file in folder.rglob("*")
        if file.is_file() and file.open("rb").read(4) == b"\x7fELF"
        for major, minor in _VERSION.findall(file.read_bytes().replace(b"\0", b"\0\0"))
    )
