"""All that differs between Linux, macOS and Windows; elsewhere the agent doesn't ask.

Coffre's agent was run for real on Linux only.
What is here for the others is tested by its logic, on Linux.
"""

from __future__ import annotations

import sys

from agent.platforms.places import Places, places_of

SYSTEM = {"win32": "windows", "cygwin": "windows", "darwin": "macos"}.get(sys.platform, "linux")

__all__ = ["SYSTEM", "Places", "places", "places_of"]


def places() -> Places:
    """Where this machine keeps the agent's files."""
    return places_of(SYSTEM)
