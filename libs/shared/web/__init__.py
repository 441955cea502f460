"""HTTP: the application every service serves, with problems, limits, health and metrics."""

from __future__ import annotations

from libs.shared.web.app import Check, create_app, create_monitor
from libs.shared.web.bodies import Limit, Limits, most_bytes, pieces_of, read_body
from libs.shared.web.documents import Open, behind, is_known, note_known
from libs.shared.web.heads import is_head
from libs.shared.web.problems import problem_response
from libs.shared.web.requests import route_of

__all__ = [
    "Check",
    "Limit",
    "Limits",
    "Open",
    "behind",
    "create_app",
    "create_monitor",
    "is_head",
    "is_known",
    "most_bytes",
    "note_known",
    "pieces_of",
    "problem_response",
    "read_body",
    "route_of",
]
