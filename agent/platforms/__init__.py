"""All that differs between Linux, macOS and Windows; elsewhere the agent doesn't ask.

Coffre's agent was run for real on Linux, and by Wine with Windows' own Python.
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

if sys.platform == "win32" or (
    not TYPE_CHECKING
    and (os.open not in os.supports_dir_fd or os.environ.get("COFFRE_AGENT_FOLDERS") == "paths")
):
    from agent.platforms import by_path as folders
else:
    from agent.platforms import by_descriptor as folders

fold = paths.fold_of(SYSTEM)
land = paths.landing_of(SYSTEM)
# Windows has no numbers for users: whatever is there is nobody's, 0.
ME: int = getattr(os, "geteuid", int)()

__all__ = ["ME", "SYSTEM", "Places", "fold", "folders", "land", "paths", "places", "places_of"]


def places() -> Places:
    """Where this machine keeps the agent's files."""
    return places_of(SYSTEM)
