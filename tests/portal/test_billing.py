"""Months are closed once, nothing of them changes, and what is due is handed out."""

from __future__ import annotations

import asyncio
import csv
import io
import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from libs.shared import database
from services.portal import jobs, store
from services.portal.rules.orders import ledger
from services.portal.rules.orders.months import Month, list_months
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_orders import DECEMBER, GB, NOVEMBER, moment, order
from tests.portal.test_pages import sign_in

UTC_ZONE = ZoneInfo("UTC")


async def open_tenant(portal: Any, name: str, zone: str = "Europe/Paris", **more: Any) -> str:
    body = {
        "name": name, "timezone": zone, "contracted_bytes": 100 * GB, "seats": 3,
        "administrator": {"name": "A", "email": f"{uuid4().hex}@client.example"}, **more,
    }  # fmt: skip
    async with portal.operator() as api:
        opened = await api.post("/api/v1/tenants", json=body)
    assert opened.status_code == 201, opened.text
    return str(opened.json()["tenant_id"])


async def believe(portal: Any, now: datetime) -> None:
    """The installation takes this for its time, whatever the day of the database's clock."""
    await portal.admin.execute(
        "INSERT INTO portal.seen_time (seen_at) VALUES ($1)"
        " ON CONFLICT (one) DO UPDATE SET seen_at = $1",
        now,
    )


async def book(portal: Any) -> list[tuple[Any, ...]]:
    rows = await portal.admin.fetch(
        "SELECT month, about, rule, amount FROM portal.ledger ORDER BY month, about, rule, amount"
    )
    return [tuple(row) for row in rows]


async def test_a_month_is_closed_once_also_twice_at_once_or_long_past(portal: Any) -> None:
    with moment(NOVEMBER):
        for name in ("Arbre", "Boulangerie", "Café"):
            await open_tenant(portal, name)
        async with portal.operator() as api:
            early = await api.post("/api/v1/billing/2026-11/close")
            assert (early.status_code, early.json()["type"][19:]) == (409, "month-not-over")
            assert (await api.post("/api/v1/billing/2026-13/close")).status_code == 422
            assert (await api.post("/api/v1/billing/2025-01/close")).json()["closed"] == 0
    with moment(datetime(2027, 3, 2, tzinfo=UTC)):
        async with portal.operator() as api:
            # Connections of the pool first, or the first one is done before the others begin.
            await asyncio.gather(*(api.get("/api/v1/billing/2026-12") for _ in range(8)))
            both = await asyncio.gather(
                *(api.post("/api/v1/billing/2026-12/close") for _ in range(4))
            )
            assert sorted((one.json()["closed"], one.json()["lines"]) for one in both) == [
                (0, 0), (0, 0), (0, 0), (3, 15),
            ]  # fmt: skip
            before = await book(portal)
            for month in ("2026-11", "2026-12", "2026-10"):
                again = (await api.post(f"/api/v1/billing/{month}/close")).json()
                assert (again["closed"], again["lines"], again["closed_before"]) == (0, 0, 3)
            assert await book(portal) == before
    assert {row[0] for row in before} == {"2026-11", "2026-12"}
    assert sum(row[3] for row in before) == 3 * Decimal("81.00")


async def test_who_came_later_keeps_no_month_open(portal: Any) -> None:
    with moment(NOVEMBER):
        await open_tenant(portal, "Arbre")
    with moment(datetime(2027, 3, 2, tzinfo=UTC)):
        async with portal.operator() as api:
            assert (await api.post("/api/v1/billing/2026-12/close")).json()["closed"] == 1
        await open_tenant(portal, "Zinc")
        async with portal.client() as page:
            await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
            shown = {m: (await page.get(f"/billing/{m}")).text for m in ("2026-12", "2027-01")}
    told = {month: re.findall(r'class="notice (\w+)', text) for month, text in shown.items()}
    assert told == {"2026-12": ["good"], "2027-01": ["warn"]}


async def test_a_month_of_many_clients_comes_in_pages_and_its_totals_are_of_all(
    portal: Any,
) -> None:
    with moment(NOVEMBER):
        for number in range(27):
            await open_tenant(
                portal, f"Client {number:02}", contracted_bytes=(number + 1) * 100 * GB
            )
    with moment(DECEMBER):
        async with portal.client() as page:
            await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
            first, second, beyond = [
                (await page.get(f"/billing/2026-11{query}")).text
                for query in ("", "?page=2", "?page=99")
            ]
            export = (await page.get("/billing/2026-11/export?format=csv")).text
    named = [re.findall(r">(Client \d\d)</a>", text) for text in (first, second, beyond)]
    largest_first = [f"Client {number:02}" for number in reversed(range(27))]
    assert named == [largest_first[:25], largest_first[25:], largest_first[25:]]
    assert 'href="/billing/2026-11?page=2"' in first
    assert 'href="/billing/2026-11?page=1"' in second
    [total] = {
        tuple(re.findall(r"<tfoot>.*?</tfoot>", text, re.DOTALL)) for text in (first, second)
    }
    assert len(total) == 1
    assert "27 clients" in total[0]
    assert all(name in export for name in largest_first)


