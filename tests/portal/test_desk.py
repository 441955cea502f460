"""The operators' desk: what waits, who decides, what a client's contract and plans need."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import clock
from libs.shared.events import ExpiryHeld, IncidentOpened
from libs.shared.reasons import Reason
from services.portal.actions import desk
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_pages import browser, form_token, sign_in


def opened(client: builder.Client, cause: str, **more: Any) -> IncidentOpened:
    """Something that the hotline has to look after."""
    now = clock.now()
    told: dict[str, Any] = {
        "tenant_id": client.tenant_id, "incident_id": uuid4(), "version": 1,
        "plan_id": client.plan_id, "cause": cause, "opened_at": now, "last_at": now, "times": 1,
        **more,
    }  # fmt: skip
    return IncidentOpened.model_validate(told)


async def test_a_decision_shows_at_once_and_reporting_has_the_last_word(portal: Any) -> None:
    client = await builder.open_client(portal)
    failed, missed = opened(client, "failed"), opened(client, "missed")
    await client.add_run(1, "failed", reason=Reason("folder-missing", "/srv").as_dict())
    for one in (failed, missed):
        await builder.hear(portal, one)
    async with portal.operator() as api:
        queue = (await api.get("/api/v1/queue")).json()
        assert [one["cause"] for one in queue["waiting"]] == ["missed", "failed"]
        assert queue["waiting"][1]["reason"]["code"] == "folder-missing"
        assert queue["waiting"][1]["run_number"] == 1
        path = f"/api/v1/incidents/{failed.incident_id}/acknowledge"
        assert (await api.post(path, json={"note": "on its way"})).status_code == 202
        queue = (await api.get("/api/v1/queue")).json()
        assert [one["cause"] for one in queue["waiting"]] == ["missed"]
        assert [one["note"] for one in queue["in_hand"]] == ["on its way"]
        assert queue["counts"] == {"missed": 1}
        await builder.hear(portal, failed.model_copy(update={"version": 2}))
        queue = (await api.get("/api/v1/queue")).json()
        assert len(queue["waiting"]) == 2


async def test_what_is_in_hand_has_pages_and_an_empty_cause_says_so(
    portal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "AT_ONCE", 1)
    client = await builder.open_client(portal)
    taken = [opened(client, cause, acknowledged_by="Ana") for cause in ("failed", "missed")]
    for one in taken:
        await builder.hear(portal, one)
    async with portal.operator() as api:
        pages = [(await api.get(f"/api/v1/queue?page={page}")).json() for page in (1, 2)]
    assert [page["following"] for page in pages] == [True, False]
    listed = [one["incident_id"] for page in pages for one in page["in_hand"]]
    assert sorted(listed) == sorted(str(one.incident_id) for one in taken)
    async with browser(portal) as page:
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        assert "page=2" in (await page.get("/queue")).text
        chosen = (await page.get("/queue?cause=failed")).text
        assert "Aucun incident de ce type n’attend" in chosen
        assert ("page=2" in chosen, "1 pris en charge ou reporté" in chosen) == (False, True)
        path = f"/clients/{client.tenant_id}/plans/{client.plan_id}"
        form = {"form_token": form_token(chosen), "until": "2029-01-01", "reason": " "}
        refused = await page.post(f"{path}/pause", data=form)
        assert "Dites pourquoi" in (await page.get(refused.headers["location"])).text


async def test_what_holds_a_plan_is_seen_and_cleared(portal: Any) -> None:
    client = await builder.open_client(portal)
    held = ExpiryHeld(
        tenant_id=client.tenant_id, plan_id=client.plan_id, number=7, since=3,
        reason=Reason("many-removed", amount=5000, limit=100), held_at=clock.now(),
    )  # fmt: skip
    await builder.hear(portal, held)
    async with portal.operator() as api:
        where = f"/api/v1/tenants/{client.tenant_id}"
        [hold] = (await api.get(f"{where}/overview")).json()["holds"]
        assert (hold["number"], hold["plan"]) == (7, "documents")
        clear = f"{where}/plans/{client.plan_id}/clear"
        assert (await api.post(clear, json={"reason": ""})).status_code == 422
        assert (await api.post(clear, json={"reason": "moved on purpose"})).status_code == 202
        other = f"{where}/plans/{uuid4()}/clear"
        assert (await api.post(other, json={"reason": "x"})).status_code == 404
    [decided] = await portal.events("expiry.decided.v1")
    assert decided["plan_id"] == str(client.plan_id)
    assert decided["reason"] == "moved on purpose"


async def test_a_code_that_was_withdrawn_lets_nobody_in(portal: Any) -> None:
    client = await builder.open_client(portal)
    where = f"/api/v1/tenants/{client.tenant_id}"
    async with portal.operator() as api:
        code = (await api.post(f"{where}/enrolments", json={"label": "srv"})).json()
        [listed] = (await api.get(f"{where}/overview")).json()["codes"]
        assert listed["label"] == "srv"
        path = f"{where}/enrolments/{code['enrolment_id']}"
        assert (await api.delete(path)).status_code == 204
        assert (await api.delete(path)).status_code == 404
        assert (await api.get(f"{where}/overview")).json()["codes"] == []
    over = await portal.admin.fetchval(
        "SELECT expires_at <= now() + interval '1 s' FROM ingest.enrolments"
        " WHERE enrolment_id = $1",
        UUID(code["enrolment_id"]),
    )
    assert over


async def test_terms_change_and_every_service_is_told(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with portal.operator() as api:
        where = f"/api/v1/tenants/{client.tenant_id}"
        body = {"name": "Dupré et Fille", "retention_days": 60}
        assert (await api.patch(where, json=body)).json()["retention_days"] == 60
        for wrong in ({"name": ""}, {"retention_days": 0}, {"timezone": "Nantes"}, {"seats": 3}):
            assert (await api.patch(where, json=wrong)).status_code == 422
    changed = (await portal.events("tenant.changed.v1"))[-1]
    assert (changed["name"], changed["retention_days"]) == ("Dupré et Fille", 60)
    assert changed["version"] == 2
