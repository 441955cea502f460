"""Where mails lead to."""

from __future__ import annotations

from uuid import UUID


def link_plan(portal_url: str, plan_id: UUID) -> str:
    """Returns where a plan is seen in the portal."""
    return f"{portal_url.rstrip('/')}/plans/{plan_id}"
