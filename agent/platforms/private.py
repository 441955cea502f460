"""Files that are for us alone, where a mode doesn't say so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agent.platforms.places import system_program

_SECONDS = 20.0
# The system, administrators, and whoever owns it: by numbers, as their names are translated.
_MAY = ("*S-1-5-18:F", "*S-1-5-32-544:F", "*S-1-3-4:F")


def keep_from_others(file: Path) -> None:
    """On Windows, take the rights that a file has from its folder; elsewhere its mode is enough.

    Raises PermissionError where that can't be done.
    """
    if sys.platform != "win32":
        return
    command = [system_program("icacls"), str(file), "/inheritance:r", "/grant:r", *_MAY]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise PermissionError(13, "can't be kept from other users", str(file)) from error
