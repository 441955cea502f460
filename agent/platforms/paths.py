"""Paths: as a system writes them, and as the tree of a plan knows them; pure functions.

In the tree a path is bytes, with slashes, absolute, without the first slash.
`C:\\Users` is `C:/Users` there, and `\\\\server\\share\\x` is `UNC/server/share/x`.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Callable

from libs.shared.filenames import on_windows

_DRIVE = re.compile(r"([A-Za-z]):(?:\\|$)")
_DRIVE_NAME = re.compile(rb"[A-Za-z]:")
_UNC = re.compile(r"\\\\([^\\?.][^\\]*)\\([^\\]+)(\\.*|$)")
_LONG = "\\\\?\\"
UNC = "UNC"
SHOWN = "\\\\?\\GLOBALROOT\\"
"""What begins the path of a device, such as that of a shadow copy."""


def plan_folder(text: str, system: str) -> str:
    """A folder as plans and the portal name it, `/srv` or `/C:/Users`; ValueError if relative."""
    if system == "windows":
        return _windows_folder(text)
    if not text.startswith("/"):
        raise ValueError("which is no absolute path")
    return "/" + posixpath.normpath(text).lstrip("/")


def _windows_folder(text: str) -> str:
    path = text.replace("/", "\\")
    if path.startswith("\\\\?\\UNC\\"):
        path = "\\\\" + path[8:]
    path = path.removeprefix(_LONG)
    if (drive := _DRIVE.match(path)) is not None:
        start, rest = f"/{drive[1].upper()}:", path[2:]
    elif (unc := _UNC.match(path)) is not None:
        start, rest = f"/{UNC}/{unc[1]}/{unc[2]}", unc[3]
    else:
        raise ValueError("which is no absolute path such as C:/Users or //server/share")
    inside = posixpath.normpath("/" + rest.replace("\\", "/")).strip("/")
    return f"{start}/{inside}" if inside else start


def wanted_path(text: str, system: str) -> bytes:
    """A path that a restore is asked for, of this system or another, as the tree knows it."""
    try:
        return os.fsencode(plan_folder(text, system)).strip(b"/")
    except ValueError:
        return os.fsencode(text).strip(b"/")


def system_path(path: str, system: str) -> str:
    """What the system calls a path of the tree; on Windows in the form that has no limit."""
    if system != "windows":
        return "/" + path
    drive, _, rest = path.partition("/")
    if drive == UNC:
        return f"{_LONG}UNC\\" + rest.replace("/", "\\")
    return f"{_LONG}{drive}\\" + rest.replace("/", "\\")


def landing_of(system: str) -> Callable[[bytes], bytes] | None:
    """What makes of a copy's path one that a system can hold, for restores; None: it holds all.

    Windows has no `C:` inside a folder, no `a?b`, no `con.txt`, no name that ends with a dot, and
    none that is not Unicode.
    """
    return _on_windows if system == "windows" else None


def _on_windows(path: bytes) -> bytes:
    first, *rest = path.split(b"/")
    first = first[:1] if _DRIVE_NAME.fullmatch(first) else on_windows(first)
    return b"/".join([first, *map(on_windows, rest)])


def fold_of(system: str) -> Callable[[str], str] | None:
    """What makes names equal that a system takes for the same, for patterns; None: nothing does.

    A Mac's disk may or may not tell upper from lower case, so there only the ways to write an
    accent are made one.
    """
    if system == "windows":
        return str.lower
    if system == "macos":
        return _composed
    return None


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)
