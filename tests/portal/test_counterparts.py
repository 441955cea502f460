"""Everything that a page does, the JSON API does too: by the actions that both call."""

from __future__ import annotations

from collections import defaultdict

from services.portal import api, pages
from tests.portal.counterparts import find_actions, list_handlers

OF_PAGES_ALONE = {
    # Whoever follows a link of a mail has no account, and the link does this one thing.
    "choices.find_asked": "by a link of a mail; with an account: GET /reports",
    "choices.choose_by_link": "by a link of a mail; with an account: PUT /reports/readers/{email}",
    "recipients.find_question": "by a link of a mail, for who has no account",
    "recipients.answer": "the same",
    "overages.find_question": "by a link of a mail; with an account: GET /quota",
    "overages.answer_by_link": "by a link of a mail; with an account: POST /quota/answer",
    "destruction.read_by_link": "by a link of a mail, as JSON too, when no account is left",
    # Browsers alone.
    "factors.add_passkey": "a passkey is made and used by a browser",
    "factors.ask_for_passkey": "the same",
    "factors.ask_passkeys": "the same",
    "factors.check_passkey": "the same",
    "factors.check_code": "POST /tokens takes password and code at once",
    "factors.find_enrolment": "the secret is answered once, by POST /second-factors/totp",
    "people.signing.complete": "the second of two pages; POST /tokens is one request",
    "documents.has_pending": "where to lead to after signing in; GET /documents/asked",
    "home.find_pulse": "has a page load itself again",
    "files.selecting.keep": "what was ticked on several pages; POST /archive takes all places",
    "files.selecting.drop": "the same",
    "files.selecting.open_kept": "the same",
    "files.selecting.count_kept": "the same",
    # For everybody, without signing in.
    "branding.list_moves": "legal pages are texts for people",
    "packages.find_release": "files under /agent, with SHA256SUMS for programs",
    "packages.find_file": "the same",
    "packages.read_file": "the same",
    # What several routes of the API tell, and pages show together.
    "home.view": "GET /plans, /volume/days, /quota, /documents/asked, /machines",
    "desk.view_contract": "GET /tenants/{id}, its orders, quota and destruction, /billing/{month}",
    "orders.billing.view": "GET /billing/{month}, which is noted as taken along",
    "users.find_contract": "who the company is, beside one's own name; GET /quota, /orders",
    "users.view_user": "one of GET /users",
    "machines.find_machine": "one of GET /machines, in the question before it is revoked",
    "incidents.view_pause": "the question before a plan is paused: one of GET /plans",
    "files.points.open_view": "GET /plans/{plan}/points and /entries at once",
    "files.archives.measure_folders": "POST /plans/{plan}/archive/size",
    "files.browsing.find_newest": "GET /plans/{plan}/history",
    "files.previews.look": "GET /plans/{plan}/preview",
    "files.finding.open_search": "the plans of the form of a search: GET /plans",
    "orders.saying.say": "`sentences` of POST /orders/preview",
    "orders.saying.speak": "the same",
    "looks.find": "how far names and contents are open; the API refuses with what to ask for",
    "approvals.guards_people": "hides buttons; the API refuses with what to ask for",
    "clients.listing.find_by_names": "a form has names of clients; POST /notices takes ids",
}
"""Actions that no route of the API calls, each with why, or with what does the same."""

OF_NO_CLIENT = {
    "machines.revoke_agent": "POST /agents/{agent_id}/revoke",
    "approvals.reset_password": "POST /administrators/reset",
    "notices.list_current": "what stands on all pages of clients, and on none of operators",
}
"""Actions on pages of one client whose routes for operators name no client."""


def test_what_a_page_does_the_api_does_too() -> None:
    calling = defaultdict(set)
    for route, handler in list_handlers(api.router.routes).items():
        for action in find_actions(handler):
            calling[action].add(route)
    alone, elsewhere = set(), set()
    for (_, path), handler in list_handlers(pages.router.routes).items():
        for action in find_actions(handler):
            if action not in calling:
                alone.add(action)
            elif "{tenant_id}" in path and not any(
                "{tenant_id}" in other for _, other in calling[action]
            ):
                elsewhere.add(action)
    assert alone == set(OF_PAGES_ALONE)
    assert elsewhere == set(OF_NO_CLIENT)


def test_actions_are_found_behind_dependencies_and_in_shared_pages() -> None:
    handlers = list_handlers(pages.router.routes)
    look = find_actions(handlers["GET", "/clients/{tenant_id}/plans/{plan}/file"])
    assert {"looks.find", "files.previews.look"} <= look
    assert "people.signing.find_held" in look, "who asks is found by a dependency"
