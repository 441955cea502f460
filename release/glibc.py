"""Which glibc a bundle needs: the newest version that one of its files asks for."""

from __future__ import annotations

import re
from pathlib import Path

# As `objdump -T` tells them; they stand in a file's table of names.
_VERSION = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?\0")


def needed(folder: Path) -> tuple[int, int]:
    """The version, such as (2, 28)."""
    return max(version for file in _programs(folder) for version in _versions(file))


def asking_for(folder: Path, version: tuple[int, int]) -> list[str]:
    """The names of the files that need this version."""
    return [file.name for file in _programs(folder) if version in _versions(file)]


def _programs(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.open("rb").read(4) == b"\x7fELF"
    ]


def _versions(file: Path) -> set[tuple[int, int]]:
    found = _VERSION.findall(file.read_bytes().replace(b"\0", b"\0\0"))
    return {(int(major), int(minor)) for major, minor in found}
