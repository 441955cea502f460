"""Writes the configuration of a `coffre-agent`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devstack.processes import write_atomically

EVERY_NIGHT = {"schedule": "0 2 * * *", "timezone": "Europe/Paris"}


def toml(value: Any) -> str:
    """Gives a value as TOML writes it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return json.dumps(value)


def write_configuration(
    folder: Path, server: str, plans: Mapping[str, Mapping[str, Any]], **more: Any
) -> Path:
    """Writes `agent.toml`, whose token and state lie beside it; gives its path."""
    lines = [
        f"server = {toml(server)}",
        'token_file = "token"',
        'state_dir = "state"',
        *(f"{key} = {toml(value)}" for key, value in more.items()),
    ]
    for name, plan in plans.items():
        settings = {"name": name, **EVERY_NIGHT, **plan}
        lines += ["", "[[plan]]", *(f"{key} = {toml(value)}" for key, value in settings.items())]
    file = folder / "agent.toml"
    write_atomically(file, "\n".join(lines) + "\n")
    return file
