"""All that differs between Linux, macOS and Windows; elsewhere the agent doesn't ask.

Coffre's agent was run for real on Linux only.
What is here for the others is tested by its logic, on Linux.

`folders`: how folders and what is in them are reached, by descriptors or by paths.
COFFRE_AGENT_FOLDERS=paths takes paths where descriptors would do, for tests.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from agent.platforms import paths
from agent.platforms.places import Places, places_of

SYSTEM = {"win32": "windows", "cygwin": "windows", "darwin": "macos"}.get(sys.platform, "linux")

if TYPE_CHECKING or (
    os.open in os.supports_dir_fd and os.environ.get("COFFRE_AGENT_FOLDERS") != "paths"
):
    from agent.platforms import by_descriptor as folders
else:
    from agent.platforms import by_path as folders

fold = paths.fold_of(SYSTEM)

__all__ = ["SYSTEM", "Places", "fold", "folders", "paths", "places", "places_of"]


def places() -> Places:
    """Where this machine keeps the agent's files."""
    return places_of(SYSTEM)
