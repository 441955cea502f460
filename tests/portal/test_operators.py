"""Operators open, suspend, end and reinstate subscriptions, and everybody is told."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from uuid import uuid4

import pytest


async def test_a_tenant_is_opened_and_every_service_is_told(portal: Any) -> None:
    tenant_id = await portal.open_tenant("Boulangerie Dupré", "camille@dupre.example")

    [changed] = await portal.events("tenant.changed.v1")
    assert changed["tenant_id"] == tenant_id
    assert changed["version"] == 1
    assert changed["name"] == "Boulangerie Dupré"
    assert changed["subscription"] == "active"
    assert changed["contracted_bytes"] == 10**12
    assert changed["retention_days"] == 30
    assert changed["timezone"] == "Europe/Paris"
    [administrator] = changed["administrators"]
    assert administrator["email"] == "camille@dupre.example"

    [issued] = await portal.events("password.issued.v1")
    assert issued["first"] is True
    password = await portal.one_time_password("camille@dupre.example")
    assert re.fullmatch(r"[A-Za-z0-9-]{12,}", password)
    assert password not in str(issued)

    async with portal.operator() as api:
        [listed] = (await api.get("/api/v1/tenants")).json()["tenants"]
    assert listed["tenant_id"] == tenant_id
    assert listed["subscription"] == "active"
    assert listed["stored_bytes"] == 0


async def test_an_address_names_one_account(portal: Any) -> None:
    await portal.open_tenant("One", "same@client.example")
    async with portal.operator() as api:
        answer = await api.post(
            "/api/v1/tenants",
            json={
                "name": "Two",
                "locale": "en",
                "contracted_bytes": 1,
                "seats": 1,
                "administrator": {"name": "B", "email": "Same@Client.example"},
            },
        )
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:coffre:problem:email-taken"
    assert len(await portal.events("tenant.changed.v1")) == 1


async def test_a_client_whose_copies_were_rebuilt_keeps_its_id(portal: Any) -> None:
    tenant_id = str(uuid4())
    async with portal.operator() as api:
        opened = await api.post("/api/v1/tenants", json={**GOOD, "tenant_id": tenant_id})
        other = {"name": "B", "email": "b@client.example"}
        again = await api.post(
            "/api/v1/tenants", json={**GOOD, "tenant_id": tenant_id, "administrator": other}
        )
    assert (opened.status_code, opened.json()) == (201, {"tenant_id": tenant_id})
    assert (again.status_code, again.json()["type"]) == (409, "urn:coffre:problem:tenant-known")
    [changed] = await portal.events("tenant.changed.v1")
    assert changed["tenant_id"] == tenant_id
    fees = await portal.admin.fetch("SELECT entry_fee FROM portal.orders")
    assert [row["entry_fee"] for row in fees] == [0, 0], "seats that come back cost no entry"


GOOD = {
    "name": "Client",
    "locale": "fr",
    "contracted_bytes": 1000,
    "seats": 1,
    "administrator": {"name": "A", "email": "a@client.example"},
}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "two\nlines"}, "body.name"),
        ({"locale": "de"}, "body.locale"),
        ({"contracted_bytes": -1}, "body.contracted_bytes"),
        ({"contracted_bytes": "much"}, "body.contracted_bytes"),
        ({"contracted_bytes": 2**63}, "body.contracted_bytes"),
        ({"seats": 0}, "body.seats"),
        ({"timezone": "Europe/Nantes"}, "body.timezone"),
        ({"administrator": {"name": "A", "email": "nobody"}}, "body.administrator.email"),
        (
            {"administrator": {"name": "A", "email": "a@b.example\nBcc: all@b.example"}},
            "body.administrator.email",
        ),
        ({"administrator": None}, "body.administrator"),
        ({"colour": "red"}, "body.colour"),
    ],
)
async def test_a_wrong_contract_is_refused_in_words(
    portal: Any, change: dict[str, Any], where: str
) -> None:
    async with portal.operator() as api:
        answer = await api.post("/api/v1/tenants", json={**GOOD, **change})
    assert answer.status_code == 422
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:coffre:problem:invalid-request"
    assert {"title", "status", "detail"} <= set(problem)
    assert where in [error["where"] for error in problem["errors"]]
    assert await portal.events("tenant.changed.v1") == []


async def test_an_enrolment_code_is_shown_once_and_told_as_a_hash(portal: Any) -> None:
    tenant_id = await portal.open_tenant("Client", "a@client.example")
    async with portal.operator() as api:
        answer = await api.post(f"/api/v1/tenants/{tenant_id}/enrolments", json={"label": "srv"})
        bare = await api.post(f"/api/v1/tenants/{tenant_id}/enrolments")
        unknown = await api.post(f"/api/v1/tenants/{uuid4()}/enrolments", json={})
    assert answer.status_code == bare.status_code == 201
    assert unknown.status_code == 404
    opened = (await portal.events("enrolment.opened.v1"))[0]
    code = answer.json()["code"]
    assert opened["code_sha256"] == hashlib.sha256(code.encode()).hexdigest()
    assert opened["label"] == "srv"
    kept = await portal.admin.fetchval("SELECT string_agg(e::text, '') FROM portal.enrolments e")
    assert code not in kept


async def test_the_life_of_a_subscription(portal: Any) -> None:
    tenant_id = await portal.open_tenant("Client", "a@client.example")

    async def step(name: str, **body: Any) -> Any:
        async with portal.operator() as api:
            return await api.post(f"/api/v1/tenants/{tenant_id}/{name}", json=body)

    assert (await step("reinstate", reason="early")).status_code == 409
    assert (await step("suspend", reason="unpaid")).json()["subscription"] == "suspended"
    assert (await step("suspend", reason="unpaid")).status_code == 409
    assert (await step("resume", reason="paid")).json()["subscription"] == "active"
    assert (await step("end", reason="x", at="2020-01-01T00:00:00Z")).status_code == 422
    announced = await step("end", reason="moves away", at="2099-01-01T00:00:00Z")
    assert announced.json()["subscription"] == "ending"
    assert await portal.events("subscription.ended.v1") == []
    ended = await step("end", reason="moves away today")
    assert ended.json()["subscription"] == "ended"
    refused = await step("end", reason="again")
    assert refused.status_code == 409
    assert "ended" in refused.json()["detail"]
    async with portal.operator() as api:
        answer = await api.post(f"/api/v1/tenants/{tenant_id}/enrolments", json={})
    assert answer.status_code == 409
    assert (await step("reinstate", reason="stays")).json()["subscription"] == "active"

    states = [e["subscription"] for e in await portal.events("tenant.changed.v1")]
    assert states == ["active", "suspended", "active", "ending", "ended", "active"]
    assert [e["version"] for e in await portal.events("tenant.changed.v1")] == [1, 2, 3, 4, 5, 6]
    [end] = await portal.events("subscription.ended.v1")
    assert end["version"] == 5
    assert end["reason"] == "moves away today"
    [back] = await portal.events("subscription.reinstated.v1")
    assert back["version"] == 6


async def test_an_announced_end_comes_on_its_day(portal: Any) -> None:
    from services.portal import jobs

    soon = await portal.open_tenant("Soon", "a@client.example")
    later = await portal.open_tenant("Later", "b@client.example")
    async with portal.operator() as api:
        for tenant_id in (soon, later):
            await api.post(
                f"/api/v1/tenants/{tenant_id}/end",
                json={"reason": "as agreed", "at": "2099-01-01T00:00:00Z"},
            )
    await portal.admin.execute(
        "UPDATE portal.tenants SET ends_at = '2020-01-01' WHERE tenant_id = $1", soon
    )
    await jobs.end_subscriptions(portal.parts)
    await jobs.end_subscriptions(portal.parts)
    [ended] = await portal.events("subscription.ended.v1")
    assert ended["tenant_id"] == soon
    assert ended["reason"] == "as agreed"


async def test_an_administrator_who_missed_the_day_gets_another_password(portal: Any) -> None:
    await portal.open_tenant("Client", "a@client.example")
    first = await portal.one_time_password("a@client.example")
    async with portal.operator() as api:
        reset = {"email": "a@client.example"}
        assert (await api.post("/api/v1/administrators/reset", json=reset)).status_code == 202
        unknown = {"email": "nobody@client.example"}
        assert (await api.post("/api/v1/administrators/reset", json=unknown)).status_code == 404
    second = await portal.one_time_password("a@client.example")
    assert first != second
    async with portal.client() as api:
        change = {"email": "a@client.example", "new_password": "a long new password"}
        old = await api.post("/api/v1/password", json={**change, "password": first})
        new = await api.post("/api/v1/password", json={**change, "password": second})
    assert (old.status_code, new.status_code) == (401, 204)
