"""A stranger tries every route with what belongs to another client, and finds nothing."""

from __future__ import annotations

from typing import Any

from fastapi.routing import APIRoute

from services.portal import api, pages
from tests.hostile.counting import Campaign
from tests.portal import builder
from tests.portal.test_pages import PASSWORD, browser, sign_in

TENANT_ROUTES = {
    ("GET", "/api/v1/plans/{plan}/runs"),
    ("GET", "/api/v1/plans/{plan}/runs/{number}"),
    ("GET", "/api/v1/plans/{plan}/changes"),
    ("GET", "/plans/{plan}/changes"),
    ("GET", "/api/v1/plans/{plan}/entries"),
    ("GET", "/api/v1/plans/{plan}/history"),
    ("GET", "/api/v1/plans/{plan}/file"),
    ("GET", "/api/v1/plans/{plan}/archive"),
    ("GET", "/api/v1/plans/{plan}/preview"),
    ("GET", "/api/v1/plans/{plan}/checksum"),
    ("GET", "/api/v1/plans/{plan}/points"),
    ("GET", "/api/v1/plans/{plan}/manifest"),
    ("POST", "/api/v1/plans/{plan}/chunks"),
    ("GET", "/plans/{plan}"),
    ("GET", "/plans/{plan}/runs/{number}"),
    ("GET", "/plans/{plan}/files"),
    ("GET", "/plans/{plan}/versions"),
    ("GET", "/plans/{plan}/file"),
}
# Routes that name nothing of a tenant, or are for operators alone (tested in test_duties).
OTHERS = {
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens"),
    ("POST", "/api/v1/password"),
    ("POST", "/api/v1/password/forgotten"),
    ("GET", "/api/v1/plans"),
    ("GET", "/api/v1/documents"),  # these three for operators alone
    ("POST", "/api/v1/documents"),
    ("GET", "/api/v1/documents/{document}/{version}/acceptances"),
    ("GET", "/api/v1/search"),  # tested in test_search
    ("POST", "/api/v1/plans/{plan}/archive"),  # these eleven in test_selections
    ("POST", "/api/v1/archive"),
    ("POST", "/api/v1/archive/size"),
    ("POST", "/plans/{plan}/selection/keep"),
    ("GET", "/selection"),
    ("POST", "/selection"),
    ("POST", "/selection/keep"),
    ("POST", "/selection/drop"),
    ("POST", "/api/v1/plans/{plan}/archive/size"),
    ("POST", "/plans/{plan}/selection"),
    ("POST", "/plans/{plan}/selection/size"),
    ("GET", "/api/v1/plans/{plan}/recipients"),  # these seven in test_recipients
    ("POST", "/api/v1/plans/{plan}/recipients"),
    ("DELETE", "/api/v1/plans/{plan}/recipients/{email}"),
    ("GET", "/plans/{plan}/recipients"),
    ("POST", "/plans/{plan}/recipients"),
    ("POST", "/api/v1/plans/{plan}/pause"),  # these five in test_incidents
    ("GET", "/plans/{plan}/pause"),
    ("POST", "/plans/{plan}/pause"),
    ("POST", "/plans/{plan}/runs/{number}/help"),
    ("POST", "/api/v1/runs/{run_id}/help"),
    ("GET", "/api/v1/documents/asked"),  # these four in test_documents
    ("POST", "/api/v1/documents/{document}/{version}/accept"),
    ("GET", "/documents"),
    ("POST", "/documents/{document}/{version}"),
    ("GET", "/api/v1/volume"),  # these nine in test_reductions
    ("GET", "/api/v1/reductions"),
    ("POST", "/api/v1/reductions"),
    ("POST", "/api/v1/reductions/preview"),
    ("POST", "/api/v1/reductions/{reduction_id}/withdraw"),
    ("GET", "/volume"),
    ("GET", "/volume/preview"),
    ("POST", "/volume/reductions"),
    ("POST", "/volume/reductions/{reduction_id}/withdraw"),
    ("GET", "/api/v1/notices/current"),  # in test_notices, too
    ("GET", "/api/v1/notices"),  # these seven for operators alone, in test_notices
    ("POST", "/api/v1/notices"),
    ("GET", "/api/v1/notices/{notice_id}"),
    ("POST", "/api/v1/notices/{notice_id}/publish"),
    ("POST", "/api/v1/notices/{notice_id}/withdraw"),
    ("POST", "/api/v1/notices/{notice_id}/clients/{tenant_id}/send"),
    ("POST", "/api/v1/notices/{notice_id}/carry-out"),
    ("GET", "/api/v1/reports"),  # these seven in test_choices
    ("PUT", "/api/v1/reports"),
    ("PUT", "/api/v1/reports/readers/{email}"),
    ("GET", "/reports"),
    ("POST", "/reports"),
    ("GET", "/reports/{token}"),
    ("POST", "/reports/{token}"),
    ("GET", "/invitations/{token}"),
    ("POST", "/invitations/{token}"),
    ("GET", "/api/v1/orders"),  # these six in test_orders: they name nobody
    ("POST", "/api/v1/orders"),
    ("POST", "/api/v1/orders/preview"),
    ("GET", "/orders"),
    ("GET", "/orders/preview"),
    ("POST", "/orders"),
    ("GET", "/api/v1/users"),  # these ten in test_users and test_people_pages
    ("DELETE", "/api/v1/users/{user_id}/second-factors"),
    ("POST", "/api/v1/users/{user_id}/reset"),
    ("POST", "/api/v1/users/{user_id}/sign-out"),
    ("GET", "/log"),  # these two in test_log_pages
    ("GET", "/log/export"),
    ("GET", "/people"),
    ("POST", "/people"),
    ("GET", "/people/{user_id}"),
    ("POST", "/people/{user_id}"),
    ("POST", "/api/v1/users"),
    ("PATCH", "/api/v1/users/{user_id}"),
    ("DELETE", "/api/v1/users/{user_id}"),
    ("GET", "/api/v1/quota"),  # these five in test_overages
    ("GET", "/api/v1/volume/days"),
    ("POST", "/api/v1/quota/answer"),
    ("GET", "/overage/{token}/{answer}"),
    ("POST", "/overage/{token}/{answer}"),
    ("POST", "/quota/answer"),  # these in test_machines and test_stories_clients
    ("GET", "/pulse"),
    ("GET", "/machines"),
    ("POST", "/machines/codes"),
    ("POST", "/machines/codes/{enrolment_id}/withdraw"),
    ("GET", "/machines/{agent_id}/revoke"),
    ("POST", "/machines/{agent_id}/revoke"),
    ("GET", "/api/v1/machines"),
    ("POST", "/api/v1/machines/codes"),
    ("DELETE", "/api/v1/machines/codes/{enrolment_id}"),
    ("POST", "/api/v1/machines/{agent_id}/revoke"),
    ("GET", "/certificates/{token}"),  # these three in tests/destruction
    ("GET", "/certificates/{token}/json"),
    ("GET", "/.well-known/coffre-certificate-key.pem"),
    ("GET", "/"),
    ("GET", "/search"),  # likewise
    ("GET", "/brand.css"),  # these three in test_branding
    ("GET", "/brand/logo"),
    ("GET", "/legal/{page}"),
    ("GET", "/sign-in"),
    ("GET", "/sign-in/second"),  # these four in test_factors
    ("POST", "/sign-in/second"),
    ("GET", "/account/second-factor"),
    ("POST", "/account/second-factor"),
    ("GET", "/account/sessions"),  # these ten in test_credentials
    ("POST", "/account/sessions"),
    ("GET", "/account/tokens"),
    ("POST", "/account/tokens"),
    ("GET", "/api/v1/sessions"),
    ("DELETE", "/api/v1/sessions"),
    ("DELETE", "/api/v1/sessions/{credential_id}"),
    ("GET", "/api/v1/log"),
    ("GET", "/api/v1/log/export"),
    ("PUT", "/api/v1/language"),
    ("GET", "/api/v1/second-factors"),
    ("POST", "/api/v1/second-factors/totp"),
    ("POST", "/api/v1/second-factors/totp/confirm"),
    ("POST", "/api/v1/second-factors/recovery-codes"),
    ("POST", "/api/v1/second-factors/remove"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/v1/tokens/personal"),
    ("POST", "/api/v1/tokens/personal"),
    ("DELETE", "/api/v1/tokens/personal/{credential_id}"),
    ("GET", "/forgotten"),
    ("POST", "/forgotten"),
    ("GET", "/language/{locale}"),
    ("POST", "/sign-in"),
    ("POST", "/sign-out"),
    ("GET", "/password"),
    ("POST", "/password"),
    ("GET", "/account"),
    ("POST", "/account"),
    ("GET", "/agent"),  # these in test_packages
    ("GET", "/agent/{name}"),
}
OPERATORS = (
    "/api/v1/tenants",
    "/api/v1/agents",
    "/api/v1/administrators",
    "/api/v1/prices",
    "/api/v1/billing",
    "/api/v1/parked",
    "/api/v1/incidents",
    "/api/v1/destructions",
    "/api/v1/queue",
    "/api/v1/days",
    "/api/v1/overages",
    "/api/v1/approvals",
    "/api/v1/operators",
    "/clients",
    "/queue",
    "/approvals",
    "/overages",
    "/notices",
    "/billing",
    "/prices",
    "/parked",
    "/destructions",
    "/operators",
)


def routes() -> set[tuple[str, str]]:
    """(method, path) of every route of API and pages."""
    found = set()

    def add(router: Any, prefix: str = "") -> None:
        for route in router.routes:
            if isinstance(route, APIRoute):
                found.update((method, prefix + route.path) for method in route.methods)
            elif hasattr(route, "original_router"):  # a router that was included
                add(route.original_router, prefix)

    add(api.router, "/api/v1")
    add(pages.router)
    return found


def test_every_route_is_known_here() -> None:
    known = {route for route in routes() if not route[1].startswith(OPERATORS)}
    assert known == TENANT_ROUTES | OTHERS


async def test_a_stranger_finds_nothing(portal: Any, campaign: Campaign) -> None:
    owner = await builder.open_client(portal)
    await owner.commit({b"srv/secret": builder.text(b"secret of the owner")})
    await owner.add_run(1)
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    await stranger.commit({b"srv/own": builder.text(b"own")})
    places = await portal.admin.fetch(f"{builder.PLACES} WHERE tenant_id = $1", owner.tenant_id)
    asked = builder.asked(places)
    async with portal.client(stranger.token) as api_client, browser(portal) as page:
        await sign_in(page, stranger.email, PASSWORD)
        listed = await api_client.get("/api/v1/plans")
        assert [plan["name"] for plan in listed.json()["plans"]] == ["other"]
        for plan in (str(owner.plan_id), "documents", str(owner.tenant_id), "'"):
            for method, path in sorted(TENANT_ROUTES):
                url = path.format(plan=plan, number=1) + "?run=1&older=1&newer=2&path=srv/secret"
                client = api_client if path.startswith("/api") else page
                content = {"content": asked} if method == "POST" else {}
                answer = await client.request(method, url, **content)
                campaign.tried("requests of strangers")
                assert answer.status_code == 404, (method, url)
                assert b"secret of" not in answer.content
        # One's own plan, another's chunks: as if they didn't exist.
        chunks = await api_client.post("/api/v1/plans/other/chunks", content=asked)
        assert chunks.content == bytes(5 * len(places))
        assert "documents" not in (await page.get("/")).text
        assert (await page.get(f"/clients/{owner.tenant_id}")).status_code == 404


async def test_row_level_security_holds_where_a_query_would_forget(portal: Any) -> None:
    from libs.shared.database import tenant_transaction, transaction

    owner = await builder.open_client(portal)
    await owner.commit({b"srv/secret": builder.text(b"secret")})
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    tables = ("plans", "runs", "folders", "versions", "packs", "chunks", "volumes")
    for table in tables:
        async with tenant_transaction(portal.parts.pool, stranger.tenant_id) as conn:
            seen = await conn.fetch(f"SELECT DISTINCT tenant_id FROM catalogue.{table}")
        assert {row["tenant_id"] for row in seen} <= {stranger.tenant_id}
        async with transaction(portal.parts.pool) as conn:
            assert await conn.fetchval(f"SELECT count(*) FROM catalogue.{table}") == 0


async def test_a_name_that_two_machines_use_asks_which(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.commit({b"srv/a": builder.text(b"a")})
    second = await client.add_machine("second-machine", "documents")
    async with portal.client(client.token) as api_client:
        answer = await api_client.get("/api/v1/plans/documents/entries")
        assert answer.status_code == 409
        listed = {plan["agent"]: plan["plan_id"] for plan in answer.json()["plans"]}
        assert listed["second-machine"] == str(second.plan_id)
        assert (await api_client.get(f"/api/v1/plans/{client.plan_id}/entries")).status_code == 200
