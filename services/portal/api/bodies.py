"""How large and how slow a body may be, for every route of API and pages that takes one."""

from __future__ import annotations

from libs.shared import restores
from libs.shared.web import Limit, Limits

# Passwords may have 4,096 characters, each escaped to twelve bytes at most.
_OPEN = Limit(160 << 10, seconds=15, pause_seconds=5, most_values=20)  # anybody may send it
_ANSWER = Limit(4 << 10, seconds=10, pause_seconds=5)  # whoever has a link of a mail
_JSON = Limit(64 << 10, seconds=30, most_values=100)
_PRICES = Limit(256 << 10, seconds=30, most_values=10_000)
_DOCUMENT = Limit(2 << 20, seconds=60, most_values=20)
_NOTICE = Limit(512 << 10, seconds=30, most_values=1_200)
_FORM = Limit(64 << 10, seconds=30)
# A thousand names of 255 bytes, each of three characters.
_SELECTION = Limit(1 << 20, seconds=30, most_values=1_100)
_SELECTION_FORM = Limit(1 << 20, seconds=30)

BODIES: Limits = {
    ("POST", "/api/v1/tokens"): _OPEN,
    ("POST", "/api/v1/password"): _OPEN,
    ("POST", "/api/v1/password/forgotten"): _OPEN,
    ("POST", "/api/v1/tenants"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/enrolments"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/end"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/suspend"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/resume"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/reinstate"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/quota/extend"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/quota/block"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/quota/unblock"): _JSON,
    ("POST", "/api/v1/quota/answer"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/maintenance"): _JSON,
    ("POST", "/api/v1/machines/codes"): _JSON,
    ("POST", "/api/v1/documents"): _DOCUMENT,
    ("POST", "/api/v1/notices"): _NOTICE,
    ("POST", "/api/v1/notices/{notice_id}/withdraw"): _JSON,
    ("POST", "/api/v1/parked/{service}/{event_id}/replay"): _JSON,
    ("POST", "/api/v1/parked/{service}/{event_id}/drop"): _JSON,
    ("POST", "/api/v1/incidents/{incident_id}/acknowledge"): _JSON,
    ("POST", "/api/v1/incidents/{incident_id}/snooze"): _JSON,
    ("POST", "/api/v1/incidents/{incident_id}/close"): _JSON,
    ("POST", "/api/v1/incidents/{incident_id}/note"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/plans/{plan}/pause"): _JSON,
    ("POST", "/api/v1/plans/{plan}/pause"): _JSON,
    ("POST", "/api/v1/runs/{run_id}/help"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/reductions"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/reductions/preview"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/reductions/{reduction_id}/withdraw"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/destruction/confirm"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/destruction/hold"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/destruction/release"): _JSON,
    ("POST", "/api/v1/administrators/reset"): _JSON,
    ("POST", "/api/v1/reductions"): _JSON,
    ("POST", "/api/v1/reductions/preview"): _JSON,
    ("POST", "/api/v1/reductions/{reduction_id}/withdraw"): _JSON,
    ("POST", "/api/v1/plans/{plan}/recipients"): _JSON,
    ("PUT", "/api/v1/reports"): _JSON,
    ("PUT", "/api/v1/reports/readers/{email}"): _JSON,
    ("POST", "/api/v1/plans/{plan}/archive"): _SELECTION,
    ("POST", "/api/v1/plans/{plan}/archive/size"): _SELECTION,
    ("POST", "/api/v1/plans/{plan}/chunks"): Limit(restores.MAX_REQUEST_BYTES, seconds=60),
    ("POST", "/api/v1/tenants/{tenant_id}/orders/preview"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/orders"): _JSON,
    ("PUT", "/api/v1/tenants/{tenant_id}/orders/allowed"): _JSON,
    ("POST", "/api/v1/tenants/{tenant_id}/quota/revise"): _JSON,
    ("PUT", "/api/v1/prices"): _PRICES,
    ("POST", "/api/v1/orders/preview"): _JSON,
    ("POST", "/api/v1/orders"): _JSON,
    ("POST", "/api/v1/users"): _JSON,
    ("PATCH", "/api/v1/users/{user_id}"): _JSON,
    ("POST", "/sign-in"): _OPEN,
    ("POST", "/password"): _OPEN,
    ("POST", "/forgotten"): _OPEN,
    ("POST", "/sign-out"): _FORM,
    ("POST", "/sign-in/second"): _OPEN,
    ("POST", "/api/v1/tokens/personal"): _JSON,
    ("POST", "/account/sessions"): _FORM,
    ("POST", "/account/tokens"): _FORM,
    ("POST", "/account/second-factor"): Limit(160 << 10, seconds=30),
    ("POST", "/people"): _FORM,
    ("POST", "/people/{user_id}"): _FORM,
    ("POST", "/account"): _FORM,
    ("POST", "/plans/{plan}/recipients"): _FORM,
    ("POST", "/plans/{plan}/runs/{number}/help"): _FORM,
    ("POST", "/plans/{plan}/pause"): _FORM,
    ("POST", "/plans/{plan}/selection"): _SELECTION_FORM,
    ("POST", "/plans/{plan}/selection/size"): _SELECTION_FORM,
    ("POST", "/orders"): _FORM,
    ("POST", "/documents/{document}/{version}"): _FORM,
    ("POST", "/volume/reductions"): _FORM,
    ("POST", "/volume/reductions/{reduction_id}/withdraw"): _FORM,
    ("POST", "/reports"): _FORM,
    ("POST", "/invitations/{token}"): _ANSWER,
    ("POST", "/reports/{token}"): _ANSWER,
    ("POST", "/overage/{token}/{answer}"): _ANSWER,
    ("POST", "/quota/answer"): _FORM,
    ("POST", "/machines/codes"): _FORM,
    ("POST", "/machines/codes/{enrolment_id}/withdraw"): _FORM,
    ("POST", "/machines/{agent_id}/revoke"): _FORM,
    ("POST", "/clients/{tenant_id}/enrolments"): _FORM,
    ("POST", "/clients/{tenant_id}/agents/{agent_id}/revoke"): _FORM,
    ("POST", "/clients/{tenant_id}/{step}"): _FORM,
}
