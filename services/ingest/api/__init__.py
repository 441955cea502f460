"""The agent protocol (docs/protocol.md)."""

from services.ingest.api import agents, files, runs
from services.ingest.api.bodies import limit_bodies

__all__ = ["ROUTERS", "limit_bodies"]

ROUTERS = (agents.entrance, agents.strays, agents.router, runs.router, files.router)
