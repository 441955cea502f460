"""Routes that work in every state of a subscription, as they name no file that is kept."""

from __future__ import annotations

from tests.routes import Route

NOBODYS = """
GET /.well-known/coffre-certificate-key.pem
GET /agent
GET /agent/{name}
GET /brand.css
GET /brand/logo
GET /certificates/{token}
GET /certificates/{token}/json
GET /forgotten
POST /forgotten
GET /health/live
GET /health/ready
GET /invitations/{token}
POST /invitations/{token}
GET /language/{locale}
GET /legal/{page}
GET /password
POST /password
GET /sign-in
POST /sign-in
GET /sign-in/second
POST /sign-in/second
POST /sign-out
* /static
GET /v1/{path:path}
POST /v1/{path:path}
PUT /v1/{path:path}
"""
"""What whoever comes may ask for."""

OPERATORS_API = """
POST /api/v1/tenants/{tenant_id}/look
GET /api/v1/tenants/{tenant_id}/log
GET /api/v1/tenants/{tenant_id}/log/export
GET /api/v1/tenants/{tenant_id}/plans/{plan}/points
GET /api/v1/tenants/{tenant_id}/plans/{plan}/runs/{number}
GET /api/v1/tenants/{tenant_id}/recipients
POST /api/v1/tenants/{tenant_id}/recipients
DELETE /api/v1/tenants/{tenant_id}/recipients/{email}
GET /api/v1/tenants/{tenant_id}/plans/{plan}/runs
GET /api/v1/days
POST /api/v1/administrators/reset
POST /api/v1/agents/{agent_id}/revoke
GET /api/v1/approvals
POST /api/v1/approvals/{approval_id}/confirm
POST /api/v1/approvals/{approval_id}/decline
GET /api/v1/billing/{month}
POST /api/v1/billing/{month}/close
GET /api/v1/destructions
GET /api/v1/incidents
GET /api/v1/incidents/{incident_id}
POST /api/v1/incidents/{incident_id}/acknowledge
POST /api/v1/incidents/{incident_id}/close
POST /api/v1/incidents/{incident_id}/note
POST /api/v1/incidents/{incident_id}/snooze
GET /api/v1/notices
POST /api/v1/notices
GET /api/v1/notices/{notice_id}
POST /api/v1/notices/{notice_id}/carry-out
POST /api/v1/notices/{notice_id}/clients/{tenant_id}/send
POST /api/v1/notices/{notice_id}/publish
POST /api/v1/notices/{notice_id}/withdraw
GET /api/v1/operators
POST /api/v1/operators
DELETE /api/v1/operators/{user_id}
PATCH /api/v1/operators/{user_id}
POST /api/v1/operators/{user_id}/reset
GET /api/v1/overages
GET /api/v1/parked
GET /api/v1/parked/{service}/{event_id}
POST /api/v1/parked/{service}/{event_id}/drop
POST /api/v1/parked/{service}/{event_id}/replay
GET /api/v1/prices
PUT /api/v1/prices
GET /api/v1/queue
GET /api/v1/tenants
POST /api/v1/tenants
GET /api/v1/tenants/{tenant_id}
PATCH /api/v1/tenants/{tenant_id}
GET /api/v1/tenants/{tenant_id}/certificate
GET /api/v1/tenants/{tenant_id}/destruction
POST /api/v1/tenants/{tenant_id}/destruction/confirm
POST /api/v1/tenants/{tenant_id}/destruction/hold
POST /api/v1/tenants/{tenant_id}/destruction/release
POST /api/v1/tenants/{tenant_id}/end
POST /api/v1/tenants/{tenant_id}/enrolments
DELETE /api/v1/tenants/{tenant_id}/enrolments/{enrolment_id}
GET /api/v1/tenants/{tenant_id}/machines
POST /api/v1/tenants/{tenant_id}/maintenance
POST /api/v1/tenants/{tenant_id}/notes
DELETE /api/v1/tenants/{tenant_id}/notes/{note_id}
GET /api/v1/tenants/{tenant_id}/orders
POST /api/v1/tenants/{tenant_id}/orders
PUT /api/v1/tenants/{tenant_id}/orders/allowed
POST /api/v1/tenants/{tenant_id}/orders/preview
GET /api/v1/tenants/{tenant_id}/overview
POST /api/v1/tenants/{tenant_id}/plans/{plan}/clear
POST /api/v1/tenants/{tenant_id}/plans/{plan}/pause
GET /api/v1/tenants/{tenant_id}/quota
POST /api/v1/tenants/{tenant_id}/quota/block
POST /api/v1/tenants/{tenant_id}/quota/extend
POST /api/v1/tenants/{tenant_id}/quota/revise
POST /api/v1/tenants/{tenant_id}/quota/unblock
POST /api/v1/tenants/{tenant_id}/reductions
POST /api/v1/tenants/{tenant_id}/reductions/preview
POST /api/v1/tenants/{tenant_id}/reductions/{reduction_id}/withdraw
POST /api/v1/tenants/{tenant_id}/reinstate
POST /api/v1/tenants/{tenant_id}/resume
POST /api/v1/tenants/{tenant_id}/suspend
POST /api/v1/tenants/{tenant_id}/users
DELETE /api/v1/tenants/{tenant_id}/users/{user_id}
PATCH /api/v1/tenants/{tenant_id}/users/{user_id}
POST /api/v1/tenants/{tenant_id}/users/{user_id}/sign-out
GET /api/v1/tenants/{tenant_id}/volume/days
"""
"""The operators' API."""

