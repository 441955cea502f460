"""Whatever is sent to the portal has limits of size and time, in one table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from services.portal.__main__ import build
from services.portal.api.bodies import BODIES
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_pages import browser, sign_in
from tests.routes import list_routes
from tests.shared.bodies import check_table, refuse_all

UNREAD = {
    ("DELETE", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/personal/{credential_id}"),
    ("DELETE", "/api/v1/sessions"),
    ("DELETE", "/api/v1/sessions/{credential_id}"),
    ("POST", "/api/v1/users/{user_id}/reset"),
    ("DELETE", "/api/v1/users/{user_id}/second-factors"),
    ("POST", "/api/v1/notices/{notice_id}/publish"),
    ("POST", "/api/v1/notices/{notice_id}/clients/{tenant_id}/send"),
    ("POST", "/api/v1/notices/{notice_id}/carry-out"),
    ("DELETE", "/api/v1/plans/{plan}/recipients/{email}"),
    ("DELETE", "/api/v1/tenants/{tenant_id}/recipients/{email}"),
    ("POST", "/api/v1/agents/{agent_id}/revoke"),
    ("POST", "/api/v1/machines/{agent_id}/revoke"),
    ("DELETE", "/api/v1/machines/codes/{enrolment_id}"),
    ("DELETE", "/api/v1/tenants/{tenant_id}/enrolments/{enrolment_id}"),
    ("POST", "/api/v1/billing/{month}/close"),
    ("DELETE", "/api/v1/users/{user_id}"),
    ("POST", "/api/v1/approvals/{approval_id}/confirm"),
    ("POST", "/api/v1/approvals/{approval_id}/decline"),
    ("DELETE", "/api/v1/tenants/{tenant_id}/notes/{note_id}"),
    ("POST", "/api/v1/operators/{user_id}/reset"),
    ("DELETE", "/api/v1/operators/{user_id}"),
    ("DELETE", "/api/v1/tenants/{tenant_id}/users/{user_id}"),
    ("POST", "/v1/{path:path}"),
    ("PUT", "/v1/{path:path}"),
    ("POST", "/api/v1/documents/{document}/{version}/accept"),
    ("POST", "/api/v1/users/{user_id}/sign-out"),
    ("POST", "/api/v1/tenants/{tenant_id}/users/{user_id}/sign-out"),
}


async def test_every_route_is_in_the_table_and_refuses_what_is_too_large(portal: Any) -> None:
    check_table(BODIES, list_routes(build(portal.parts)), UNREAD)
    await refuse_all(portal.url, BODIES)
    async with portal.operator() as api:
        for size, status in ((1 << 20, 404), ((1 << 20) + 1, 413)):
            revoked = await api.post(f"/api/v1/agents/{'0' * 32}/revoke", content=bytes(size))
            assert revoked.status_code == status


async def test_a_browser_reads_on_a_page_that_its_form_was_too_large(portal: Any) -> None:
    size = BODIES["POST", "/notices/new"].most_bytes + 1

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 1 << 16):
            yield b"x" * min(1 << 16, size - start)

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with browser(portal) as page:
        strangers = await page.post("/sign-in", content=b"x" * size, headers=form)
        assert "trop long" in strangers.text
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        for content in (b"x" * size, pieces()):
            answer = await page.post("/notices/new", content=content, headers=form)
            assert answer.status_code == 413
            assert answer.headers["content-type"].startswith("text/html")
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "rien n’en a été fait" in answer.text
            assert "Se déconnecter" in answer.text
            assert answer.headers["connection"] == "close"
    async with portal.operator() as api:
        answer = await api.post("/api/v1/notices", content=b"x" * size)
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:coffre:problem:body-too-large"


async def test_what_is_too_large_is_refused_while_nobody_can_be_known(portal: Any) -> None:
    """A body that nobody reads any more must not be sent on and on, whatever else fails."""
    size = BODIES["POST", "/notices/new"].most_bytes + 1
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    name = await portal.admin.fetchval("SELECT current_database()")
    async with browser(portal) as page:
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        await portal.admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        await portal.admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        answer = await page.post("/notices/new", content=b"x" * size, headers=form)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert "trop long" in answer.text
        nowhere = await page.get("/nowhere")
        assert (nowhere.status_code, "Se déconnecter" in nowhere.text) == (404, False)
        assert nowhere.headers["content-type"].startswith("text/html")
        await portal.admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')


async def test_what_is_too_large_is_refused_by_a_portal_that_fails(portal: Any) -> None:
    size = BODIES["POST", "/notices/new"].most_bytes + 1
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with browser(portal) as page:
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        await portal.admin.execute("ALTER TABLE portal.credentials RENAME TO elsewhere")
        answer = await page.post("/notices/new", content=b"x" * size, headers=form)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert answer.json()["type"] == "urn:coffre:problem:body-too-large"
