"""What each of the provider's operators may do: every route, by every duty."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args
from uuid import uuid4

import pytest

from libs.shared import clock
from services.portal.rules import operators
from services.portal.rules.log import acts
from services.portal.rules.log.acts import ACTS
from services.portal.rules.log.chain import Duty
from tests.hostile.counting import Campaign
from tests.portal import builder
from tests.portal.acting.notices import NOTICE
from tests.portal.acting.world import World, open_world
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_access_log import ACTING, left
from tests.portal.test_pages import browser, form_token, sign_in
from tests.portal.test_strangers import OPERATORS

PASSWORD = "quatre chevaux gris au galop"
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
        # The installation's own token is the first operator's, whose duty it has.
        async with portal.operator() as installed:
            assert (await installed.get("/api/v1/operators")).status_code == 403
            opened = await installed.post("/api/v1/tenants", json={})
            assert opened.status_code in (403, 422)
        assert (await other.delete(first)).status_code == 204
        # Then it stands for whoever is the first administrator.
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
