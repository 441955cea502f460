"""What quota has of a tenant, and erases with it (docs/destruction.md)."""

from __future__ import annotations

from libs.shared.erasure import EVENTS, Deleted, Plan

PLAN: Plan = (
    *EVENTS,
    Deleted("sent"),
    Deleted("plans"),
    Deleted("days"),
    Deleted("cases"),
    Deleted("decisions"),
    Deleted("allowances"),
)
