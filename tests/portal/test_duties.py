"""What each of the provider's operators may do: every route, by every duty."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any, get_args
from uuid import uuid4

import pytest

from libs.shared import clock
from libs.shared.reasons import Reason
from services.portal.rules import operators
from services.portal.rules.log import acts
from services.portal.rules.log.acts import ACTS
from services.portal.rules.log.chain import Duty
from tests.hostile.counting import Campaign
from tests.portal import builder
from tests.portal.acting.notices import NOTICE
from tests.portal.acting.world import World, open_world
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.conftest import PASSWORD as OF_CLIENT
from tests.portal.test_access_log import ACTING, left
from tests.portal.test_pages import browser, form_token, sign_in
from tests.portal.test_strangers import OPERATORS

PASSWORD = "quatre chevaux gris au galop"
HTML = {"accept": "text/html"}
# The other routes that operators alone may use.
MORE = ("/api/v1/documents", "/api/v1/notices", "/api/v1/tenants")
ROUTES = {
    route: told
    for route, told in ACTING.items()
    if route[1].startswith((*OPERATORS, *MORE))
    and "/accept" not in route[1].replace("/acceptances", "")
    and route[1] != "/api/v1/documents/asked"
}


async def let_in(portal: Any, duty: Duty) -> str:
    """Another operator of that duty, who chose a password; their address."""
    email = f"{duty}@provider.example"
    async with portal.operator() as api:
        body = {"name": f"The {duty}", "email": email, "duty": duty}
        made = await api.post("/api/v1/operators", json=body)
    assert made.status_code == 201, made.text
    change = {"email": email, "password": made.json()["password"], "new_password": PASSWORD}
    async with portal.client() as api:
        assert (await api.post("/api/v1/password", json=change)).status_code == 204
    return email


async def settle(portal: Any) -> None:
    """Lets the days pass in which an operator confirms nothing."""
    await portal.admin.execute(
        "UPDATE portal.users SET password_issued_at = password_issued_at - $1::interval",
        operators.SETTLED_AFTER,
    )


async def said(world: World) -> int:
    """How much the portal told the other services."""
    return int(await world.portal.admin.fetchval("SELECT count(*) FROM portal.outbox"))


@pytest.mark.parametrize("duty", ["hotline", "sales"])
async def test_each_duty_does_what_it_is_there_for(
    portal: Any, campaign: Campaign, duty: Duty
) -> None:
    async with open_world(portal) as world, AsyncExitStack() as stack:
        email = await let_in(portal, duty)
        desk = await stack.enter_async_context(browser(portal))
        await sign_in(desk, email, PASSWORD)
        token = await portal.sign_in(email, PASSWORD)
        api = await stack.enter_async_context(portal.client(token))
        forms = {**world.forms, desk: form_token((await desk.get("/account")).text)}
        theirs = replace(world, desk=desk, operator=api, forms=forms)
        refused = 0
        # There is a notice to be read; all else each request makes itself.
        await world.operator.post("/api/v1/notices", json=NOTICE)
        for route, (call, expected) in ROUTES.items():
            heads, told = await world.heads(), await said(world)
            answer = await call(theirs)
            campaign.tried("requests of operators by their duty")
            if expected and all(operators.may(duty, act) for _, act in expected):
                assert answer.status_code < 400, (duty, route, answer.text)
                assert await left(world, heads) == expected, (duty, route)
                continue
            # What is there to be read before it is refused, such as a preview, they may read.
            allowed = [pair for pair in expected if operators.may(duty, pair[1])]
            found = await left(world, heads)
            assert found in (allowed, []), (duty, route)
            assert await said(world) == told, (duty, route)
            refused += answer.status_code == 403
        assert refused > 20


async def test_a_client_is_no_operator_on_any_route(portal: Any, campaign: Campaign) -> None:
    client = await builder.open_client(portal)
    ids = {"tenant_id": client.tenant_id, "plan": client.plan_id, "month": "2026-10", "step": "end"}
    async with (
        browser(portal) as page,
        browser(portal) as visitor,
        portal.client(client.token) as api,
        portal.client() as nobody,
        portal.client("no such token") as unknown,
    ):
        await sign_in(page, client.email, OF_CLIENT)
        form = {"form_token": form_token((await page.get("/account")).text)}
        noted = await portal.admin.fetchval("SELECT count(*) FROM portal.access_log")
        for method, path in sorted(ROUTES):
            address = path.format_map(defaultdict(lambda: str(uuid4()), ids))
            campaign.tried("requests of clients for what is operators'")
            if path.startswith("/api/"):
                for who, status in ((api, 403), (nobody, 401), (unknown, 401)):
                    refused = await who.request(method, address, json={})
                    assert refused.status_code == status, (method, path)
                continue
            sent = {"data": form} if method == "POST" else {}
            missing = await page.request(method, address, **sent)
            assert missing.status_code == 404, (method, path)
            led = await visitor.request(method, address, headers=HTML)
            assert led.status_code in (303, 401), (method, path)
    assert await portal.admin.fetchval("SELECT count(*) FROM portal.access_log") == noted


def test_an_act_is_an_administrator_s_unless_the_table_says_otherwise() -> None:
    for act in ACTS:
        assert operators.may("administrator", act)
    only = [acts.SubscriptionEnded, acts.PasswordReset, acts.OperatorAdded, acts.DestructionHeld]
    assert not any(operators.may(duty, act) for duty in ("sales", "hotline") for act in only)
    assert operators.may("hotline", acts.IncidentDecided)
    assert not operators.may("sales", acts.IncidentDecided)
    assert operators.may("sales", acts.OrderPlaced)
    assert not operators.may("hotline", acts.OrderPlaced)
    assert set(operators.DUTIES) == set(get_args(Duty))


async def test_an_operator_is_let_in_changed_and_let_go(portal: Any) -> None:
    email = await let_in(portal, "administrator")
    async with portal.client(await portal.sign_in(email, PASSWORD)) as other:
        listed = (await other.get("/api/v1/operators")).json()["operators"]
        ids = {one["email"]: one["user_id"] for one in listed}
        first = f"/api/v1/operators/{ids[OPERATOR_EMAIL]}"
        assert (await other.patch(first, json={"duty": "hotline"})).json()["duty"] == "hotline"
        own = f"/api/v1/operators/{ids[email]}"
        for method, body in (("PATCH", {"duty": "sales"}), ("DELETE", None)):
            last = await other.request(method, own, json=body)
            assert (last.status_code, last.json()["type"]) == (
                409,
                "urn:coffre:problem:last-operator",
            )
        # The installation's own token stands for whoever is the first administrator.
        async with portal.operator() as installed:
            assert (await installed.get("/api/v1/operators")).status_code == 200
            assert (await installed.get("/api/v1/sessions")).status_code == 200
        owner = await portal.admin.fetchval(
            "SELECT user_id FROM portal.credentials WHERE kind = 'bootstrap'"
        )
        assert str(owner) == ids[email]
        assert (await other.delete(first)).status_code == 204
        async with portal.operator() as installed:
            assert (await installed.get("/api/v1/operators")).status_code == 200
        reset = await other.post(f"{own}/reset")
        assert reset.status_code == 200
        assert (await other.get("/api/v1/operators")).status_code == 401
    body = {"email": OPERATOR_EMAIL, "password": OPERATOR_PASSWORD}
    async with portal.client() as nobody:
        again = await nobody.post("/api/v1/tokens", json=body)
    assert again.status_code == 401


async def test_one_alone_announces_no_near_end_and_odd_input_is_refused(portal: Any) -> None:
    client = await builder.open_client(portal)
    portal.app.state.resources = replace(portal.parts, four_eyes=frozenset({"end"}))
    where, now = f"/api/v1/tenants/{client.tenant_id}", clock.now()
    async with browser(portal) as desk, portal.operator() as api:
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        token = {"form_token": form_token((await desk.get("/account")).text)}
        page = f"/clients/{client.tenant_id}/subscription/end"
        form = {**token, "reason": "moves", "when": "day"}
        near = await desk.post(page, data={**form, "until": f"{now + timedelta(days=1):%Y-%m-%d}"})
        assert near.headers["location"].endswith("?problem=end-too-near")
        assert "il faut deux opérateurs" in (await desk.get(near.headers["location"])).text
        near = await api.post(f"{where}/end", json={"at": f"{now + timedelta(days=6)}"})
        assert near.json()["type"].endswith(":end-too-near")
        # The end of the maintenance is an end as well.
        soon = f"{now + timedelta(days=2):%Y-%m-%d}"
        near = await api.post(f"{where}/maintenance", json={"until": soon, "reason": "sold"})
        assert near.json()["type"].endswith(":end-too-near")
        page_of = f"/clients/{client.tenant_id}/maintenance"
        near = await desk.post(page_of, data={**token, "reason": "sold", "until": soon})
        assert "il faut deux opérateurs" in (await desk.get(near.headers["location"])).text
        assert (await api.get(where)).json()["subscription"] == "active"
        far = await desk.post(page, data={**form, "until": f"{now + timedelta(days=8):%Y-%m-%d}"})
        assert far.headers["location"] == f"/clients/{client.tenant_id}/contract"
        never = await desk.post(page, data={**form, "until": "9999-12-31"})
        assert never.status_code == 422
        snooze = {**token, "days": "0001" + "0" * 12}
        assert (await desk.post(f"/queue/{uuid4()}/snooze", data=snooze)).status_code == 422
        onward = await desk.get("/pulse", params={"seen": "another", "then": "/search?q=€"})
        assert onward.headers["HX-Redirect"] == "/search?q=%E2%82%AC"


@pytest.mark.parametrize("duty", ["administrator", "sales", "hotline"])
async def test_no_link_leads_where_a_duty_may_not_go(portal: Any, duty: Duty) -> None:
    client = await builder.open_client(portal)
    await client.commit({b"srv/a": builder.text(b"a")})
    await client.add_run(1, "failed", reason=Reason("disk-full").as_dict())
    email = await let_in(portal, duty)
    seen: set[str] = set()
    waiting = ["/queue", "/clients", f"/clients/{client.tenant_id}"]
    async with browser(portal) as desk:
        await sign_in(desk, email, PASSWORD)
        while waiting:
            address = waiting.pop()
            path = address.partition("?")[0]
            if path in seen:
                continue
            seen.add(path)
            shown = await desk.get(address, follow_redirects=True)
            # A file has the form that opens a look, until one is open.
            is_shut = path.endswith("/file") and "form_token" in shown.text
            assert shown.status_code == (403 if is_shut else 200), address
            waiting += [
                link
                for link in map(unescape, re.findall(r'href="(/[^"#]*)', shown.text))
                # Of the months of bills, one leads to the one before it.
                if not link.startswith(("/static", "/brand", "/language", "/legal", "/billing/"))
            ]
    assert f"/clients/{client.tenant_id}/contract" in seen
    assert ("/operators" in seen) == (duty == "administrator")


@pytest.mark.parametrize("duty", ["sales", "hotline"])
async def test_what_a_duty_may_not_do_has_no_button(portal: Any, duty: Duty) -> None:
    client = await builder.open_client(portal)
    email = await let_in(portal, duty)
    async with browser(portal) as desk:
        await sign_in(desk, email, PASSWORD)
        for step in ("end", "suspend"):
            asked = await desk.get(f"/clients/{client.tenant_id}/subscription/{step}")
            assert "Ce que cela fera" in asked.text
            assert f'action="/clients/{client.tenant_id}/subscription' not in asked.text, step
