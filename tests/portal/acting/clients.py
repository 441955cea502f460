"""Clients as operators see them, and their machines."""

from __future__ import annotations

from services.portal.rules.log import acts
from tests.portal.acting.world import (
    AGENTS,
    TENANT,
    Acting,
    nobody,
    own,
)

TERMS = {
    "name": "Another",
    "contracted_bytes": 1,
    "administrator": {"name": "B", "email": "b@another.example"},
}


ACTING: Acting = {
    ("GET", "/api/v1/tenants"): (
        lambda w: w.get(w.operator, "/api/v1/tenants"),
        nobody(acts.TenantsListed),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}"): (
        lambda w: w.get(w.operator, TENANT),
        own(acts.TenantViewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/maintenance"): (
        lambda w: w.operator.post(
            w.at(TENANT + "/maintenance"), json={"until": "2999-12-31", "reason": "renewed"}
        ),
        own(acts.MaintenanceSet),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/enrolments"): (
        lambda w: w.operator.post(w.at(TENANT + "/enrolments")),
        own(acts.EnrolmentOpened),
    ),
    ("POST", "/api/v1/agents/{agent_id}/revoke"): (
        lambda w: w.operator.post(f"/api/v1/agents/{AGENTS[1]}/revoke"),
        own(acts.AgentRevoked),
    ),
    ("POST", "/api/v1/tenants"): (
        lambda w: w.operator.post("/api/v1/tenants", json=TERMS),
        [("another", acts.TenantOpened)],
    ),
}
