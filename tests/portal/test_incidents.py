"""The hotline's incidents as operators see them; help as clients ask for it, and pauses."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2

from libs.shared import clock
from libs.shared.events import (
    IncidentChanged,
    IncidentClosed,
    IncidentOpened,
    ReportUndeliverable,
    RunMissed,
)
from libs.shared.reasons import Reason
from libs.shared.words.tongue import Tongue
from services.portal.__main__ import build
from services.portal.actions.resources import Support
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD
from tests.portal.test_pages import BROWSER, browser, sign_in
from tests.portal.test_parked import hear

NOW = clock.now()
FIELD = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')


def told(cause: str = "missed", kind: Any = IncidentOpened, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "tenant_id": uuid4(),
        "incident_id": uuid4(),
        "version": 1,
        "plan_id": None,
        "cause": cause,
        "opened_at": NOW,
        "last_at": NOW,
        "times": 1,
    }
    return kind(**(fields | changes))


async def listed(api: Any, query: str = "") -> list[dict[str, Any]]:
    answer = await api.get(f"/api/v1/incidents{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["incidents"]
    return found


async def test_the_worst_is_listed_first_and_the_newer_word_counts(portal: Any) -> None:
    client = await builder.open_client(portal)
    mine = told("failed", tenant_id=client.tenant_id, opened_at=NOW - timedelta(days=9))
    damage, parked = told("damage"), told("parked")
    in_hand = told("damage", acknowledged_by="Ana", opened_at=NOW - timedelta(days=9))
    loud = told("parked", escalated_at=NOW)
    await hear(portal, mine, damage, parked, in_hand, loud)
    async with portal.operator() as api:
        found = await listed(api)
        order = [loud, damage, mine, parked, in_hand]
        assert [one["incident_id"] for one in found] == [str(one.incident_id) for one in order]
        assert found[2]["client"] == "Boulangerie Dupré"
        [only] = await listed(api, f"?tenant={client.tenant_id}&cause=failed")
        assert only["incident_id"] == str(mine.incident_id)
        assert await listed(api, f"?tenant={client.tenant_id}&cause=damage") == []

        state = mine.model_dump()
        closed = IncidentClosed(**(state | {"version": 3, "closed_at": NOW}))
        await hear(portal, closed, IncidentChanged(**(state | {"version": 2, "times": 2})))
        assert await listed(api, f"?tenant={client.tenant_id}") == []
        [over] = await listed(api, "?state=closed")
        assert (over["incident_id"], over["times"]) == (str(mine.incident_id), 1)


async def test_what_an_operator_decides_goes_to_reporting(portal: Any) -> None:
    incident = told()
    await hear(portal, incident)
    path = f"/api/v1/incidents/{incident.incident_id}"
    until = (NOW + timedelta(days=9)).isoformat()
    steps: list[tuple[str, dict[str, str], int]] = [
        ("acknowledge", {}, 202),
        ("acknowledge", {"note": "disk ordered"}, 202),
        ("snooze", {"until": until, "reason": "closed"}, 202),
        ("snooze", {"until": (NOW - timedelta(days=1)).isoformat(), "reason": "closed"}, 422),
        ("snooze", {"reason": "closed"}, 422),
        ("note", {"note": "called"}, 202),
        ("close", {}, 422),
        ("close", {"reason": "gone"}, 202),
    ]
    async with portal.operator() as api:
        for decision, body, status in steps:
            answer = await api.post(f"{path}/{decision}", json=body)
            assert answer.status_code == status, answer.text
        assert (await api.get(path)).json()["cause"] == "missed"
        gone = IncidentClosed(**(incident.model_dump() | {"version": 2, "closed_at": NOW}))
        await hear(portal, gone)
        assert (await api.post(f"{path}/close", json={"reason": "r"})).status_code == 404
        assert (await api.get(f"/api/v1/incidents/{uuid4()}")).status_code == 404
    said = await portal.events("incident.decided.v1")
    assert [(one["decision"], one["note"]) for one in said] == [
        ("acknowledge", ""),
        ("acknowledge", "disk ordered"),
        ("snooze", "closed"),
        ("note", "called"),
        ("close", "gone"),
    ]
    assert {one["incident_id"] for one in said} == {str(incident.incident_id)}


async def test_a_client_asks_for_help_with_a_run_also_while_suspended(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.add_run(217, "failed")
    run_id = await portal.admin.fetchval("SELECT run_id FROM portal.runs")
    await portal.admin.execute("UPDATE portal.tenants SET subscription = 'suspended'")
    async with portal.client(client.token) as api, portal.operator() as operator:
        path = f"/api/v1/runs/{run_id}/help"
        assert (await api.post(path, json={"message": "x" * 2001})).status_code == 422
        assert (await operator.post(path, json={})).status_code == 403
        assert (await api.post(f"/api/v1/runs/{uuid4()}/help", json={})).status_code == 404
        statuses = [(await api.post(path, json={"message": "Why?"})).status_code for _ in range(11)]
    assert statuses == [202] * 10 + [429]
    said = (await portal.events("help.asked.v1"))[0]
    assert (said["number"], said["email"], said["message"]) == (217, client.email, "Why?")
    assert said["plan_id"] == str(client.plan_id)
    async with browser(portal) as page, browser(portal) as desk:
        await sign_in(page, client.email, PASSWORD)
        own = f"/plans/{client.plan_id}/runs/217"
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        for who, path in ((page, own), (desk, f"/clients/{client.tenant_id}{own}")):
            shown = (await who.get(path)).text
            assert shown.count("Camille Martin a demandé de l’aide le") == 10
            assert "Why?" in shown


async def test_a_form_for_help_that_is_sent_twice_asks_once(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.add_run(217, "failed")
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        own = f"/plans/{client.plan_id}/runs/217"
        form = dict(FIELD.findall((await page.get(own)).text.partition(f"{own}/help")[2]))
        for _ in range(2):
            answer = await page.post(f"{own}/help", data={**form, "message": "Why?"})
            assert answer.headers["location"] == f"{own}?asked=1#help"
        assert len(await portal.events("help.asked.v1")) == 1
        await page.post(f"{own}/help", data={**form, "message": "Why? It is urgent."})
        assert len(await portal.events("help.asked.v1")) == 2, "that was not said before"
        assert (await page.get(own)).text.count("a demandé de l’aide le") == 2


async def test_a_plan_is_paused_by_its_administrator_or_an_operator(portal: Any) -> None:
    client = await builder.open_client(portal)
    other = await builder.open_client(portal, "lea@martin.example", "Menuiserie Martin")
    body = {"until": (NOW + timedelta(days=200)).isoformat(), "reason": "retired"}
    async with portal.client(client.token) as api, portal.operator() as operator:
        path = f"/plans/{client.plan_id}/pause"
        assert (await api.post("/api/v1" + path, json=body)).status_code == 202
        at_client = f"/api/v1/tenants/{client.tenant_id}{path}"
        assert (await operator.post(at_client, json=body)).status_code == 202
        foreign = f"/api/v1/plans/{other.plan_id}/pause"
        assert (await api.post(foreign, json=body)).status_code == 404
        past = body | {"until": NOW.isoformat()}
        assert (await api.post("/api/v1" + path, json=past)).status_code == 422
    said = await portal.events("plan.paused.v1")
    assert [(one["version"], one["reason"]) for one in said] == [(1, "retired"), (2, "retired")]


async def test_missed_runs_are_kept_once(portal: Any) -> None:
    missed = RunMissed(
        tenant_id=uuid4(), plan_id=uuid4(), missed_at=NOW, since=NOW, times=1, expected_at=None
    )
    await hear(portal, missed, missed)
    assert await portal.admin.fetchval("SELECT count(*) FROM portal.misses") == 1


async def test_a_run_that_never_came_is_told_where_all_would_be_well(portal: Any) -> None:
    client = await builder.open_client(portal)
    other = await builder.open_client(portal, "lea@martin.example", "Menuiserie Martin")
    await client.add_run(1)
    missed = told(tenant_id=client.tenant_id, plan_id=client.plan_id)
    foreign = told(tenant_id=other.tenant_id, plan_id=other.plan_id)
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        await hear(portal, foreign)
        home = (await page.get("/")).text
        assert "Votre serveur est sauvegardé." in home
        ended = Tongue("fr").dated(builder.NOW + timedelta(minutes=7))
        assert f"Dernière sauvegarde\u00a0: le {ended}." in home
        assert "(0\u00a0%)" in home
        await hear(portal, missed)
        late = (await page.get("/")).text
        assert "«\u00a0documents\u00a0» est en retard" in late
        assert 'class="badge late"' in late
        assert "Votre serveur est sauvegardé" not in late
        await client.add_run(2, "failed")
        worse = (await page.get("/")).text
        assert "n’est plus sauvegardé depuis le" in worse, "what is worse is told first"
        await client.add_run(3)
        state = missed.model_dump() | {"version": 2, "closed_at": NOW}
        await hear(portal, IncidentClosed(**state))
        assert "Votre serveur est sauvegardé." in (await page.get("/")).text


async def test_who_gets_no_report_is_told_until_one_arrives(portal: Any) -> None:
    client = await builder.open_client(portal)
    run_id = uuid4()
    await client.add_run(1, run_id=run_id)
    refused = ReportUndeliverable(
        tenant_id=client.tenant_id,
        run_id=run_id,
        plan_id=client.plan_id,
        recipient="gone@dupre.example",
        reason="no such box",
    )
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        assert "pas pu être distribués" not in (await page.get("/")).text
        await hear(portal, refused)
        assert "pas pu être distribués à gone@dupre.example." in (await page.get("/")).text
        await client.add_run(2)
        assert "pas pu être distribués" not in (await page.get("/")).text


async def test_each_page_says_whom_to_call(portal: Any) -> None:
    support = Support("+33 4 12 34 56 78", "aide@midi.example", {"fr": "de 9 h à 18 h"})
    app = build(replace(portal.parts, support=support))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://portal.example", headers=BROWSER
    ) as page:
        for path in ("/sign-in", "/no/such/page"):
            text = (await page.get(path)).text
            assert '+33 4 12 34 56 78</a> · <a href="mailto:aide@midi.example">' in text, path
            assert "Nous sommes là de 9 h à 18 h." in text, path


async def test_who_is_suspended_reads_whom_to_call(portal: Any) -> None:
    client = await builder.open_client(portal)
    await portal.admin.execute("UPDATE portal.tenants SET subscription = 'suspended'")
    app = build(replace(portal.parts, support=Support("+33 4 12 34 56 78", "", {})))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://portal.example", headers=BROWSER
    ) as page:
        await sign_in(page, client.email, PASSWORD)
        shown = html.unescape((await page.get("/")).text)
        account = (await page.get("/account")).text
        assert ('href="/search"' in account, 'href="/machines"' in account) == (False, True)
    assert 'Appelez-nous\u00a0: <a href="tel:+33412345678">' in shown


async def test_an_operator_sees_why_a_client_s_plan_fails(portal: Any) -> None:
    client = await builder.open_client(portal)
    mail = await client.add_machine("srv-mail", "courriels")
    missed = told(tenant_id=client.tenant_id, plan_id=mail.plan_id)
    await client.add_run(1, "failed", reason=Reason("folder-missing", "/srv/data").as_dict())
    await hear(portal, missed)
    async with browser(portal) as page:
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        assert ">Échec</span>" in (await page.get("/clients?state=failed")).text
        shown = html.unescape((await page.get(f"/clients/{client.tenant_id}")).text)
        await client.add_run(2)
        assert ">En retard</span>" in (await page.get("/clients?state=late")).text
    told_to_hotline = Tongue("fr").explain(Reason("folder-missing", "/srv/data"))
    assert told_to_hotline.cause in shown
    assert told_to_hotline.hotline in shown
    assert '<span class="badge late">En retard</span>' in shown
    assert "courriels" in shown
