"""The operators' desk: what waits, who decides, what takes two."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine

from libs.shared import clock, errors
from libs.shared.events import ExpiryHeld, IncidentOpened, ReportSent
from libs.shared.reasons import Reason
from libs.shared.words.tongue import Tongue
from services.portal.actions import approvals, desk, operators
from services.portal.actions.clients import listing
from services.portal.pages.desk import drawings
from services.portal.rules import clients
from services.portal.rules.approvals import ApprovalOver, OwnApproval
from services.portal.rules.log.chain import NOBODY, Actor
from services.portal.rules.operators import NotOfDuty, UnsettledOperator
from services.portal.rules.users import ClientOpens
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_duties import PASSWORD as PASSWORD_OF_DUTY
from tests.portal.test_duties import let_in, settle
from tests.portal.test_pages import browser, form_token, sign_in

OPERATOR = Actor(NOBODY, uuid4(), "Anne", "", duty="administrator")


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


async def test_clients_are_listed_worst_first_and_found_without_accents(portal: Any) -> None:
    names = ("Étude Lefèvre", "Smith & Co", "Zinguerie Ébène", "agence Ôdyssée")
    made = {
        name: await builder.open_client(portal, f"a{n}@c.example", name)
        for n, name in enumerate(names)
    }
    for name in ("Smith & Co", "Zinguerie Ébène", "Étude Lefèvre"):
        await made[name].add_run(1)
    await made["Smith & Co"].add_run(2, "failed", started_at=clock.now(), finished_at=clock.now())

    async def names_of(**asked: Any) -> list[str]:
        chosen = {"search": "", "trouble": None, "page": 1, **asked}
        found = await listing.list_page(portal.parts.pool, OPERATOR, **chosen)
        return [one.name for one, _ in found.clients]

    assert await names_of() == ["Smith & Co", "agence Ôdyssée", "Étude Lefèvre", "Zinguerie Ébène"]
    assert await names_of(search="ETUDE lefevre") == ["Étude Lefèvre"]
    assert await names_of(trouble="waiting") == ["agence Ôdyssée"]
    assert await names_of(search="%") == []
    found = await listing.list_page(
        portal.parts.pool, OPERATOR, search="smith", trouble=None, page=1
    )
    assert "failed" in found.kinds[made["Smith & Co"].tenant_id].values()
    assert found.counts == {"failed": 1}


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 11, 30, 22, 30, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 11, 30, 23, 30, tzinfo=UTC), date(2026, 12, 1)),  # past midnight in Paris
    ],
)
async def test_the_last_day_of_the_list_is_that_of_clients(
    portal: Any, at: datetime, day: date
) -> None:
    client = await builder.open_client(portal)
    with time_machine.travel(at, tick=True):
        await client.add_run(1, "failed", started_at=at, finished_at=at)
        found = await listing.list_page(
            portal.parts.pool, OPERATOR, search="", trouble=None, page=1
        )
    assert (found.days[-1], len(found.days)) == (day, listing.DAYS)
    assert found.kinds[client.tenant_id] == {day: "failed"}


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({}, "fine"),
        ({"subscription": "ended", "failing": 1}, "closed"),
        ({"failing": 1, "late": 1, "damaged": 1}, "damaged"),
        ({"failing": 1, "late": 1}, "failed"),
        ({"late": 1, "is_blocked": True}, "late"),
        ({"is_blocked": True, "stored_bytes": 2}, "blocked"),
        ({"stored_bytes": 2, "reserved": 1}, "over"),
        ({"reserved": 1}, "warnings"),
        ({"subscription": "suspended", "silent": 1}, "suspended"),
        ({"subscription": "suspended", "damaged": 1}, "damaged"),
        ({"silent": 1}, "waiting"),
        ({"plans": 2, "silent": 1}, "fine"),
    ],
)
def test_a_client_is_listed_under_its_worst(change: dict[str, Any], trouble: str) -> None:
    known = {
        "subscription": "active", "damaged": 0, "failing": 0, "late": 0, "unusual": 0,
        "reserved": 0, "plans": 1, "silent": 0, "is_blocked": False, "stored_bytes": 1,
        "contracted_bytes": 1,
    }  # fmt: skip
    known.update(change)
    assert clients.find_trouble(known.pop("subscription"), **known) == trouble


def test_a_bar_that_goes_on_beyond_the_axis_has_a_tip() -> None:
    now, days = clock.now(), timedelta(days=1)

    def tips(opened: int, due: int) -> int:
        case = ("Dupré", now + opened * days, now + due * days, False)
        return str(drawings.draw_deadlines([case], now, Tongue("fr"))).count("v14")

    assert [tips(-20, 10), tips(-31, 10), tips(-20, 31), tips(-90, 90)] == [0, 1, 1, 2]


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


async def test_an_operator_looks_into_files_once_another_confirmed_it(portal: Any) -> None:
    client = await builder.open_client(portal)
    secret = b"quatre mille deux cents"
    await client.commit({b"srv/<b>salaires": builder.text(secret)})
    await client.commit({b"srv/other": builder.text(b"x")}, 2)
    run_id = uuid4()
    missed = {"path": "srv/divorce.odt", "reason": Reason("permission-denied").as_dict()}
    dump = {"name": "/srv/divorce.mdb", "reason": Reason("database-file").as_dict()}
    dump |= {"succeeded": True, "guaranteed": False, "size_bytes": 1}
    await client.add_run(7, run_id=run_id, not_copied=[missed], files_not_copied=1, dumps=[dump])
    mail = {"tenant_id": client.tenant_id, "run_id": run_id, "recipient": "a@dupre.example"}
    mail["plan_id"] = client.plan_id
    text = "srv/divorce.odt: accès refusé"
    await builder.hear(portal, ReportSent(**mail, sent_at=clock.now(), subject="x", text=text))
    dropped = {"what": "folder", "plan": "documents", "folder": "srv"}
    async with portal.client(client.token) as its_own:
        assert (await its_own.post("/api/v1/reductions", json=dropped)).is_success
    email = await let_in(portal, "administrator")
    portal.app.state.resources = replace(portal.parts, four_eyes=frozenset({"look"}))
    plan = f"/clients/{client.tenant_id}/plans/{client.plan_id}"
    tenant = f"/api/v1/tenants/{client.tenant_id}"
    api, where = f"{tenant}/plans/{client.plan_id}", "path=srv/%3Cb%3Esalaires"
    reads = [f"{api}/entries?path=srv", f"{api}/history?{where}", f"{tenant}/volume?plan=documents"]
    reads += [f"{api}/{what}?{where}" for what in ("file", "archive", "preview", "checksum")]
    reads += [f"{tenant}/log", f"{tenant}/log/export", f"{api}/changes?older=1&newer=2"]
    reads += [f"{tenant}/search?q=salaires"]
    pages = [f"{plan}/files?path=srv", f"{plan}/file?{where}", f"{plan}/versions?{where}"]
    at, twice = f"/clients/{client.tenant_id}", f"{plan}/changes?older=1&newer=2"
    others = [f"{at}/log", f"{at}/log/export", f"{at}/volume?plan=documents", twice]
    others += [f"{at}/search?q=salaires"]
    run = f"{plan}/runs/7"
    other_api = portal.client(await portal.sign_in(email, PASSWORD_OF_DUTY))
    async with browser(portal) as desk, portal.operator() as operator, other_api as other:
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        for address in (*pages, *others):
            shut = await desk.get(address)
            assert (shut.status_code, "quatre" in shut.text) == (403, False), address
            assert "deux opérateurs" in shut.text, address
        own = {"name": "One", "email": "one@provider.example", "role": "administrator"}
        let = await operator.post(f"{tenant}/users", json=own)
        assert let.json()["type"].endswith(":client-opens"), "an account of one's own sees them too"
        assert (await operator.get(f"{tenant}/volume")).status_code == 200, "without a name"
        for address in reads:
            refused = await operator.get(address)
            assert refused.json()["type"].endswith(":look-not-confirmed"), address
        for path in (f"{tenant}/reductions/preview", f"{tenant}/reductions"):
            refused = await operator.post(path, json=dropped)
            assert refused.json()["type"].endswith(":look-not-confirmed"), path
        [blank] = (await operator.get(f"{tenant}/reductions")).json()["reductions"]
        assert (blank["what"], blank["path"], blank["folder"]) == ("folder", None, None)
        told = (await operator.get(f"{api}/runs/7")).text
        assert [word in told for word in ("divorce", "permission-denied", "a@dupre")] == [
            False,
            True,
            True,
        ]
        one = await operator.post(f"{tenant}/recipients", json={"email": "one@provider.example"})
        assert one.json()["type"].endswith(":client-adds"), "reports name files as well"
        told = (await desk.get(run)).text
        assert ("divorce" in told, "Non sauvegardés" in told, "a@dupre" in told) == (
            False,
            True,
            True,
        )
        form = {"form_token": form_token(shut.text), "reason": "asked to by telephone"}
        asked = await desk.post(f"/clients/{client.tenant_id}/look", data=form)
        assert asked.headers["location"].endswith("?said=asked")
        [waiting] = (await other.get("/api/v1/approvals")).json()["approvals"]
        await settle(portal)
        confirm = f"/api/v1/approvals/{waiting['approval_id']}/confirm"
        assert (await other.post(confirm)).is_success
        shown = [(await desk.get(address)).text for address in pages]
        assert all([(await desk.get(address)).status_code == 200 for address in others])
        assert "&lt;b&gt;salaires" in shown[0]
        assert secret.decode() in shown[1]
        assert all(f"{api}/file?" in text for text in shown)
        assert all("asked to by telephone" in text for text in shown)
        assert (await desk.get(run)).text.count("divorce") == 3, "in both lists, and in the mail"
        assert (await operator.get(f"{api}/runs/7")).text.count("divorce") == 3
        [named] = (await operator.get(f"{tenant}/reductions")).json()["reductions"]
        assert named["path"] == "srv"
        [entry, *_] = (await operator.get(reads[0])).json()["entries"]
        assert (entry["name"], entry["size"]) == ("<b>salaires", len(secret))
        assert (await operator.get(entry["links"]["file"])).content == secret
        assert all([(await operator.get(address)).status_code == 200 for address in reads])
        assert (await other.get(reads[0])).status_code == 403, "it was not the other who asked"
        await portal.admin.execute(
            "UPDATE portal.approvals SET answered_at = answered_at - interval '25 hours'"
        )
        assert not any([(await operator.get(address)).is_success for address in reads])
    seen = await portal.admin.fetch(
        "SELECT act, actor FROM portal.access_log WHERE tenant_id = $1 ORDER BY number",
        client.tenant_id,
    )
    downloads = [row["actor"] for row in seen if row["act"] == "file-downloaded"]
    assert downloads == [OPERATOR_EMAIL] * 3, "the file twice, and its checksum"
    async with portal.client(client.token) as its_own:
        lines = (await its_own.get("/api/v1/log")).json()["lines"]
    assert any("asked to by telephone" in json.dumps(line) for line in lines)


async def test_a_client_that_never_was_has_no_log_to_export(portal: Any) -> None:
    async with portal.operator() as api, browser(portal) as desk:
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        for one in (uuid4(), UUID(int=0)):  # the second is who acts of no client are noted for
            for path in ("log", "log/export"):
                answer = await api.get(f"/api/v1/tenants/{one}/{path}")
                assert answer.status_code == 404, answer.text
                assert (await desk.get(f"/clients/{one}/{path}")).status_code == 404
            heads = "SELECT count(*) FROM portal.log_heads WHERE tenant_id = $1"
            assert await portal.admin.fetchval(heads, one) == (one.int == 0)


async def test_a_client_reads_that_an_operator_saw_what_it_has(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with browser(portal) as desk:
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        assert (await desk.get(f"/clients/{client.tenant_id}/search")).status_code == 200
    async with portal.client(client.token) as api:
        lines = (await api.get("/api/v1/log")).json()["lines"]
    assert next(one["act"] for one in lines if one["by_provider"]) == "plans-listed"


async def test_one_operator_alone_says_why_before_a_file_opens(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.commit({b"srv/devis.txt": builder.text(b"douze mille")})
    tenant, plan = f"/api/v1/tenants/{client.tenant_id}", f"plans/{client.plan_id}"
    read, page = f"{tenant}/{plan}/file?path=srv/devis.txt", f"/clients/{client.tenant_id}/{plan}"
    async with browser(portal) as desk, portal.operator() as operator:
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        assert (await operator.get(f"{tenant}/{plan}/entries?path=srv")).status_code == 200
        assert (await operator.get(read)).json()["type"].endswith(":look-not-opened")
        folder = (await desk.get(f"{page}/files?path=srv")).text
        shown = [place in folder for place in (f"{plan}/archive", f"{tenant}/{plan}/file", "devis")]
        assert shown == [False, False, True]
        shut = await desk.get(f"{page}/file?path=srv/devis.txt")
        assert shut.status_code == 403
        form = {"form_token": form_token(shut.text), "reason": " ", "then": "//elsewhere.example"}
        again = await desk.post(f"/clients/{client.tenant_id}/look", data=form)
        assert again.headers["location"] == f"/clients/{client.tenant_id}"
        assert (await operator.get(read)).status_code == 403, "nobody opens it without a reason"
        then = f"{page}/file?path=srv/devis.txt"
        opened = await desk.post(
            f"/clients/{client.tenant_id}/look", data={**form, "reason": "ticket 12", "then": then}
        )
        assert opened.headers["location"] == then
        assert "douze mille" in (await desk.get(then)).text
        assert (await operator.get(read)).content == b"douze mille"
        folder = (await desk.get(f"{page}/files?path=srv")).text
        assert f"{plan}/archive" in folder
        assert f'"{read.partition("?")[0]}?run=1&amp;path=srv/devis.txt"' in folder
        # What one opened alone counts no more once an installation wants two.
        portal.app.state.resources = replace(portal.parts, four_eyes=frozenset({"look"}))
        assert (await operator.get(read)).json()["type"].endswith(":look-not-confirmed")


async def test_a_client_s_people_are_moved_and_closed_by_two(portal: Any) -> None:
    client = await builder.open_client(portal)
    where = f"/api/v1/tenants/{client.tenant_id}/users"
    async with portal.operator() as api:
        body = {"name": "Paul", "email": "paul@dupre.example"}
        paul = (await api.post(where, json=body)).json()["user_id"]
        email = await let_in(portal, "administrator")
        await settle(portal)
        portal.app.state.resources = replace(portal.parts, four_eyes=frozenset({"reset"}))
        assert (await api.patch(f"{where}/{paul}", json={"name": "Paule"})).status_code == 200
        assert (await api.patch(f"{where}/{paul}", json={"role": "user"})).status_code == 200
        promote = {"role": "administrator", "name": "P", "reason": "the new manager"}
        mute = await api.patch(f"{where}/{paul}", json={"role": "administrator"})
        assert (mute.status_code, "say why" in mute.text) == (422, True)
        asked = [await api.patch(f"{where}/{paul}", json=promote)]
        camille = await portal.admin.fetchval(
            "SELECT user_id FROM portal.users WHERE email = $1", client.email
        )
        asked.append(await api.delete(f"{where}/{camille}?reason=left"))
        assert [one.status_code for one in asked] == [202, 202]
        people = "SELECT name, role FROM portal.users WHERE tenant_id = $1 ORDER BY name"

        async def roles() -> dict[str, str]:
            return {
                one["name"]: one["role"]
                for one in await portal.admin.fetch(people, client.tenant_id)
            }

        before = await roles()
        assert before == {"Camille Martin": "administrator", "P": "user"}, "the role alone waits"
        async with portal.client(await portal.sign_in(email, PASSWORD_OF_DUTY)) as other:
            for one in asked:
                path = f"/api/v1/approvals/{one.json()['approval_id']}/confirm"
                assert (await api.post(path)).status_code == 403
                assert (await other.post(path)).is_success
        assert await roles() == {"P": "administrator"}
        async with browser(portal) as desk:
            await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
            page = f"/clients/{client.tenant_id}"
            shown = (await desk.get(page)).text
            assert f'action="{page}/people"' not in shown
            form = {"form_token": form_token(shown), "email": "me@provider.example"}
            added = await desk.post(f"{page}/recipients", data=form)
            assert added.headers["location"].endswith("problem=client-adds"), "reports name files"
            form = {"form_token": form_token(shown), "reason": "left as well"}
            closed = await desk.post(f"{page}/people/{paul}/close", data=form)
            assert closed.headers["location"].endswith("said=asked")
            [left] = (await api.get("/api/v1/approvals")).json()["approvals"]
            async with portal.client(await portal.sign_in(email, PASSWORD_OF_DUTY)) as other:
                alone = await other.post(f"/api/v1/approvals/{left['approval_id']}/confirm")
            assert alone.json()["type"].endswith(":last-administrator")
    acts = await portal.admin.fetch(
        "SELECT act, actor FROM portal.access_log WHERE tenant_id = $1 ORDER BY number",
        client.tenant_id,
    )
    assert ("user-closed", OPERATOR_EMAIL) in {(row["act"], row["actor"]) for row in acts}


async def test_what_takes_two_is_asked_by_one_and_confirmed_by_another(portal: Any) -> None:
    client = await builder.open_client(portal)
    await let_in(portal, "administrator")
    people = await portal.admin.fetch(
        "SELECT user_id, name FROM portal.users WHERE role = 'operator' ORDER BY created_at"
    )
    one, two = (replace(OPERATOR, user_id=row["user_id"], name=row["name"]) for row in people)
    resources = replace(portal.parts, four_eyes=frozenset({"unblock", "reset", "end"}))
    asked = await approvals.unblock(resources, one, client.tenant_id, "paid")
    assert await portal.events("overage.decided.v1") == []
    with pytest.raises(OwnApproval):
        await approvals.confirm(resources, one, asked.approval_id)
    # Whoever let the second in knew their password: it could be the same pair of eyes.
    with pytest.raises(UnsettledOperator):
        await approvals.confirm(resources, two, asked.approval_id)
    await settle(portal)
    await approvals.confirm(resources, two, asked.approval_id)
    [decided] = await portal.events("overage.decided.v1")
    assert (decided["decision"], decided["by"]) == ("unblock", one.name)
    with pytest.raises(ApprovalOver):
        await approvals.confirm(resources, two, asked.approval_id)
    ending = await approvals.end(resources, one, client.tenant_id, "moves")
    await approvals.decline(resources, one, ending.approval_id)
    assert await portal.events("subscription.ended.v1") == []
    reset = await approvals.reset_password(resources, one, client.email, "lost it")
    sent = len(await portal.events("password.issued.v1"))
    await approvals.confirm(resources, two, reset.approval_id)
    assert len(await portal.events("password.issued.v1")) == sent + 1
    with pytest.raises(ClientOpens):
        await approvals.open_user(
            resources, one, client.tenant_id,
            name="One", email="one@provider.example", locale="fr", role="administrator",
        )  # fmt: skip
    moved = await approvals.reset_password(resources, one, client.email, "lost it")
    await portal.admin.execute(
        "UPDATE portal.approvals SET tenant_id = $1 WHERE approval_id = $2",
        (await builder.open_client(portal, "eve@stranger.example", "Stranger")).tenant_id,
        moved.approval_id,
    )
    with pytest.raises(errors.NotFound):
        await approvals.confirm(resources, two, moved.approval_id)
    again = await approvals.unblock(resources, one, client.tenant_id, "paid")
    await operators.reset(portal.parts.pool, portal.parts.passwords, one, two.user_id)
    with pytest.raises(UnsettledOperator):
        await approvals.confirm(resources, two, again.approval_id)
    await settle(portal)
    hotline = replace(two, duty="hotline")
    again = await approvals.unblock(resources, one, client.tenant_id, "paid")
    with pytest.raises(NotOfDuty):
        await approvals.confirm(resources, hotline, again.approval_id)
    acts = await portal.admin.fetch(
        "SELECT act FROM portal.access_log WHERE tenant_id = $1 AND act LIKE 'approval%'"
        " ORDER BY number",
        client.tenant_id,
    )
    assert [row["act"] for row in acts] == [
        "approval-asked", "approval-confirmed", "approval-asked", "approval-declined",
        "approval-asked", "approval-confirmed", "approval-asked", "approval-asked",
        "approval-asked",
    ]  # fmt: skip
