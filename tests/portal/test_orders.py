"""Orders, seen first and placed once, by administrators and by operators for them."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine

from libs.shared.events import VolumeChanged
from libs.shared.words.tongue import NBSP
from services.portal import jobs
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD
from tests.portal.test_pages import browser, form_token, sign_in

EMAIL = "camille@dupre.example"
GB = 10**9
NOVEMBER = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DECEMBER = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)  # half past midnight in Paris


@contextmanager
def moment(now: datetime) -> Iterator[None]:
    """The installation at that time."""
    with time_machine.travel(now, tick=True):
        yield


async def open_tenant(portal: Any, contracted_bytes: int = 100 * GB) -> str:
    return str(await portal.open_tenant("Dupré", EMAIL, contracted_bytes=contracted_bytes))


async def hold(portal: Any, tenant_id: str, stored_bytes: int, sequence: int = 1) -> None:
    """The client has so much stored."""
    await builder.hear(
        portal,
        VolumeChanged(
            tenant_id=UUID(tenant_id), stored_bytes=stored_bytes, protected_bytes=stored_bytes,
            sequence=sequence,
        ),
    )  # fmt: skip


async def order(api: Any, path: str, key: str = "", **body: Any) -> Any:
    return await api.post(path, json=body, headers={"Idempotency-Key": key or uuid4().hex})


async def contract(portal: Any) -> tuple[int, int]:
    """What everybody was told last that the client has."""
    told = (await portal.events("tenant.changed.v1"))[-1]
    return told["contracted_bytes"], told["seats"]


async def test_an_administrator_sees_the_price_and_orders_once(portal: Any) -> None:
    with moment(NOVEMBER):
        await open_tenant(portal)
        token = await portal.sign_in(EMAIL)
        async with portal.client(token) as api:
            seen = (await api.post("/api/v1/orders/preview", json={"seats": 4})).json()
            assert [(one["month"], one["amount"], one["currency"]) for one in seen["lines"]] == [
                ("2026-11", "12.00", "EUR"), ("2026-11", "15.00", "EUR"),
                ("2026-12", "12.00", "EUR"),
            ]  # fmt: skip
            assert seen["sentences"]["fr"] == (
                f"Ouvert le 22{NBSP}: facturé pour tout le mois de novembre 2026{NBSP}:"
                f" 27,00{NBSP}€, dont 15,00{NBSP}€ de frais d’entrée une seule fois,"
                f" puis 12,00{NBSP}€ par mois,"
                " hors taxes."
            )
            assert seen["sentences"]["en"].startswith("Opened on day 22: billed for the whole")
            assert await contract(portal) == (100 * GB, 3), "nothing is ordered by looking"
            body = {"seats": 4, "quote": seen["quote"]}
            answers = await asyncio.gather(
                *(order(api, "/api/v1/orders", "two-clicks", **body) for _ in range(6))
            )
            assert sorted(one.status_code for one in answers) == [200] * 5 + [201]
            assert len({one.json()["order_id"] for one in answers}) == 1
            assert answers[0].json()["lines"] == seen["lines"]
            other = await order(api, "/api/v1/orders", "two-clicks", seats=5)
            assert (other.status_code, other.json()["type"][19:]) == (422, "key-reused")
            again = await order(api, "/api/v1/orders", seats=4)
            assert again.json()["type"].endswith(":order-unchanged")
        assert await contract(portal) == (100 * GB, 4)
        [said] = await portal.events("order.confirmed.v1")
        assert (said["by"], said["in_provider_name"], said["monthly"]) == (
            "Camille Martin", False, "12.00",
        )  # fmt: skip


async def test_less_waits_for_the_month_in_paris_and_for_room(portal: Any) -> None:
    with moment(NOVEMBER):
        tenant_id = await open_tenant(portal, 500 * GB)
        await hold(portal, tenant_id, 150 * GB)
        path = f"/api/v1/tenants/{tenant_id}/orders"
        async with portal.operator() as api:
            refused = await order(api, path, storage_bytes=100 * GB)
            assert (refused.status_code, refused.json()["held"]) == (409, 150 * GB)
            assert "reduce what is kept first" in refused.json()["detail"]
            less = await order(api, path, storage_bytes=200 * GB)
            assert less.status_code == 201
            assert less.json()["effective_at"] == "2026-11-30T23:00:00Z"
            assert less.json()["sentences"]["fr"] == (
                f"Ce que vous avez est dû jusqu’à la fin du mois de novembre 2026{NBSP}:"
                f" 45,00{NBSP}€{NBSP}; puis 18,00{NBSP}€ par mois, hors taxes."
            )
            assert (await order(api, path, seats=2)).status_code == 201
            listed = (await api.get(path)).json()
            assert [one["pending"] for one in listed["orders"]] == [True, True, False, False]
        assert not await jobs.take_orders_effect(portal.parts)
        assert await contract(portal) == (500 * GB, 3)
    with moment(DECEMBER):
        assert await jobs.take_orders_effect(portal.parts) == 2
        assert not await jobs.take_orders_effect(portal.parts)
    assert await contract(portal) == (200 * GB, 2)


async def test_what_fills_up_until_the_months_end_keeps_its_contract(portal: Any) -> None:
    with moment(NOVEMBER):
        tenant_id = await open_tenant(portal, 500 * GB)
        async with portal.operator() as api:
            path = f"/api/v1/tenants/{tenant_id}/orders"
            await order(api, path, storage_bytes=200 * GB)
            await hold(portal, tenant_id, 201 * GB)
            with moment(DECEMBER):
                assert await jobs.take_orders_effect(portal.parts) == 1
                listed = (await api.get(path)).json()
    assert await contract(portal) == (500 * GB, 3)
    kept = (await portal.events("order.confirmed.v1"))[-1]
    assert (kept["is_kept"], kept["after"], kept["monthly"]) == (True, 500 * GB, "45.00")
    assert listed["orders"][0]["cause"] == "kept"
    assert not any(one["pending"] for one in listed["orders"])


async def test_who_changes_their_mind_in_time_keeps_what_they_have(portal: Any) -> None:
    with moment(NOVEMBER):
        tenant_id = await open_tenant(portal)
        path = f"/api/v1/tenants/{tenant_id}/orders"
        async with portal.operator() as api:
            await order(api, path, seats=1)
            back = await order(api, path, seats=3)
            assert [one["amount"] for one in back.json()["lines"]] == ["9.00", "9.00"]
    with moment(DECEMBER):
        assert not await jobs.take_orders_effect(portal.parts)
    assert await contract(portal) == (100 * GB, 3)


async def test_a_price_that_changed_since_the_preview_is_not_charged(portal: Any) -> None:
    with moment(NOVEMBER):
        tenant_id = await open_tenant(portal)
        path = f"/api/v1/tenants/{tenant_id}/orders"
        async with portal.operator() as api:
            body = {"storage_bytes": 300 * GB}
            seen = (await api.post(f"{path}/preview", json=body)).json()
            both = await asyncio.gather(  # two operators, each with the same page before them
                order(api, path, storage_bytes=200 * GB),
                order(api, path, **body, quote=seen["quote"]),
                return_exceptions=True,
            )
            assert sorted(one.status_code for one in both) in ([201, 201], [201, 409])
            late = await order(api, path, **body, quote=seen["quote"])
            assert late.status_code == 409
        if [one.status_code for one in both] == [201, 409]:
            assert both[1].json()["type"].endswith(":quote-changed")
    assert len(await portal.events("order.confirmed.v1")) == sum(
        one.status_code == 201 for one in both
    )


@pytest.mark.parametrize(("step", "state"), [("suspend", "suspended"), ("end", "ended")])
async def test_nothing_is_ordered_for_who_may_not(portal: Any, step: str, state: str) -> None:
    tenant_id = await open_tenant(portal)
    path = f"/api/v1/tenants/{tenant_id}"
    async with portal.operator() as api:
        await api.post(f"{path}/{step}", json={"reason": "impayé"})
        refused = await order(api, f"{path}/orders", storage_bytes=200 * GB)
        assert (refused.status_code, refused.json()["type"][19:]) == (409, "order-subscription")
        assert f"{state} (impayé)" in refused.json()["detail"]
        preview = await api.post(f"{path}/orders/preview", json={"storage_bytes": 200 * GB})
        assert preview.status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"storage_bytes": -1},
        {"storage_bytes": 2**63},
        {"storage_bytes": 1.5},
        {"storage_bytes": "viel"},
        {"storage_bytes": 1, "seats": 1},
        {"seats": 0},
        {"seats": 10**9},
        {"seats": 1, "colour": "red"},
    ],
)
async def test_absurd_orders_are_refused(portal: Any, body: dict[str, Any]) -> None:
    tenant_id = await open_tenant(portal)
    async with portal.operator() as api:
        for path in ("orders", "orders/preview"):
            refused = await order(api, f"/api/v1/tenants/{tenant_id}/{path}", **body)
            assert refused.status_code == 422, refused.text
        bare = await api.post(f"/api/v1/tenants/{tenant_id}/orders", json={"seats": 9})
        assert bare.status_code == 422, "an order without a key can't be told from its repetition"
        assert (await order(api, f"/api/v1/tenants/{uuid4()}/orders", seats=9)).status_code == 404
    assert len(await portal.admin.fetch("SELECT FROM portal.orders")) == 2


async def test_a_contract_of_zero_costs_its_seats_alone(portal: Any) -> None:
    with moment(NOVEMBER):
        tenant_id = await open_tenant(portal, 0)
        async with portal.operator() as api:
            listed = (await api.get(f"/api/v1/tenants/{tenant_id}/orders")).json()
            assert [one["monthly"] for one in listed["orders"]] == ["9.00", "0.00"]
            more = await order(api, f"/api/v1/tenants/{tenant_id}/orders", storage_bytes=2 * GB)
            assert [one["amount"] for one in more.json()["lines"]] == ["9.00", "9.00"]
    assert await contract(portal) == (2 * GB, 3)


async def test_the_provider_raises_by_its_own_name_who_stays_above(portal: Any) -> None:
    with moment(NOVEMBER):
        tenant_id = await open_tenant(portal)
        path = f"/api/v1/tenants/{tenant_id}/quota/revise"
        body = {"reason": "au-dessus depuis 60 jours", "clause": "Article 7.3"}
        async with portal.operator() as api:
            await hold(portal, tenant_id, 100 * GB)
            early = await api.post(path, json=body)
            assert early.json()["type"].endswith(":nothing-to-revise")
            await hold(portal, tenant_id, 230 * GB, 2)
            both = await asyncio.gather(*(api.post(path, json=body) for _ in range(2)))
            assert sorted(one.status_code for one in both) == [201, 409]
            assert (await api.post(path, json={"reason": "x"})).status_code == 422
        assert await contract(portal) == (300 * GB, 3)
        [said] = await portal.events("order.confirmed.v1")
        assert (said["in_provider_name"], said["clause"], said["reason"], said["monthly"]) == (
            True, "Article 7.3", "au-dessus depuis 60 jours", "27.00",
        )  # fmt: skip


async def test_an_operator_keeps_administrators_from_ordering(portal: Any) -> None:
    tenant_id = await open_tenant(portal)
    token = await portal.sign_in(EMAIL)
    path = f"/api/v1/tenants/{tenant_id}/orders"
    async with portal.operator() as desk, portal.client(token) as api:
        assert (await api.get("/api/v1/orders")).json()["may_order"] is True
        assert (await desk.put(f"{path}/allowed", json={"allowed": False})).status_code == 204
        assert (await api.get("/api/v1/orders")).json()["may_order"] is False
        for route in ("/api/v1/orders", "/api/v1/orders/preview"):
            refused = await order(api, route, seats=5)
            assert (refused.status_code, refused.json()["type"][19:]) == (403, "orders-by-provider")
        assert (await order(desk, path, seats=5)).status_code == 201
        await desk.put(f"{path}/allowed", json={"allowed": True})
        assert (await order(api, "/api/v1/orders", seats=6)).status_code == 201


async def test_only_administrators_order_and_each_for_their_own(portal: Any) -> None:
    client = await builder.open_client(portal)
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    await portal.admin.execute(
        """INSERT INTO portal.users SELECT gen_random_uuid(), tenant_id, 'user', 'Ugo',
           'ugo@dupre.example', locale, password_hash, one_time, password_expires_at, created_at
           FROM portal.users WHERE email = $1""",
        client.email,
    )
    user = await portal.sign_in("ugo@dupre.example")
    for token, status in (("", 401), (user, 403), (portal.operator_token, 403)):
        async with portal.client(token) as api:
            assert (await api.get("/api/v1/orders")).status_code == status
            for route in ("/api/v1/orders", "/api/v1/orders/preview"):
                assert (await order(api, route, seats=9)).status_code == status
    operators = f"/api/v1/tenants/{client.tenant_id}"
    async with portal.client(stranger.token) as api:
        assert (await order(api, f"{operators}/orders", seats=9)).status_code == 403
        assert (await api.get(f"{operators}/orders")).status_code == 403
        assert (await api.get("/api/v1/prices")).status_code == 403
        assert (await order(api, "/api/v1/orders", seats=9)).status_code == 201
    rows = await portal.admin.fetch("SELECT tenant_id FROM portal.orders WHERE after = 9")
    assert [row["tenant_id"] for row in rows] == [stranger.tenant_id]
    async with browser(portal) as page:
        await sign_in(page, "ugo@dupre.example", PASSWORD)
        assert (await page.get("/orders")).status_code == 403
        assert (await page.get("/orders/preview?seats=9")).status_code == 403
        assert 'href="/orders"' not in (await page.get("/account")).text


async def test_the_page_shows_the_price_and_one_button_orders(portal: Any) -> None:
    with moment(NOVEMBER):
        tenant_id = await open_tenant(portal)
        await portal.sign_in(EMAIL)
        async with browser(portal) as page:
            await sign_in(page, EMAIL, PASSWORD)
            shown = await page.get("/orders")
            assert f"200{NBSP}Go" in shown.text
            link = re.search(r'href="(/orders/preview[^"]*)"', shown.text)
            assert link, "the next size is one click away"
            for _ in range(3):  # programs follow links
                preview = await page.get(html.unescape(link[1]))
            assert "facturé pour tout le mois de novembre 2026" in preview.text
            assert await contract(portal) == (100 * GB, 3)
            fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', preview.text))
            sent = await asyncio.gather(*(page.post("/orders", data=fields) for _ in range(2)))
            assert [one.status_code for one in sent] == [303, 303]
            assert await contract(portal) == (200 * GB, 3)
            assert len(await portal.events("order.confirmed.v1")) == 1
            stale = await page.post("/orders", data={**fields, "key": "another"})
            assert (stale.status_code, "déjà ce qui est commandé" in stale.text) == (409, True)
            forged = {**fields, "form_token": "0" * 64}
            assert (await page.post("/orders", data=forged)).status_code == 403
            bare = {"form_token": form_token((await page.get("/account")).text)}
            for wrong in ({}, {"what": "storage", "after": "-1"}, {"what": "x", "after": "1"}):
                assert (await page.post("/orders", data={**bare, **wrong})).status_code == 422
            await hold(portal, tenant_id, 150 * GB)
            less = await page.get("/orders/preview?storage_gb=100")
            assert (less.status_code, "Vous utilisez davantage" in less.text) == (409, True)


async def test_reporting_is_told_of_the_next_sizes_once(portal: Any) -> None:
    with moment(NOVEMBER):
        await open_tenant(portal)
        assert await jobs.tell_offers(portal.parts) == 1
        assert await jobs.tell_offers(portal.parts) == 0
        async with portal.operator() as api:
            lists = (await api.get("/api/v1/prices")).json()["lists"]
            lists[0]["until"] = "2026-11"
            dearer = {**lists[0], "from": "2026-12", "until": None}
            dearer["storage"] = {"steps": [{"storage_bytes": 250 * GB, "monthly": "21.5"}]}
            put = await api.put("/api/v1/prices", json={"lists": [*lists, dearer], "version": 1})
            assert (put.status_code, put.json()["version"]) == (200, 2), put.text
            stale = await api.put("/api/v1/prices", json={"lists": lists[:1], "version": 1})
            assert stale.status_code == 422, "and it ends"
            lists[0]["until"] = None
            stale = await api.put("/api/v1/prices", json={"lists": lists[:1], "version": 1})
            assert stale.status_code == 409
        assert await jobs.tell_offers(portal.parts) == 0
    with moment(DECEMBER):
        assert await jobs.tell_offers(portal.parts) == 1
    first, second = await portal.events("offers.changed.v1")
    assert (first["version"], first["offers"][0]) == (
        1, {"storage_bytes": 200 * GB, "monthly": "18.00"},
    )  # fmt: skip
    assert (second["version"], second["offers"]) == (
        2, [{"storage_bytes": 250 * GB, "monthly": "21.50"}],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seat_monthly": "-3"}, "below zero"),
        ({"until": "2026-06"}, "has an end"),
        ({"from": "2026-13"}, "body.lists"),
        ({"storage": {}}, "one of them"),
        (
            {"storage": {"per_100_gb": "9", "steps": [{"storage_bytes": 1, "monthly": "1"}]}},
            "one of",
        ),
        ({"seat_entry": 15.1}, "body.lists"),
        ({"seat_entry": "NaN"}, "body.lists"),
        ({"currency": "euro"}, "body.lists"),
    ],
)
async def test_prices_that_make_no_sense_are_refused(
    portal: Any, change: dict[str, Any], said: str
) -> None:
    async with portal.operator() as api:
        [one] = (await api.get("/api/v1/prices")).json()["lists"]
        refused = await api.put("/api/v1/prices", json={"lists": [{**one, **change}]})
        assert refused.status_code == 422
        assert said in refused.text
        assert (await api.get("/api/v1/prices")).json()["version"] == 1


async def test_prices_are_put_by_a_form_as_people_write_numbers(portal: Any) -> None:
    async with browser(portal) as desk, portal.operator() as api:
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        shown = (await desk.get("/prices")).text
        fields = dict(re.findall(r'name="([\w-]+)" value="([^"]*)"', shown))
        before = (await api.get("/api/v1/prices")).json()["lists"]
        wrong = await desk.post("/prices", data={**fields, "0-seat_monthly": "trois"})
        assert wrong.status_code == 422
        assert 'value="trois"' in wrong.text, "what was typed is still there"
        for size in ("beaucoup", "1e999999", "9" * 5000):
            endless = {**fields, "0-per_100_gb": "", "0-size-0": size, "0-monthly-0": "1"}
            assert (await desk.post("/prices", data=endless)).status_code == 422, size
        last = {**fields, "0-seat_monthly": "3,50", "0-until": "2026-12"}
        first = {name: value for name, value in fields.items() if name.startswith("0-")}
        following = {f"1-{name.removeprefix('0-')}": value for name, value in first.items()}
        steps = {"1-per_100_gb": "", "1-size-0": "500", "1-monthly-0": "20", "1-size-1": "1 500,5"}
        changed = following | steps | {"1-first": "2027-01", "1-monthly-1": "50,00"}
        put = await desk.post("/prices", data=last | changed)
        assert put.headers["location"] == "/prices?said=saved", put.text
        lists = (await api.get("/api/v1/prices")).json()["lists"]
    assert lists[0] == before[0] | {"seat_monthly": "3.50", "until": "2026-12"}
    assert lists[1]["storage"]["steps"] == [
        {"storage_bytes": 500 * 10**9, "monthly": "20"},
        {"storage_bytes": 1_500_500_000_000, "monthly": "50.00"},
    ]