OPERATORS_PAGES = """
POST /clients/{tenant_id}/look
GET /clients/{tenant_id}/log
GET /clients/{tenant_id}/log/export
POST /approvals/{approval_id}/{answer}
GET /billing
GET /billing/{month}
POST /billing/{month}/close
GET /billing/{month}/export
GET /clients
GET /clients/days
GET /clients/new
POST /clients/new
GET /clients/{tenant_id}
GET /clients/{tenant_id}/agents/{agent_id}/revoke
POST /clients/{tenant_id}/agents/{agent_id}/revoke
GET /clients/{tenant_id}/certificate
GET /clients/{tenant_id}/contract
POST /clients/{tenant_id}/enrolments
POST /clients/{tenant_id}/enrolments/{enrolment_id}/withdraw
POST /clients/{tenant_id}/maintenance
POST /clients/{tenant_id}/notes
POST /clients/{tenant_id}/notes/{note_id}/remove
POST /clients/{tenant_id}/orders
POST /clients/{tenant_id}/orders/allowed
GET /clients/{tenant_id}/orders/preview
POST /clients/{tenant_id}/orders/revise
POST /clients/{tenant_id}/people
POST /clients/{tenant_id}/people/{user_id}/{change}
GET /clients/{tenant_id}/plans/{plan}
POST /clients/{tenant_id}/plans/{plan}/clear
POST /clients/{tenant_id}/plans/{plan}/pause
GET /clients/{tenant_id}/plans/{plan}/runs/{number}
POST /clients/{tenant_id}/quota/{decision}
POST /clients/{tenant_id}/recipients
POST /clients/{tenant_id}/reset
GET /clients/{tenant_id}/subscription/{step}
POST /clients/{tenant_id}/subscription/{step}
GET /clients/{tenant_id}/terms
POST /clients/{tenant_id}/terms
GET /destructions
POST /destructions/{tenant_id}/{decision}
GET /notices
GET /notices/new
POST /notices/new
GET /notices/{notice_id}
POST /notices/{notice_id}/clients/{tenant_id}/send
POST /notices/{notice_id}/{step}
GET /operators
POST /operators
POST /operators/{user_id}/{change}
GET /overages
GET /parked
GET /parked/{service}/{event_id}
POST /parked/{service}/{event_id}/{decision}
GET /prices
POST /prices
GET /queue
POST /queue/{incident_id}/{decision}
"""
"""The operators' pages."""

