"""Where the agent's files lie on each system: the machine's own, and a user's."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

NAME = "coffre-agent"


@dataclass(frozen=True)
class Places:
    """The folders of the whole machine: configuration, and what the agent remembers."""

    config: PurePath
    state: PurePath

    @property
    def config_file(self) -> PurePath:
        """The configuration of the machine."""
        return self.config / "config.toml"


def places_of(system: str) -> Places:
    """The machine's folders on a system."""
    if system == "windows":
        shared = PureWindowsPath(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / NAME
        return Places(shared, shared / "state")
    if system == "macos":
        library = PurePosixPath("/Library/Application Support") / NAME
        return Places(library, library / "state")
    return Places(PurePosixPath("/etc") / NAME, PurePosixPath("/var/lib") / NAME)


def user_places() -> Places:
    """The folders of the user who asks."""
    from platformdirs import user_config_path, user_state_path  # noqa: PLC0415 - costs start-up time

    return Places(user_config_path(NAME, appauthor=False), user_state_path(NAME, appauthor=False))


def neutral_folder() -> str:
    """A folder in which nobody can plant anything, for programs to be started in."""
    return system_folder() if sys.platform == "win32" else "/"


def system_folder() -> str:
    """Where Windows lies."""
    return os.environ.get("SYSTEMROOT", r"C:\Windows")


def system_program(name: str) -> str:
    """A program of Windows: by its name alone, one in the current folder would come first."""
    return str(PureWindowsPath(system_folder()) / "System32" / f"{name}.exe")


def is_administrator() -> bool:
    """May we use the machine's own folders?"""
    if sys.platform != "win32":
        return os.geteuid() == 0
    return os.access(Path(os.environ.get("PROGRAMDATA", "C:/ProgramData")), os.W_OK)
