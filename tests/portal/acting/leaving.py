"""What takes something away: subscriptions end, and people sign out."""

from __future__ import annotations

from services.portal.rules.log import acts
from tests.portal.acting.world import (
    CLIENT,
    TENANT,
    Acting,
    nobody,
    own,
)
from tests.portal.test_pages import PASSWORD

ACTING: Acting = {
    ("POST", "/api/v1/tenants/{tenant_id}/suspend"): (
        lambda w: w.operator.post(w.at(TENANT + "/suspend"), json={"reason": "unpaid"}),
        own(acts.SubscriptionSuspended),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/resume"): (
        lambda w: w.operator.post(w.at(TENANT + "/resume"), json={"reason": "paid"}),
        own(acts.SubscriptionResumed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/end"): (
        lambda w: w.operator.post(w.at(TENANT + "/end"), json={"reason": "moves"}),
        own(acts.SubscriptionEnded),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/reinstate"): (
        lambda w: w.operator.post(w.at(TENANT + "/reinstate"), json={"reason": "stays"}),
        own(acts.SubscriptionReinstated),
    ),
    ("POST", "/clients/{tenant_id}/subscription/{step}"): (
        lambda w: w.send(w.desk, CLIENT + "/subscription/suspend", reason="unpaid"),
        own(acts.SubscriptionSuspended),
    ),
    ("POST", "/sign-out"): (lambda w: w.send(w.desk, "/sign-out"), nobody(acts.SignedOut)),
    ("DELETE", "/api/v1/tokens"): (lambda w: w.api.delete("/api/v1/tokens"), own(acts.SignedOut)),
    ("POST", "/password"): (
        lambda w: w.page.post(
            "/password",
            data={"password": PASSWORD, "new_password": PASSWORD * 2, "repeated": PASSWORD * 2},
        ),
        own(acts.PasswordChanged, acts.SignedIn),
    ),
}
