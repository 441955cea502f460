"""What ingest has of a tenant, and erases with it (docs/destruction.md)."""

from __future__ import annotations

from libs.shared.erasure import EVENTS, Deleted, Plan

_RUNS = "run_id IN (SELECT run_id FROM runs WHERE tenant_id = $1)"
_AGENTS = "agent_id IN (SELECT agent_id FROM agents WHERE tenant_id = $1)"

PLAN: Plan = (
    *EVENTS,
    Deleted("run_batches", _RUNS),
    Deleted("run_files", _RUNS),
    Deleted("names_due"),
    Deleted("runs"),
    Deleted("plans"),
    Deleted("portal_revocations", _AGENTS),
    Deleted("agents"),
    Deleted("enrolments"),
    Deleted("notices"),
    Deleted("usage"),
    Deleted("tallies"),
    Deleted("rebuilds"),
    Deleted("allowances"),
    Deleted("portal_subscriptions"),
    Deleted("tenants"),
)
