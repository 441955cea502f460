"""A configuration to begin with: every key, explained."""

from __future__ import annotations

import json
from pathlib import Path, PurePath

from agent.platforms import SYSTEM, places_of
from agent.platforms.places import is_administrator, user_places

SERVER = "https://coffre.example"
FOLDERS = {"linux": "/srv", "macos": "/Users", "windows": "C:/Users"}


def example(server: str = SERVER, system: str = SYSTEM, for_machine: bool | None = None) -> str:
    """The text of a valid configuration; for_machine: not for one user of it."""
    if for_machine is None:
        for_machine = is_administrator()
    places = places_of(system) if for_machine else user_places()
    text = Path(__file__).with_name("example.toml").read_text("utf-8")
    for key, value in {
        "server": server,
        "token_file": _plain(places.config / "token"),
        "state_dir": _plain(places.state),
        "folder": FOLDERS[system],
    }.items():
        # A JSON string of such text is a TOML string.
        text = text.replace(f'"@{key}@"', json.dumps(value, ensure_ascii=False))
    return text


def _plain(path: PurePath) -> str:
    """With slashes on every system: a backslash needs another one in TOML."""
    return path.as_posix()
