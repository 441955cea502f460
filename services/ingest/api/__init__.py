"""The agent protocol (docs/protocol.md)."""

from services.ingest.api import agents, files, runs
from services.ingest.api.files import FILE_PATHS

__all__ = ["FILE_PATHS", "ROUTERS"]

ROUTERS = (agents.router, runs.starts, runs.bodies, runs.ends, files.router)
