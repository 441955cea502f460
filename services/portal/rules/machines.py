"""How machines are called that people know by other names."""

from __future__ import annotations

import re

_MACOS = re.compile(r"(?:macOS|Darwin)-([0-9.]+)")
_WINDOWS = re.compile(r"Windows-(\w+)")
_SERVER = re.compile(r"(\d{4})Server")
_LINUX = re.compile(r"Linux-(\d+\.\d+)")


def name_platform(platform: str) -> str:
    """`Linux 6.18` of `Linux-6.18.44-fc-v782-x86_64-with-glibc2.36`; as it stands where unknown."""
    if found := _LINUX.match(platform):
        return f"Linux {found[1]}"
    if found := _MACOS.match(platform):
        return f"macOS {found[1]}"
    if found := _WINDOWS.match(platform):
        server = _SERVER.match(found[1])
        return f"Windows Server {server[1]}" if server else f"Windows {found[1]}"
    return platform
