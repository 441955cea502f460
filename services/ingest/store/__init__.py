"""All SQL of ingest, one statement a function where one does it, by subject."""

from __future__ import annotations

from services.ingest.store import (
    agents,
    commits,
    counts,
    erasure,
    intake,
    manifests,
    names,
    notices,
    plans,
    proofs,
    rebuild,
    reductions,
    runs,
    scripts,
    sessions,
    usage,
)

__all__ = [
    "agents",
    "commits",
    "counts",
    "erasure",
    "intake",
    "manifests",
    "names",
    "notices",
    "plans",
    "proofs",
    "rebuild",
    "reductions",
    "runs",
    "scripts",
    "sessions",
    "usage",
]
