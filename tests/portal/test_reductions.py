"""What fills the volume, and giving it back: figures, one button, undo, and who may."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

from libs.shared import clock, database, events
from services.retention import actions, store
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.dropping import carry_out, count_fills, retention
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in

CAMILLE = "camille@dupre.example"
OLD, SHARED, NEW = (bytes(range(n, 256)) * 20 for n in (1, 2, 3))
TREE = {
    b"srv/old/a": builder.text(OLD),
    b"srv/old/shared": builder.text(SHARED),
    b"srv/new/shared": builder.text(SHARED),
    b"srv/new/b": builder.text(NEW),
}


async def filled(portal: Any) -> Any:
    """A client with two folders that share a file, counted."""
    client = await builder.open_client(portal)
    await client.commit(dict(TREE))
    await count_fills(portal)
    return client


async def stored(client: Any) -> int:
    volume: int = await client.portal.admin.fetchval(
        "SELECT stored_bytes FROM catalogue.volumes WHERE tenant_id = $1", client.tenant_id
    )
    return volume


async def test_what_fills_it_by_plan_and_folder(portal: Any) -> None:
    client = await filled(portal)
    async with portal.client(client.token) as api:
        whole = (await api.get("/api/v1/volume")).json()
        [plan] = whole["plans"]
        assert (plan["name"], plan["agent"], plan["files"]) == ("documents", "srv-compta", 4)
        assert whole["stored_bytes"] == await stored(client)
        assert 0 < plan["freed_bytes"] < whole["stored_bytes"], "but the packs' own indices"
        below = (await api.get(f"/api/v1/volume?plan={client.plan_id}&path=srv")).json()
        folders = {one["name"]: one for one in below["folders"]}
        assert set(folders) == {"old", "new"}
        assert folders["old"]["files"] == folders["new"]["files"] == 2
        shared = below["freed_bytes"] - sum(one["freed_bytes"] for one in folders.values())
        assert 0 < shared < folders["old"]["freed_bytes"] + shared
        assert below["freed_bytes"] == plan["freed_bytes"], "srv has all of it"
        assert (await api.get("/api/v1/volume?plan=none")).status_code == 404
        assert (await api.get("/api/v1/volume?plan=documents&path=nowhere")).status_code == 404


async def test_the_preview_says_what_is_freed_then(portal: Any) -> None:
    client = await filled(portal)
    before = await stored(client)
    wish = {"what": "folder", "plan": "documents", "folder": "srv/old"}
    key = {"Idempotency-Key": "once"}
    async with portal.client(client.token) as api:
        said = (await api.post("/api/v1/reductions/preview", json=wish)).json()
        assert (said["versions"], said["current_files"], said["undo_days"]) == (2, 2, 7)
        assert await stored(client) == before, "looking changes nothing"
        [first, second] = [
            (await api.post("/api/v1/reductions", json=wish, headers=key)).json() for _ in range(2)
        ]
        assert first["reduction_id"] == second["reduction_id"], "two clicks are one"
        assert len(await portal.events("reduction.ordered.v1")) == 1
        await carry_out(portal)
        assert before - await stored(client) == said["freed_bytes"] > 0
        [one] = (await api.get("/api/v1/reductions")).json()["reductions"]
        assert (one["state"], one["freed_bytes"]) == ("applied", said["freed_bytes"])
        entries = f"/api/v1/plans/{client.plan_id}/entries?path=srv/old"
        assert (await api.get(entries)).json()["entries"] == []
        assert (await api.get(entries.replace("old", "new"))).json()["entries"]
        file = f"/api/v1/plans/{client.plan_id}/file?path=srv/old/a"
        assert (await api.get(file)).status_code == 404
        back = f"/api/v1/reductions/{one['reduction_id']}/withdraw"
        for _ in range(2):
            assert (await api.post(back)).status_code == 204
        await carry_out(portal)
        assert await stored(client) == before
        assert (await api.get(file)).content == OLD
        [one] = (await api.get("/api/v1/reductions")).json()["reductions"]
        assert one["state"] == "withdrawn"


async def test_a_restore_point_says_what_it_comes_without(portal: Any) -> None:
    client = await filled(portal)
    wish = {"what": "folder", "plan": "documents", "folder": "srv/old"}
    plan = f"/api/v1/plans/{client.plan_id}"
    async with portal.client(client.token) as api, browser(portal) as page:
        await sign_in(page, CAMILLE, PASSWORD)

        async def told() -> tuple[list[Any], list[Any], str]:
            of_plan = (await api.get(f"{plan}/runs")).json()["dropped"]
            of_point = (await api.get(f"{plan}/entries?run=1&path=srv")).json()["dropped"]
            shown = (await page.get(f"/plans/{client.plan_id}/files?run=1")).text
            return of_plan, of_point, shown

        of_plan, of_point, shown = await told()
        assert of_plan == of_point == []
        assert "peut le reprendre" not in shown
        ordered = (await api.post("/api/v1/reductions", json=wish)).json()
        assert (await told())[0] == [], "ordered, and nothing is gone yet"
        await carry_out(portal)
        [one], of_point, shown = await told()
        [known] = (await api.get("/api/v1/reductions")).json()["reductions"]
        assert one == {
            "path": "srv/old",
            "folder": "srv/old",
            "through_run": 1,
            "by": "Camille Martin",
            "ordered_at": known["ordered_at"],
            "state": "applied",
            "undo_until": known["undo_until"],
        }
        assert known["undo_until"] is not None
        assert of_point == [one]
        for words in ("manque", "srv/old", "Camille Martin", "peut le reprendre"):
            assert words in shown, words

        stranger = await builder.open_client(portal, "eve@stranger.example", "Eve", plan="other")
        async with portal.client(stranger.token) as other:
            assert (await other.get("/api/v1/plans/other/runs")).json()["dropped"] == []

        await builder.hear(portal, final(client, ordered))
        [one], _, shown = await told()
        assert one["state"] == "collected"
        assert "ne peut plus" in shown
        assert "peut le reprendre" not in shown


async def test_what_was_taken_back_isnt_missed(portal: Any) -> None:
    client = await filled(portal)
    wish = {"what": "folder", "plan": "documents", "folder": "srv/old"}
    async with portal.client(client.token) as api:
        ordered = (await api.post("/api/v1/reductions", json=wish)).json()
        await carry_out(portal)
        await api.post(f"/api/v1/reductions/{ordered['reduction_id']}/withdraw")
        runs = f"/api/v1/plans/{client.plan_id}/runs"
        [waiting] = (await api.get(runs)).json()["dropped"]
        assert waiting["state"] == "withdrawing", "until retention brought it back"
        await carry_out(portal)
        assert (await api.get(runs)).json()["dropped"] == []


def final(client: Any, ordered: Any) -> events.ReductionApplied:
    """What retention says once a reduction can't be taken back any more."""
    return events.ReductionApplied(
        tenant_id=client.tenant_id,
        reduction_id=ordered["reduction_id"],
        state="collected",
        freed_bytes=0,
        undo_until=clock.now(),
    )


