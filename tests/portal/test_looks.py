"""Looks into a client's files: why, by whom, confirmed by another, and told to the client."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from libs.shared import clock
from libs.shared.events import ReportSent
from libs.shared.reasons import Reason
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_duties import PASSWORD as PASSWORD_OF_DUTY
from tests.portal.test_duties import let_in, settle
from tests.portal.test_pages import browser, form_token, sign_in


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
