"""HTTP as a client sees it: problems, safe headers, health, metrics, on real sockets."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from libs.shared.web import app
from tests.shared.site import Caller, problem


async def test_refusals_are_problems(client: Caller) -> None:
    assert (await client.http.get("/things/one")).json() == {"thing": "one"}
    answer = await client.http.get("/things/none")
    assert problem(answer, 404, "not-found")["detail"] == "There is no such thing."
    answer = await client.http.get("/things/down")
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "7"


async def test_unknown_routes_and_methods_are_problems(client: Caller) -> None:
    problem(await client.http.get("/nowhere"), 404, "not-found")
    answer = await client.http.delete("/things/one")
    problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


async def test_an_invalid_body_is_named_and_never_repeated(client: Caller) -> None:
    answer = await client.http.post("/orders", json={"bytes_wanted": "hunter2"})
    body = problem(answer, 422, "invalid-request")
    assert body["errors"][0]["where"] == "body.bytes_wanted"
    assert "hunter2" not in answer.text
    for content in (b"{", b"\xff\xfe", b"", b"[]", b'{"bytes_wanted": "\xed\xa0\x80"}'):
        answer = await client.http.post(
            "/orders", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422), content
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_bug_is_a_500_that_tells_nothing_but_its_id(
    client: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await client.http.get("/things/bug", headers={"X-Request-Id": "abc-12345"})
    body = problem(answer, 500, "internal-error")
    assert body["request_id"] == answer.headers["x-request-id"] == "abc-12345"
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert (await client.http.get("/things/one")).status_code == 200


async def test_an_answer_that_breaks_in_the_middle_is_cut_not_ended(client: Caller) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        await client.http.get("/half")


async def test_every_answer_has_an_id_and_safe_headers(client: Caller) -> None:
    for path in ("/things/one", "/nowhere", "/things/bug", "/health/live"):
        headers = (await client.http.get(path, headers={"X-Request-Id": "bad\tid"})).headers
        assert len(headers["x-request-id"]) == 24
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in headers
    for path in ("/things/one", "/nowhere", "/things/bug", "/health/ready"):
        assert (await client.http.get(path)).headers["cache-control"] == "no-store"
    page = await client.http.get("/page")
    assert "cache-control" not in page.headers
    assert page.headers["content-security-policy"] == "default-src 'self'"


async def test_readiness_needs_what_is_required_and_shows_operators_the_rest(
    client: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "PROBED_SECONDS", 0)
    health = client.health
    answer = await client.monitor.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"database": "ok", "broker": "ok"}}
    assert (await client.http.get("/health/ready")).json() == {"status": "ready"}
    health["broker"] = False
    answer = await client.monitor.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["checks"]["broker"].startswith("The broker does not answer")
    health["database"] = False
    for asked, told in ((client.monitor, {"status", "checks"}), (client.http, {"status"})):
        answer = await asked.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
        assert set(answer.json()) == told
    assert (await client.http.get("/health/live")).status_code == 200


async def test_who_asks_for_readiness_again_and_again_starts_no_check(client: Caller) -> None:
    assert (await client.http.get("/health/ready")).status_code == 200
    before = client.health["looked"]
    await asyncio.gather(*(client.http.get("/health/ready") for _ in range(50)))
    assert client.health["looked"] <= before + 1


async def test_metrics_count_by_route_template_not_by_path(client: Caller) -> None:
    await client.http.get("/things/very-special-id")
    await client.http.get("/nowhere/very-special-id")
    metrics = (await client.monitor.get("/metrics")).text
    problem(await client.http.get("/metrics"), 404, "not-found")
    assert (
        'coffre_http_requests_total{method="GET",route="/things/{thing}",service="test",status="200"}'
        in metrics
    )
    assert 'route="unknown",service="test",status="404"' in metrics
    assert "very-special-id" not in metrics