async def test_everything_of_a_plan_or_all_that_is_older(portal: Any) -> None:
    client = await filled(portal)
    await client.commit({b"srv/old/a": builder.text(NEW + OLD)}, 2)
    before = await stored(client)
    async with portal.client(client.token) as api:
        for wish in (
            {"what": "older", "plan": "documents", "before": "2027-01-01"},
            {"what": "plan", "plan": str(client.plan_id)},
        ):
            said = (await api.post("/api/v1/reductions/preview", json=wish)).json()
            ordered = (await api.post("/api/v1/reductions", json=wish)).json()
            await carry_out(portal)
            assert before - await stored(client) == said["freed_bytes"] > 0, wish
            runs = await api.get(f"/api/v1/plans/{client.plan_id}/manifest?run=1")
            assert runs.status_code == 404, "what is dropped with its restore point is not shown"
            await api.post(f"/api/v1/reductions/{ordered['reduction_id']}/withdraw")
            await carry_out(portal)
            assert await stored(client) == before
        wish = {"what": "older", "plan": "documents", "before": "2020-01-01"}
        refused = await api.post("/api/v1/reductions", json=wish)
        assert refused.json()["type"] == "urn:coffre:problem:nothing-to-drop"
        for wrong in (
            {"what": "folder", "plan": "documents"},
            {"what": "plan", "plan": "documents", "before": "2026-01-01"},
            {"what": "older", "plan": "documents"},
            {"what": "all", "plan": "documents"},
            {"what": "older", "plan": "documents", "before": "some day"},
        ):
            assert (await api.post("/api/v1/reductions", json=wrong)).status_code == 422, wrong
    assert await stored(client) == before


async def test_an_administrator_does_it_by_page_without_scripts(portal: Any) -> None:
    client = await filled(portal)
    async with browser(portal) as page:
        await sign_in(page, CAMILLE, PASSWORD)
        assert "/volume" in (await page.get("/")).text
        shown = (await page.get(f"/volume?plan={client.plan_id}&path=srv")).text
        assert "Libérerait" in shown
        [target] = re.findall(r'href="(/volume/preview[^"]*path=srv/old)"', shown)
        asked = (await page.get(target.replace("&amp;", "&"))).text
        assert "renverra" in asked, "the machine still has it"
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', asked))
        for _ in range(2):  # clicked twice
            assert (await page.post("/volume/reductions", data=fields)).status_code == 303
        assert len(await portal.events("reduction.ordered.v1")) == 1
        await carry_out(portal)
        shown = (await page.get("/volume")).text
        assert "peut être repris" in shown
        [back] = re.findall(r'action="(/volume/reductions/[^"]*)"', shown)
        form = {"form_token": form_token(shown)}
        assert (await page.post(back, data=form)).status_code == 303
        await carry_out(portal)
        assert "Repris" in (await page.get("/volume")).text
        foreign = {"Origin": "https://evil.example"}
        refused = await page.post("/volume/reductions", data=fields, headers=foreign)
        assert refused.status_code == 403
        none = {**fields, "what": "older", "before": "2020-01-01", "key": "other"}
        missed = await page.post("/volume/reductions", data=none, follow_redirects=True)
        assert "rien ne serait abandonné" in missed.text


