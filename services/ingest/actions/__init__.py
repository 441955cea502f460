"""What ingest does, in verbs, by subject."""

from __future__ import annotations

from services.ingest.actions import (
    agents,
    commits,
    intake,
    listings,
    manifests,
    memory,
    names,
    plans,
    proofs,
    rebuild,
    resources,
    rotating,
    runs,
    scripts,
    underway,
    usage,
)

__all__ = [
    "agents",
    "commits",
    "intake",
    "listings",
    "manifests",
    "memory",
    "names",
    "plans",
    "proofs",
    "rebuild",
    "resources",
    "rotating",
    "runs",
    "scripts",
    "underway",
    "usage",
]
