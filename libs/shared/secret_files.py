"""Files that hold a secret: read only where nobody else on the machine can read them, too."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class SecretFileInvalid(Exception):  # noqa: N818 - read by the operator as a sentence
    """A file that holds no such secret, or shows it to others."""


def read(path: Path) -> str:
    """The text of a file without the blanks around it.

    Its group may read it as well if this process is in that group: a container's secrets are
    mounted so. Raises SecretFileInvalid where more can, or where there is no such text.
    """
    try:
        with path.open(encoding="utf-8") as file:
            # Of what was opened, not of its name: that may be a link, or exchanged meanwhile.
            _check(path, os.fstat(file.fileno()))
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretFileInvalid(f"{path} can't be read as a secret: {error}") from error


def _check(path: Path, found: os.stat_result) -> None:
    if os.name != "posix":
        return
    mode = stat.S_IMODE(found.st_mode)
    who = ""
    if mode & stat.S_IRWXO:
        who = "everybody on this machine"
    elif mode & stat.S_IRWXG and found.st_gid not in {os.getegid(), *os.getgroups()}:
        who = f"group {found.st_gid}, which this service is not in,"
    if who:
        raise SecretFileInvalid(
            f"{path} holds a secret, and {who} can open it (mode {mode:04o}): give it mode 0400 or"
            " 0600, or 0440 with a group of the service's own."
        )


def write(path: Path, text: str) -> None:
    """Writes a secret into a new file that nobody else can read; raises FileExistsError."""
    with open(path, "x", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
        file.write(text)
