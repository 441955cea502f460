"""A client's people: who has an account, and who may say so."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.portal import builder
from tests.portal.conftest import PASSWORD
from tests.portal.test_orders import order
from tests.portal.test_recipients import declare, told

CAMILLE = "camille@dupre.example"
UGO = {"name": "Ugo Petit", "email": "ugo@dupre.example"}


async def people(api: Any) -> dict[str, Any]:
    return {one["email"]: one for one in (await api.get("/api/v1/users")).json()["users"]}


async def administrators(portal: Any) -> list[str]:
    """Who everybody was told last that administers the client."""
    changed = (await portal.events("tenant.changed.v1"))[-1]
    return [one["email"] for one in changed["administrators"]]


async def test_an_administrator_lets_somebody_in_and_out_again(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with portal.client(client.token) as api:
        opened = await api.post("/api/v1/users", json=UGO)
        assert opened.status_code == 201, opened.text
        user_id = opened.json()["user_id"]
        token = await portal.sign_in(UGO["email"])
        assert (await people(api))[UGO["email"]]["role"] == "user"
        async with portal.client(token) as ugo:
            assert (await ugo.get("/api/v1/plans")).status_code == 200
            renamed = await api.patch(f"/api/v1/users/{user_id}", json={"name": "Ugo Grand"})
            assert renamed.json()["name"] == "Ugo Grand"
            closed = await api.delete(f"/api/v1/users/{user_id}")
            assert closed.status_code == 204
            assert (await ugo.get("/api/v1/plans")).status_code == 401, "signed out at once"
        assert list(await people(api)) == [CAMILLE]
        gone = await api.post("/api/v1/tokens", json={**SIGN_IN, "email": UGO["email"]})
        assert gone.status_code == 401
        assert (await api.delete(f"/api/v1/users/{user_id}")).status_code == 404
        again = await api.post("/api/v1/users", json=UGO)
        assert again.status_code == 201, "the address is free again"


SIGN_IN = {"password": PASSWORD}


async def test_beyond_the_seats_nobody_is_opened_before_one_is_ordered(portal: Any) -> None:
    client = await builder.open_client(portal)  # three seats, one is Camille's
    async with portal.client(client.token) as api:
        bodies = [{"name": f"P{n}", "email": f"p{n}@dupre.example"} for n in range(5)]
        answers = await asyncio.gather(*(api.post("/api/v1/users", json=body) for body in bodies))
        assert sorted(one.status_code for one in answers) == [201, 201, 409, 409, 409]
        refused = next(one for one in answers if one.status_code == 409).json()
        assert refused["type"].endswith(":seats-used")
        assert (refused["order"]["after"], refused["order"]["monthly"]) == (4, "12.00")
        ordered = await order(api, "/api/v1/orders", seats=4, quote=refused["order"]["quote"])
        assert ordered.status_code == 201
        assert (await api.post("/api/v1/users", json=UGO)).status_code == 201
        less = await order(api, "/api/v1/orders", seats=3)
        assert (less.status_code, less.json()["held"]) == (409, 4)
        assert "close some first" in less.json()["detail"]
        assert (await api.get("/api/v1/users")).json()["seats"] == 4


async def test_seats_that_are_to_go_are_not_filled_meanwhile(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with portal.client(client.token) as api:
        assert (await order(api, "/api/v1/orders", seats=1)).status_code == 201
        refused = await api.post("/api/v1/users", json=UGO)
        assert (refused.status_code, refused.json()["order"]["after"]) == (409, 2)


async def test_an_order_that_can_not_be_made_is_not_offered(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with portal.operator() as desk, portal.client(client.token) as api:
        path = f"/api/v1/tenants/{client.tenant_id}"
        await order(desk, f"{path}/orders", seats=1)
        await desk.put(f"{path}/orders/allowed", json={"allowed": False})
        refused = await api.post("/api/v1/users", json=UGO)
        assert (refused.status_code, refused.json()["order"]) == (409, None)
        await desk.post(f"{path}/suspend", json={"reason": "impayé"})
        refused = await api.post("/api/v1/users", json=UGO)
        assert refused.json()["type"].endswith(":order-subscription")


async def test_the_role_moves_and_somebody_always_has_it(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with portal.client(client.token) as api:
        me = f"/api/v1/users/{(await people(api))[CAMILLE]['user_id']}"
        for refused in (await api.delete(me), await api.patch(me, json={"role": "user"})):
            assert (refused.status_code, refused.json()["type"][19:]) == (409, "last-administrator")
        ugo = (await api.post("/api/v1/users", json=UGO)).json()["user_id"]
        assert await administrators(portal) == [CAMILLE]
        await api.patch(f"/api/v1/users/{ugo}", json={"role": "administrator"})
        assert await administrators(portal) == [CAMILLE, UGO["email"]]
        async with portal.client(await portal.sign_in(UGO["email"])) as other:
            both = await asyncio.gather(  # each takes the role from the other
                api.patch(f"/api/v1/users/{ugo}", json={"role": "user"}),
                other.patch(me, json={"role": "user"}),
            )
            assert sorted(one.status_code for one in both) in ([200, 403], [200, 409])
    assert len(await administrators(portal)) == 1
    kept = await portal.admin.fetchval(
        "SELECT count(*) FROM portal.users WHERE tenant_id = $1 AND role = 'administrator'",
        client.tenant_id,
    )
    assert kept == 1


async def test_whoever_comes_and_goes_gets_reports_and_gets_none(portal: Any) -> None:
    client = await builder.open_client(portal)
    await declare(client, UGO["email"])
    assert (await told(client))["pending"] == 1
    async with portal.client(client.token) as api:
        user_id = (await api.post("/api/v1/users", json=UGO)).json()["user_id"]
        assert [one["email"] for one in (await told(client))["recipients"]] == [UGO["email"]]
        await api.delete(f"/api/v1/users/{user_id}")
        assert ((await told(client))["recipients"], (await told(client))["pending"]) == ([], 1)


@pytest.mark.parametrize(
    "body",
    [
        {**UGO, "email": "nobody"},
        {**UGO, "email": "a@b.example\nBcc: c@d.example"},
        {**UGO, "email": 'a@b.exam"ple'},
        {**UGO, "email": "a@b.<script>"},
        {**UGO, "email": "a\u202e@b.example"},
        {**UGO, "name": ""},
        {**UGO, "name": "two\nlines"},
        {**UGO, "role": "operator"},
        {**UGO, "locale": "de"},
        {**UGO, "tenant_id": str(uuid4())},
    ],
)
async def test_people_who_can_not_be_are_refused(portal: Any, body: dict[str, Any]) -> None:
    client = await builder.open_client(portal)
    async with portal.client(client.token) as api:
        assert (await api.post("/api/v1/users", json=body)).status_code == 422
        taken = await api.post("/api/v1/users", json={**UGO, "email": CAMILLE.title()})
        assert (taken.status_code, taken.json()["type"][19:]) == (409, "email-taken")
        assert len(await people(api)) == 1


async def test_only_administrators_and_only_their_own_people(portal: Any) -> None:
    client = await builder.open_client(portal)
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    async with portal.client(client.token) as api:
        ugo = (await api.post("/api/v1/users", json=UGO)).json()["user_id"]
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/api/v1/users", None),
        ("POST", "/api/v1/users", {**UGO, "email": "new@x.example"}),
        ("PATCH", f"/api/v1/users/{ugo}", {"role": "administrator"}),
        ("DELETE", f"/api/v1/users/{ugo}", None),
    ]
    user = await portal.sign_in(UGO["email"])
    for token, status in (("", 401), (user, 403), (portal.operator_token, 403)):
        async with portal.client(token) as api:
            for method, url, body in calls:
                answer = await api.request(method, url, json=body)
                assert answer.status_code == status, (method, url, answer.text)
    async with portal.client(stranger.token) as api:
        assert UGO["email"] not in (await api.get("/api/v1/users")).text
        for method, url, body in calls[2:]:
            assert (await api.request(method, url, json=body)).status_code == 404, method
