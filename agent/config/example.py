"""A configuration to begin with: every key, explained."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePath

from agent.platforms import SYSTEM, places_of
from agent.platforms.places import is_administrator, user_places

SERVER = "https://coffre.example"
PORTAL = "https://portal.coffre.example"
FOLDERS = {"linux": "/srv", "macos": "/Users", "windows": "C:/Users"}


@dataclass(frozen=True)
class First:
    """What a first configuration says besides the places of files; folders: None for an example."""

    server: str = SERVER
    portal: str | None = None
    plan: str = "documents"
    folders: tuple[str, ...] | None = None
    schedule: str = "15 2 * * *"
    timezone: str = "Europe/Paris"
    recipients: tuple[str, ...] = ("backups@client.example",)


def example(first: First = First(), system: str = SYSTEM, for_machine: bool | None = None) -> str:
    """The text of a valid configuration; for_machine: not for one user of it."""
    if for_machine is None:
        for_machine = is_administrator()
    places = places_of(system) if for_machine else user_places()
    text = Path(__file__).with_name("example.toml").read_text("utf-8")
    if first.portal is not None:
        text = text.replace("#portal =", "portal =")
    for key, value in {
        "server": first.server,
        "portal": first.portal or PORTAL,
        "token_file": _plain(places.config / "token"),
        "state_dir": _plain(places.state),
        "plan": first.plan,
        "schedule": first.schedule,
        "timezone": first.timezone,
    }.items():
        text = text.replace(f'"@{key}@"', _toml(value))
    folders = first.folders or (FOLDERS[system],)
    for key, values in {"folders": folders, "recipients": first.recipients}.items():
        text = text.replace(f'"@{key}@"', ", ".join(map(_toml, values)))
    return text


def _toml(value: str) -> str:
    # A JSON string of such text is a TOML string.
    return json.dumps(value, ensure_ascii=False)


def _plain(path: PurePath) -> str:
    """With slashes on every system: a backslash needs another one in TOML."""
    return path.as_posix()