async def test_two_administrators_who_drop_the_same_at_once_free_it_once(portal: Any) -> None:
    client = await filled(portal)
    wish = {"what": "plan", "plan": "documents"}
    before = await stored(client)
    async with portal.client(client.token) as api:
        both = await asyncio.gather(*(api.post("/api/v1/reductions", json=wish) for _ in range(2)))
        assert {answer.status_code for answer in both} == {202}
        await carry_out(portal)
        dropped = await stored(client)
        assert dropped < before
        one, other = (answer.json()["reduction_id"] for answer in both)
        await api.post(f"/api/v1/reductions/{one}/withdraw")
        await carry_out(portal)
        assert await stored(client) == dropped, "the other one holds"
        await api.post(f"/api/v1/reductions/{other}/withdraw")
        await carry_out(portal)
        assert await stored(client) == before


async def test_what_was_collected_cant_be_taken_back(portal: Any) -> None:
    client = await filled(portal)
    async with portal.client(client.token) as api:
        wish = {"what": "plan", "plan": "documents"}
        ordered = (await api.post("/api/v1/reductions", json=wish)).json()
        await carry_out(portal)
        said = final(client, ordered)
        await builder.hear(portal, said)
        late = said.model_copy(update={"state": "applied"})
        await builder.hear(portal, late)  # heard after what came later
        refused = await api.post(f"/api/v1/reductions/{ordered['reduction_id']}/withdraw")
        assert refused.status_code == 409
        assert refused.json()["type"] == "urn:coffre:problem:reduction-final"
    assert not await portal.events("reduction.withdrawn.v1")


async def test_operators_may_and_strangers_and_users_may_not(portal: Any) -> None:
    client = await filled(portal)
    wish = {"what": "plan", "plan": str(client.plan_id)}
    async with portal.client(client.token) as api:
        ordered = (await api.post("/api/v1/reductions", json=wish)).json()
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    async with portal.client(stranger.token) as api, browser(portal) as page:
        await sign_in(page, stranger.email, PASSWORD)
        assert (await api.get("/api/v1/reductions")).json() == {"reductions": []}
        assert (await api.post("/api/v1/reductions", json=wish)).status_code == 404
        assert (await api.post("/api/v1/reductions/preview", json=wish)).status_code == 404
        back = f"/api/v1/reductions/{ordered['reduction_id']}/withdraw"
        assert (await api.post(back)).status_code == 404
        query = f"?what=plan&plan={client.plan_id}"
        assert (await page.get("/volume/preview" + query)).status_code == 404
        assert (await page.get(f"/volume?plan={client.plan_id}")).status_code == 404
        form = {"form_token": form_token((await page.get("/volume")).text)}
        undo = f"/volume/reductions/{ordered['reduction_id']}/withdraw"
        assert (await page.post(undo, data=form)).status_code == 404
        told = await page.post("/volume/reductions", data={**form, **wish})
        assert told.status_code == 404
        tenant = f"/api/v1/tenants/{client.tenant_id}"
        assert (await api.get(tenant + "/volume")).status_code == 403
        assert (await api.post(tenant + "/reductions", json=wish)).status_code == 403
        # Their own is not touched by what they may name.
        assert (await api.get("/api/v1/volume?plan=other")).status_code == 200
    await portal.admin.execute(
        "UPDATE portal.users SET role = 'user' WHERE tenant_id = $1", client.tenant_id
    )
    async with portal.client(client.token) as api, browser(portal) as page:
        for path in ("/api/v1/volume", "/api/v1/reductions"):
            assert (await api.get(path)).status_code == 403
        assert (await api.post("/api/v1/reductions", json=wish)).status_code == 403
        await sign_in(page, CAMILLE, PASSWORD)
        assert (await page.get("/volume")).status_code == 403
        assert 'href="/volume"' not in (await page.get("/")).text
    async with portal.operator() as api, browser(portal) as desk:
        tenant = f"/api/v1/tenants/{client.tenant_id}"
        assert (await api.get(tenant + "/volume")).json()["plans"][0]["files"] == 4
        listed = (await api.get(tenant + "/reductions")).json()["reductions"]
        assert [one["by"] for one in listed] == ["Camille Martin"]
        back = f"{tenant}/reductions/{ordered['reduction_id']}/withdraw"
        assert (await api.post(back)).status_code == 204
        assert (await api.get(f"/api/v1/tenants/{uuid4()}/volume")).status_code == 404
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        assert (await desk.get("/volume")).status_code == 404


async def test_fills_are_counted_again_only_after_a_change(portal: Any) -> None:
    client = await filled(portal)
    async with retention(portal) as keeper:

        async def due(now: Any) -> list[Any]:
            async with database.acquire(keeper.pool) as conn:
                return await store.fills.list_due(conn, now)

        later = clock.now() + timedelta(days=400)
        assert await due(later) == []
        await client.commit({b"srv/new/c": builder.text(NEW * 2)}, 2)
        assert await due(later) == [client.tenant_id]
        await actions.fills.measure_tenant(keeper, client.tenant_id, clock.now())
        assert await due(later) == []