CLIENTS_API = """
GET /api/v1/openapi.json
PUT /api/v1/language
GET /api/v1/second-factors
POST /api/v1/second-factors/totp
POST /api/v1/second-factors/totp/confirm
POST /api/v1/second-factors/recovery-codes
POST /api/v1/second-factors/remove
GET /api/v1/log
GET /api/v1/log/export
GET /api/v1/notices/current
GET /api/v1/plans/{plan}/runs/{number}
GET /api/v1/documents
POST /api/v1/documents
GET /api/v1/documents/asked
POST /api/v1/documents/{document}/{version}/accept
GET /api/v1/documents/{document}/{version}/acceptances
GET /api/v1/machines
POST /api/v1/machines/codes
DELETE /api/v1/machines/codes/{enrolment_id}
POST /api/v1/machines/{agent_id}/revoke
GET /api/v1/orders
POST /api/v1/orders
POST /api/v1/orders/preview
POST /api/v1/password
POST /api/v1/password/forgotten
GET /api/v1/plans
POST /api/v1/archive
POST /api/v1/archive/size
POST /api/v1/plans/{plan}/archive
POST /api/v1/plans/{plan}/archive/size
POST /api/v1/plans/{plan}/pause
GET /api/v1/plans/{plan}/points
GET /api/v1/plans/{plan}/recipients
POST /api/v1/plans/{plan}/recipients
DELETE /api/v1/plans/{plan}/recipients/{email}
GET /api/v1/plans/{plan}/runs
GET /api/v1/quota
POST /api/v1/quota/answer
POST /api/v1/reductions
POST /api/v1/reductions/preview
POST /api/v1/reductions/{reduction_id}/withdraw
GET /api/v1/reports
PUT /api/v1/reports
PUT /api/v1/reports/readers/{email}
POST /api/v1/runs/{run_id}/help
DELETE /api/v1/sessions
GET /api/v1/sessions
DELETE /api/v1/sessions/{credential_id}
DELETE /api/v1/tokens
POST /api/v1/tokens
GET /api/v1/tokens/personal
POST /api/v1/tokens/personal
DELETE /api/v1/tokens/personal/{credential_id}
GET /api/v1/users
POST /api/v1/users
DELETE /api/v1/users/{user_id}
PATCH /api/v1/users/{user_id}
POST /api/v1/users/{user_id}/reset
DELETE /api/v1/users/{user_id}/second-factors
POST /api/v1/users/{user_id}/sign-out
GET /api/v1/volume/days
"""
"""The clients' API."""

CLIENTS_PAGES = """
GET /
GET /account
POST /account
GET /account/second-factor
POST /account/second-factor
GET /account/sessions
POST /account/sessions
GET /account/tokens
POST /account/tokens
GET /documents
POST /documents/{document}/{version}
GET /log
GET /log/export
GET /machines
POST /machines/codes
POST /machines/codes/{enrolment_id}/withdraw
GET /machines/{agent_id}/revoke
POST /machines/{agent_id}/revoke
GET /orders
POST /orders
GET /orders/preview
GET /overage/{token}/{answer}
POST /overage/{token}/{answer}
GET /people
POST /people
GET /people/{user_id}
POST /people/{user_id}
GET /plans/{plan}
GET /plans/{plan}/pause
POST /plans/{plan}/pause
GET /plans/{plan}/recipients
POST /plans/{plan}/recipients
GET /plans/{plan}/runs/{number}
POST /plans/{plan}/runs/{number}/help
POST /plans/{plan}/selection
POST /plans/{plan}/selection/keep
POST /plans/{plan}/selection/size
GET /pulse
POST /quota/answer
GET /reports
POST /reports
GET /reports/{token}
POST /reports/{token}
POST /selection
POST /selection/drop
POST /selection/keep
POST /volume/reductions
POST /volume/reductions/{reduction_id}/withdraw
"""
"""The clients' pages."""


def list_nameless() -> set[Route]:
    """All of them."""
    texts = (NOBODYS, OPERATORS_API, OPERATORS_PAGES, CLIENTS_API, CLIENTS_PAGES)
    found = set()
    for text in texts:
        for method, path in map(str.split, text.strip().splitlines()):
            found.add((method, path))
    return found
