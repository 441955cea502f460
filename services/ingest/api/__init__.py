"""The agent protocol (docs/protocol.md)."""

from services.ingest.api import agents, runs

ROUTERS = (agents.router, runs.starts, runs.bodies, runs.ends)
