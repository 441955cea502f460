"""What ingest decides, and the words it decides on, by subject."""

from __future__ import annotations

from services.ingest.rules import (
    agents,
    commits,
    intake,
    manifests,
    notices,
    proofs,
    rebuild,
    refusals,
    reported,
    runs,
    scripts,
    usage,
)

__all__ = [
    "agents",
    "commits",
    "intake",
    "manifests",
    "notices",
    "proofs",
    "rebuild",
    "refusals",
    "reported",
    "runs",
    "scripts",
    "usage",
]
