"""How machines are called that people know by other names, and what is typed into them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from uuid import UUID

_MACOS = re.compile(r"(?:macOS|Darwin)-([0-9.]+)")
_WINDOWS = re.compile(r"Windows-(\w+)")
_SERVER = re.compile(r"(\d{4})Server")
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")  # each ends a text of PowerShell
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


def is_windows(platform: str) -> bool:
    """Whether a machine said that Windows is its system."""
    return platform.startswith("Windows")


def restore_command(
    platform: str, plan: UUID, *, portal_url: str, email: str, run: int = 0, number: int = 0
) -> str:
    """What brings a plan back: for PowerShell on Windows, for a shell on any other system.

    run: of the restore point, 0 for the newest; number: of one folder of several, 0 for one alone.
    """
    quote: Callable[[str], str] = shlex.quote
    program, folder, mark = "coffre-agent", "/srv/restored", "/"
    if is_windows(platform):
        program = '& "$env:ProgramFiles\\coffre-agent\\coffre-agent.exe"'
        quote, folder, mark = _quote_for_powershell, "C:\\restored", "\\"
    words = [program, "restore", str(plan), "--portal", quote(portal_url), "--email", quote(email)]
    if run:
        words += ["--run", str(run)]
    return " ".join([*words, "--to", f"{folder}{mark}{number}" if number else folder])


def _quote_for_powershell(text: str) -> str:
    return "'" + _QUOTES.sub(r"\g<0>\g<0>", text) + "'"