async def test_the_ledger_takes_no_change(portal: Any) -> None:
    with moment(NOVEMBER):
        await open_tenant(portal, "Arbre")
    with moment(DECEMBER):
        async with portal.operator() as api:
            await api.post("/api/v1/billing/2026-11/close")
    for table in ("ledger", "orders", "closed_months", "price_lists"):
        async with database.transaction(portal.parts.pool) as conn:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(f"DELETE FROM {table}")
        async with database.transaction(portal.parts.pool) as conn:
            column = await conn.fetchval(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_schema = 'portal' AND table_name = $1 LIMIT 1",
                table,
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(f"UPDATE {table} SET {column} = {column}")


async def test_the_month_is_over_by_the_clock_of_each_contract(portal: Any) -> None:
    with moment(NOVEMBER):
        paris = await open_tenant(portal, "Paris")
        cayenne = await open_tenant(portal, "Cayenne", "America/Cayenne")
    with moment(DECEMBER):  # 00:30 in Paris, 20:30 of the 30th in Cayenne
        async with portal.operator() as api:
            for tenant_id in (paris, cayenne):
                path = f"/api/v1/tenants/{tenant_id}/orders"
                assert (await order(api, path, storage_bytes=200 * GB)).status_code == 201
            done = (await api.post("/api/v1/billing/2026-11/close")).json()
            assert (done["closed"], done["not_over"]) == (1, 1)
            bill = (await api.get("/api/v1/billing/2026-11")).json()
    clients = {one["client"]: one for one in bill["clients"]}
    assert [clients[name]["closed"] for name in ("Paris", "Cayenne")] == [True, False]
    assert clients["Paris"]["lines"][0]["amount"] == "9.00", "the order is December's"
    assert clients["Cayenne"]["lines"][0]["amount"] == "18.00", "the order is November's"
    assert clients["Cayenne"]["totals"] == [
        {"currency": "EUR", "vat_percent": "20", "net": "72.00", "vat": "14.40", "gross": "86.40"}
    ]


async def test_a_clock_that_was_behind_is_corrected_in_the_next_month(portal: Any) -> None:
    with moment(NOVEMBER):
        tenant_id = await open_tenant(portal, "Arbre")
    with moment(DECEMBER):
        async with portal.operator() as api:
            assert (await api.post("/api/v1/billing/2026-11/close")).json()["closed"] == 1
    before = await book(portal)
    with moment(NOVEMBER + timedelta(days=1)):  # set back
        async with portal.operator() as api:
            await order(api, f"/api/v1/tenants/{tenant_id}/orders", storage_bytes=200 * GB)
            seen = (await api.get("/api/v1/billing/2026-12")).json()["clients"][0]
    with moment(datetime(2027, 1, 2, tzinfo=UTC)):
        async with portal.operator() as api:
            assert (await api.post("/api/v1/billing/2026-12/close")).json()["lines"] == 4
            closed = (await api.get("/api/v1/billing/2026-12")).json()["clients"][0]
    after = await book(portal)
    assert after[: len(before)] == before
    assert [row[1:] for row in after[len(before) :]] == [
        ("2026-11", "storage-month", Decimal("-9.00")),
        ("2026-11", "storage-month", Decimal("18.00")),
        ("2026-12", "seats-month", Decimal("9.00")),
        ("2026-12", "storage-month", Decimal("18.00")),
    ]
    key = str
    assert sorted(seen["lines"], key=key) == sorted(closed["lines"], key=key)
    assert (seen["closed"], closed["closed"]) == (False, True)


async def test_the_end_of_a_subscription_ends_what_is_due(portal: Any) -> None:
    with moment(NOVEMBER):
        tenant_id = await open_tenant(portal, "Arbre")
        await believe(portal, NOVEMBER)
        path = f"/api/v1/tenants/{tenant_id}"
        async with portal.operator() as api:
            await order(api, f"{path}/orders", storage_bytes=50 * GB)
            await api.post(f"{path}/suspend", json={"reason": "impayé"})
            await api.post(f"{path}/end", json={"reason": "impayé"})
    later = datetime(2027, 1, 10, tzinfo=UTC)
    with moment(later):
        await believe(portal, later)
        assert not await jobs.take_orders_effect(portal.parts), "what was to come came never"
        async with portal.operator() as api:
            back = await api.post(f"{path}/reinstate", json={"reason": "payé"})
            assert back.status_code == 200, back.text
    with moment(datetime(2027, 2, 1, tzinfo=UTC)):
        async with portal.operator() as api:
            await api.post("/api/v1/billing/2027-01/close")
    assert [(row[0], row[2], str(row[3])) for row in await book(portal)] == [
        ("2026-11", "seats-entry", "45.00"),
        ("2026-11", "seats-month", "9.00"),
        ("2026-11", "storage-month", "9.00"),
        ("2027-01", "seats-month", "9.00"),
        ("2027-01", "storage-month", "9.00"),
    ]


async def test_exports_are_read_by_spreadsheets_here_and_elsewhere(portal: Any) -> None:
    with moment(NOVEMBER):
        await open_tenant(portal, '=cmd|"/c calc"!A1;é')
        wanted = await open_tenant(portal, "Boulangerie Dupré")
    with moment(DECEMBER):
        async with portal.operator() as api:
            await api.post("/api/v1/billing/2026-11/close")
            here = await api.get("/api/v1/billing/2026-11?format=csv-fr")
            there = await api.get(f"/api/v1/billing/2026-11?format=csv&tenant={wanted}")
            unknown = await api.get(f"/api/v1/billing/2026-11?tenant={uuid4()}")
            assert (await api.get("/api/v1/billing/2026-11?format=pdf")).status_code == 422
    assert unknown.status_code == 404
    assert here.content.startswith(b"\xef\xbb\xbf")
    assert here.headers["content-disposition"] == 'attachment; filename="coffre-2026-11.csv"'
    rows = list(csv.reader(io.StringIO(here.content.decode("utf-8-sig")), delimiter=";"))
    assert rows[0][:3] == ["mois", "concerne", "client"]
    assert len(rows) == 7
    assert rows[1][2].startswith("'=cmd"), "no spreadsheet runs a client's name"
    assert [row[7] for row in rows[1:4]] == ["9,00", "9,00", "45,00"]
    assert rows[1][5] == "stockage, mois"
    [head, *lines] = csv.reader(io.StringIO(there.text))
    assert [dict(zip(head, line, strict=True))["amount"] for line in lines] == [
        "9.00", "9.00", "45.00",
    ]  # fmt: skip
    assert {line[2] for line in lines} == {"Boulangerie Dupré"}
    assert {line[-1] for line in lines} == {"yes"}


async def test_the_ledger_equals_the_orders_after_random_lives(portal: Any) -> None:
    """Orders, months closed, clocks set back, ends and returns, on the database itself."""
    chance = random.Random(20261122)
    zones = ("Europe/Paris", "America/Cayenne", "Pacific/Noumea")
    now = datetime(2026, 1, 5, tzinfo=UTC)
    with moment(now):
        tenants = [await open_tenant(portal, zone, zone) for zone in zones]
    acts = refused = 0
    for _ in range(60):
        now += timedelta(hours=chance.randint(-24 * 12, 24 * 25))
        now = max(now, datetime(2026, 1, 5, tzinfo=UTC))
        tenant_id = chance.choice(tenants)
        path = f"/api/v1/tenants/{tenant_id}"
        with moment(now):
            await believe(portal, now)
            await jobs.take_orders_effect(portal.parts)
            async with portal.operator() as api:
                match chance.randrange(8):
                    case 0 | 1 | 2:
                        size = chance.randint(0, 6) * 70 * GB
                        answer = await order(api, f"{path}/orders", storage_bytes=size)
                    case 3 | 4:
                        answer = await order(api, f"{path}/orders", seats=chance.randint(1, 6))
                    case 5:
                        month = Month.of(now - timedelta(days=chance.choice((31, 62))), UTC_ZONE)
                        answer = await api.post(f"/api/v1/billing/{month}/close")
                    case 6:
                        answer = await api.post(f"{path}/end", json={"reason": "x"})
                    case _:
                        answer = await api.post(f"{path}/reinstate", json={"reason": "x"})
        assert answer.status_code in (200, 201, 409), answer.text
        acts += 1
        refused += answer.status_code == 409
    assert acts - refused > 20
    with moment(datetime(2029, 3, 2, tzinfo=UTC)):
        await jobs.take_orders_effect(portal.parts)
        async with portal.operator() as api:
            done = await api.post("/api/v1/billing/2029-02/close")
            assert done.json()["closed"] == 3, done.text
    async with database.transaction(portal.parts.pool) as conn:
        for payer in await store.orders.ledger.list_payers(
            conn, await store.orders.ledger.list_ids(conn)
        ):
            orders = await store.orders.placed.list_of_tenant(conn, payer.tenant_id)
            booked = (await store.orders.ledger.sum_booked(conn, [payer.tenant_id]))[
                payer.tenant_id
            ]
            zone = ZoneInfo(payer.timezone)
            expected = {
                line.due: line.amount
                for month in list_months(Month(2025, 12), Month(2029, 2))
                for line in ledger.bill(orders, month, zone)
            }
            assert {due: amount for due, amount in booked.items() if amount} == expected
            assert expected
