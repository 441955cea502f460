"""Overage cases in the portal: answered by a link or by the API, decided by operators."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import clock, signed_links
from libs.shared.events import (
    AllowanceChanged,
    OverageBlocked,
    OverageClosed,
    OverageExtended,
    VolumeChanged,
    VolumeCounted,
)
from libs.shared.words.tongue import Tongue
from tests.portal import builder
from tests.portal.test_pages import PASSWORD, browser, sign_in
from tests.world.overages import told

CAMILLE = "camille@dupre.example"


@pytest.fixture
async def over(portal: Any) -> builder.Client:
    """A client with an open case."""
    client = await builder.open_client(portal)
    await builder.hear(portal, told(client.tenant_id))
    return client


def link(portal: Any, tenant_id: UUID, answer: str = "call", **changes: Any) -> str:
    named = {"case_id": told(tenant_id).case_id, "email": CAMILLE, "purpose": "overage"} | changes
    token = signed_links.make_token(
        named.get("mail_key", portal.parts.mail_key),
        named["purpose"],
        tenant_id,
        named["case_id"],
        named["email"],
    )
    return f"/overage/{token}/{answer}"


async def answers(portal: Any) -> list[tuple[str, str]]:
    return [(one["answer"], one["by"]) for one in await portal.events("overage.answered.v1")]


async def test_a_link_answers_by_its_button_alone(portal: Any, over: builder.Client) -> None:
    address = link(portal, over.tenant_id)
    async with browser(portal) as visitor:
        for method in ("GET", "GET", "HEAD", "OPTIONS"):  # a program that looks at mails
            await visitor.request(method, address)
        shown = (await visitor.get(address)).text
        assert "Boulangerie Dupré" in shown
        assert shown.count("<button") == 1
        assert "Appelez-moi" in shown
        assert "environ 1,2\u00a0Go de plus sont conservés chaque semaine" in shown
        assert await answers(portal) == []
        foreign = {"Origin": "https://evil.example"}
        assert (await visitor.post(address, headers=foreign)).status_code == 403
        assert await answers(portal) == []
        answered = await visitor.post(address, follow_redirects=True)
        assert "Vous avez demandé à être appelé." in answered.text
        assert "<button" not in answered.text
        await visitor.post(address)
        assert await answers(portal) == [("call", "Camille Martin")], "one answer is told once"


@pytest.mark.parametrize(
    ("answer", "query", "leads_to"),
    [
        ("order", "", "/orders"),
        ("order", "?storage_gb=200", "/orders/preview?storage_gb=200"),
        ("reduce", "", "/volume"),
    ],
)
async def test_an_answer_leads_to_where_it_is_acted_on(
    portal: Any, over: builder.Client, answer: str, query: str, leads_to: str
) -> None:
    async with browser(portal) as visitor:
        posted = await visitor.post(link(portal, over.tenant_id, answer) + query)
        assert (posted.status_code, posted.headers["location"]) == (303, leads_to)
        assert (await visitor.get(link(portal, over.tenant_id, "shrug"))).status_code == 404
    assert await answers(portal) == [(answer, "Camille Martin")]


async def test_links_that_are_none_answer_nothing(portal: Any, over: builder.Client) -> None:
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    await builder.hear(portal, told(stranger.tenant_id))
    good = link(portal, over.tenant_id)
    token = good.split("/")[2]
    case_id = told(over.tenant_id).case_id
    async with browser(portal) as visitor:
        for wrong in (
            good.replace(token, token[:-1]),
            good.replace(token, token[:-4] + "AAAA"),
            link(portal, over.tenant_id, email="eve@stranger.example"),
            link(portal, over.tenant_id, purpose="invitation"),
            link(portal, over.tenant_id, mail_key=bytes(32)),
            link(portal, over.tenant_id, case_id=uuid4()),
            link(portal, stranger.tenant_id, case_id=case_id),
            link(portal, stranger.tenant_id, case_id=case_id, email="eve@stranger.example"),
            "/overage/x/call",
            "/overage/%00/call",
            "/overage/" + "A" * 43 + "/call",
        ):
            assert (await visitor.get(wrong)).status_code == 404, wrong
            assert (await visitor.post(wrong)).status_code == 404, wrong
        assert await answers(portal) == []
        assert (await visitor.get(good)).status_code == 200


async def test_a_link_dies_with_its_case_and_with_its_administrator(
    portal: Any, over: builder.Client
) -> None:
    address = link(portal, over.tenant_id)
    await builder.hear(portal, told(over.tenant_id, OverageClosed, version=2))
    async with browser(portal) as visitor:
        closed = await visitor.get(address)
        assert closed.status_code == 410
        assert "il n’y a plus rien à faire" in closed.text
        assert (await visitor.post(address)).status_code == 410
        await builder.hear(portal, told(over.tenant_id, version=3))
        assert (await visitor.get(address)).status_code == 200
        await portal.admin.execute(
            "UPDATE portal.users SET role = 'user' WHERE email = $1", CAMILLE
        )
        assert (await visitor.get(address)).status_code == 404
        assert (await visitor.post(address)).status_code == 404
    assert await answers(portal) == []


async def test_the_newest_word_on_a_case_stands(portal: Any, over: builder.Client) -> None:
    await builder.hear(portal, told(over.tenant_id, OverageClosed, version=5))
    await builder.hear(portal, told(over.tenant_id, OverageExtended, version=4))
    await builder.hear(portal, told(over.tenant_id, version=1))
    async with portal.client(over.token) as api:
        assert (await api.get("/api/v1/quota")).json()["case"] is None


async def test_administrators_see_and_answer_by_the_api(portal: Any, over: builder.Client) -> None:
    case = told(over.tenant_id)
    volume = VolumeChanged(
        tenant_id=over.tenant_id, stored_bytes=104, protected_bytes=208, sequence=9
    )
    blocked = AllowanceChanged(
        tenant_id=over.tenant_id, version=7, ceiling_bytes=104, blocked=True, reason="l’échéance"
    )
    await builder.hear(portal, volume)
    await builder.hear(portal, blocked)
    async with portal.client(over.token) as api:
        seen = (await api.get("/api/v1/quota")).json()
        assert (seen["stored_bytes"], seen["protected_bytes"]) == (104, 208)
        assert (seen["ceiling_bytes"], seen["blocked"], seen["reason"]) == (104, True, "l’échéance")
        assert seen["contracted_bytes"] == 10**12
        assert seen["case"]["case_id"] == str(case.case_id)
        assert datetime.fromisoformat(seen["case"]["deadline_at"]) > clock.now()
        assert (seen["case"]["answer"], seen["case"]["weekly_bytes"]) == (None, 1_200_000_000)
        [fill] = seen["case"]["fills"]
        assert (fill["plan_name"], fill["protected_bytes"]) == ("documents", 182_340_000_000)
        for given in ("reduce", "reduce", "order"):
            assert (await api.post("/api/v1/quota/answer", json={"answer": given})).is_success
        wrong = await api.post("/api/v1/quota/answer", json={"answer": "shrug"})
        assert wrong.status_code == 422
        assert (await api.get("/api/v1/quota")).json()["case"]["answer"] == "order"
        assert [given for given, _ in await answers(portal)] == ["reduce", "order"]
        await builder.hear(portal, told(over.tenant_id, OverageClosed, version=2))
        late = await api.post("/api/v1/quota/answer", json={"answer": "order"})
        assert (late.status_code, late.json()["type"]) == (409, "urn:coffre:problem:no-open-case")


async def test_a_stranger_sees_and_answers_their_own_alone(
    portal: Any, over: builder.Client
) -> None:
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    async with portal.client(stranger.token) as api:
        assert (await api.get("/api/v1/quota")).json()["case"] is None
        assert (await api.post("/api/v1/quota/answer", json={"answer": "order"})).status_code == 409
    await portal.admin.execute("UPDATE portal.users SET role = 'user' WHERE email = $1", CAMILLE)
    for token, status in ((over.token, 403), ("", 401), (portal.operator_token, 403)):
        async with portal.client(token) as api:
            assert (await api.get("/api/v1/quota")).status_code == status
            posted = await api.post("/api/v1/quota/answer", json={"answer": "order"})
            assert posted.status_code == status
    assert await answers(portal) == []


async def test_operators_decide_with_a_reason_that_the_client_sees(
    portal: Any, over: builder.Client
) -> None:
    path = f"/api/v1/tenants/{over.tenant_id}/quota"
    until = (clock.now() + timedelta(days=45)).isoformat()
    async with portal.operator() as api:
        for step, body in (
            ("extend", {"until": until, "reason": "leur commande attend"}),
            ("block", {"reason": "comme convenu"}),
            ("unblock", {"reason": "réglé"}),
        ):
            decided = await api.post(f"{path}/{step}", json=body)
            assert decided.status_code == 202, decided.text
        for step in ("extend", "block", "unblock"):
            empty = await api.post(f"{path}/{step}", json={"until": until, "reason": " "})
            assert empty.status_code == 422
            unknown = f"/api/v1/tenants/{uuid4()}/quota/{step}"
            body = {"reason": "x"} | ({"until": until} if step == "extend" else {})
            assert (await api.post(unknown, json=body)).status_code == 404
        seen = (await api.get(path)).json()
        assert (await api.get(f"/api/v1/tenants/{uuid4()}/quota")).status_code == 404
    said = await portal.events("overage.decided.v1")
    assert [(one["version"], one["decision"]) for one in said] == [
        (1, "extend"), (2, "block"), (3, "unblock"),
    ]  # fmt: skip
    assert said[0]["by"]
    assert datetime.fromisoformat(said[0]["until"]) == datetime.fromisoformat(until)
    assert [one["reason"] for one in seen["decisions"]] == [
        "réglé", "comme convenu", "leur commande attend",
    ]  # fmt: skip
    async with portal.client(over.token) as own:
        assert (await own.get("/api/v1/quota")).json() == seen


async def test_a_deadline_is_only_made_later_and_only_of_an_open_case(
    portal: Any, over: builder.Client
) -> None:
    path = f"/api/v1/tenants/{over.tenant_id}/quota/extend"
    async with portal.operator() as api:
        for days in (-1, 1, 29):
            until = (clock.now() + timedelta(days=days)).isoformat()
            early = await api.post(path, json={"until": until, "reason": "x"})
            assert early.status_code == 422
            assert early.json()["type"] == "urn:coffre:problem:deadline-too-early"
        await builder.hear(portal, told(over.tenant_id, OverageClosed, version=2))
        until = (clock.now() + timedelta(days=40)).isoformat()
        closed = await api.post(path, json={"until": until, "reason": "x"})
        assert closed.status_code == 409
    assert await portal.events("overage.decided.v1") == []


async def test_the_first_page_tells_of_a_case_and_of_a_block(
    portal: Any, over: builder.Client
) -> None:
    async with browser(portal) as page:
        await sign_in(page, CAMILLE, PASSWORD)
        shown = (await page.get("/")).text
        assert "Le volume conservé dépasse le contrat" in shown
        tongue = Tongue("fr")
        case = await portal.admin.fetchrow("SELECT deadline_at, final_at FROM portal.overages")
        assert tongue.day(case["deadline_at"]) in shown
        await page.post(link(portal, over.tenant_id, "reduce"))
        assert tongue.day(case["final_at"]) in (await page.get("/")).text
        blocked = AllowanceChanged(
            tenant_id=over.tenant_id, version=7, ceiling_bytes=104, blocked=True, reason="<convenu>"
        )
        await builder.hear(portal, told(over.tenant_id, OverageBlocked, version=2))
        await builder.hear(portal, blocked)
        shown = (await page.get("/")).text
        assert "Le volume au contrat est épuisé" in shown
        assert "Motif\xa0: &lt;convenu&gt;." in shown
        ended = {"version": 8, "reason": "l’échéance est passée", "ended_at": case["deadline_at"]}
        await builder.hear(portal, blocked.model_copy(update=ended))
        await portal.admin.execute("UPDATE portal.users SET locale = 'en'")
        day = Tongue("en").day(case["deadline_at"])
        assert f"and the deadline of {day} has passed." in (await page.get("/")).text


async def test_what_was_held_on_each_day_is_shown_to_operators_and_the_client(portal: Any) -> None:
    client = await builder.open_client(portal)
    today = clock.now().date()

    async def counted(days_ago: int, version: int, stored: int, **more: Any) -> None:
        facts = {"contracted_bytes": 1000, "ceiling_bytes": None, "reached_on": None} | more
        event = VolumeCounted(
            tenant_id=client.tenant_id, day=today - timedelta(days=days_ago), version=version,
            stored_bytes=stored, protected_bytes=2 * stored, **facts,
        )  # fmt: skip
        await builder.hear(portal, event)

    full = today + timedelta(days=80)
    await counted(400, 1, 5)
    await counted(1, 2, 20, ceiling_bytes=20, reached_on=full)
    await counted(2, 3, 10)
    await counted(2, 2, 99)  # older: it changes nothing
    await counted(1, 1, 99)
    path = f"/api/v1/tenants/{client.tenant_id}/volume/days"
    async with portal.client(client.token) as api, portal.operator() as operator:
        own = (await api.get("/api/v1/volume/days")).json()
        assert own == (await operator.get(path)).json()
        assert [(one["stored_bytes"], one["ceiling_bytes"]) for one in own["days"]] == [
            (10, None), (20, 20),
        ]  # fmt: skip
        assert own["days"][0] == {
            "day": str(today - timedelta(days=2)), "stored_bytes": 10, "protected_bytes": 20,
            "contracted_bytes": 1000, "ceiling_bytes": None,
        }  # fmt: skip
        assert own["reached_on"] == str(full)
        first, last = today - timedelta(days=500), today - timedelta(days=2)
        found = (await operator.get(path, params={"from": str(first), "to": str(last)})).json()
        assert [one["stored_bytes"] for one in found["days"]] == [5, 10]
        for wrong in ({"from": str(last), "to": str(first)}, {"from": "0001-01-01"}, {"to": "x"}):
            assert (await operator.get(path, params=wrong)).status_code == 422, wrong
        nobody = await operator.get(f"/api/v1/tenants/{uuid4()}/volume/days")
        assert nobody.status_code == 404
        assert (await api.get(path)).status_code == 403
