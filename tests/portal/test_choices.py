"""Readers choose which reports they get; a client declines all of them, and takes that back."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from libs.shared import signed_links
from tests.portal import builder
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in
from tests.portal.test_recipients import CAMILLE, PAUL, counted, told


async def tenant(portal: Any) -> dict[str, Any]:
    """How every service was told that the client is."""
    [*_, last] = await portal.events("tenant.changed.v1")
    return dict(last)


def link(client: Any, email: str, **other: Any) -> str:
    values = {"purpose": "reports", "tenant_id": client.tenant_id, **other}
    token = signed_links.make_token(
        client.portal.parts.mail_key,
        values["purpose"],
        values["tenant_id"],
        other.get("subject_id", client.tenant_id),
        email,
    )
    return f"/reports/{token}"


async def test_a_reader_changes_what_they_get_by_the_link_of_a_mail(portal: Any) -> None:
    client = await builder.open_client(portal)
    path = f"/api/v1/plans/{client.plan_id}/recipients"
    async with portal.client(client.token) as api, browser(portal) as reader:
        await api.post(path, json={"email": PAUL, "locale": "en"})
        said = await told(client)
        [paul] = said["recipients"]
        assert (paul["locale"], paul["choice"]) == ("en", "every")
        address = link(client, PAUL)
        for _ in range(3):  # a program that looks at mails follows links
            shown = await reader.get(address, headers={"Accept-Language": "en"})
            assert f"What {PAUL} gets by mail:" in shown.text
        assert (await told(client)) == said, "nothing is changed by looking"
        foreign = {"Origin": "https://evil.example"}
        refused = await reader.post(address, data={"choice": "weekly"}, headers=foreign)
        assert refused.status_code == 403
        assert (await reader.post(address, data={"choice": "none"})).status_code == 422
        chosen = await reader.post(address, data={"choice": "weekly", "locale": "fr"})
        assert chosen.status_code == 303
        [paul] = (await told(client))["recipients"]
        assert (paul["locale"], paul["choice"]) == ("fr", "weekly")
        before = await tenant(portal)
        owner = link(client, CAMILLE)
        assert "/invitations/" not in (await reader.get(owner)).text, "only strangers stop it all"
        await reader.post(owner, data={"choice": "failures", "locale": "en"})
        after = await tenant(portal)
        [camille] = after["administrators"]
        assert (camille["choice"], camille["locale"]) == ("failures", "fr"), (
            "an account has its own"
        )
        assert after["version"] > before["version"]
        stop = (await reader.get(address)).text.partition('href="/invitations/')[2][:43]
        await reader.post(f"/invitations/{stop}", data={"List-Unsubscribe": "One-Click"})
        assert counted(await told(client)) == []
        assert (await reader.get(address)).status_code == 404
        rows = await portal.admin.fetch("SELECT email, changed_by FROM portal.readers")
        assert {tuple(row) for row in rows} == {(PAUL, PAUL), (CAMILLE, CAMILLE)}


async def test_links_that_are_none_change_nothing(portal: Any) -> None:
    client = await builder.open_client(portal)
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    good = link(client, CAMILLE)
    async with browser(portal) as page:
        for bad in (
            good[:-1],
            good[:-4] + "AAAA",
            link(client, PAUL),
            link(client, stranger.email),
            link(client, CAMILLE, purpose="overage"),
            link(client, CAMILLE, subject_id=uuid4()),
            link(client, CAMILLE, subject_id=stranger.tenant_id),
            link(client, CAMILLE, tenant_id=stranger.tenant_id, subject_id=stranger.tenant_id),
            "/reports/x",
            "/reports/%00",
        ):
            assert (await page.get(bad)).status_code == 404, bad
            assert (await page.post(bad, data={"choice": "weekly"})).status_code == 404, bad
        assert (await page.get(good)).status_code == 200
    assert not await portal.admin.fetch("SELECT FROM portal.readers")


async def test_an_administrator_decides_for_all_plans_and_each_reader(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with portal.client(client.token) as api:
        everywhere = "/api/v1/plans/all/recipients"
        assert (await api.post(everywhere, json={"email": PAUL})).status_code == 204
        assert counted(await told(client)) == [PAUL]
        one = f"/api/v1/plans/{client.plan_id}/recipients"
        assert [x["state"] for x in (await api.get(one)).json()["recipients"]] == ["set"]
        await api.delete(f"{one}/{PAUL}")
        assert counted(await told(client)) == [], "but not of this plan"
        await api.post(one, json={"email": PAUL})
        await api.delete(f"{everywhere}/{PAUL}")
        assert counted(await told(client)) == [PAUL], "but still of this one"
        reader = f"/api/v1/reports/readers/{PAUL}"
        assert (await api.put(reader, json={"choice": "weekly"})).status_code == 204
        for body in ({"choice": "never"}, {"choice": "weekly", "locale": "de"}, {}):
            assert (await api.put(reader, json=body)).status_code == 422, body
        unknown = await api.put("/api/v1/reports/readers/x@y.example", json={"choice": "every"})
        assert unknown.status_code == 404
        listed = (await api.get("/api/v1/reports")).json()
        assert listed["declined"] is None
        assert [(x["email"], x["choice"], x["locale"]) for x in listed["readers"]] == [
            (CAMILLE, "every", "fr"),
            (PAUL, "weekly", "fr"),
        ]


async def test_a_client_declines_its_reports_and_takes_that_back(portal: Any) -> None:
    client = await builder.open_client(portal)
    async with browser(portal) as page, portal.client(client.token) as api:
        await sign_in(page, CAMILLE, PASSWORD)
        form = {"form_token": form_token((await page.get("/reports")).text)}
        for _ in range(2):
            await page.post("/reports", data={**form, "change": "decline"})
        assert (await tenant(portal))["reports_declined"] is True
        [declined] = [(await api.get("/api/v1/reports")).json()["declined"]]
        assert declined["declined_by"] == "Camille Martin"
        assert "Camille Martin a refusé tous les rapports" in (await page.get("/reports")).text
        said = len(await portal.events("tenant.changed.v1"))
        assert (await api.put("/api/v1/reports", json={"declined": True})).status_code == 204
        assert len(await portal.events("tenant.changed.v1")) == said, "it is known"
        assert (await api.put("/api/v1/reports", json={"declined": False})).status_code == 204
        assert (await tenant(portal))["reports_declined"] is False
        choice = {**form, "change": "choose", "email": CAMILLE, "choice": "weekly"}
        await page.post("/reports", data=choice)
        assert (await tenant(portal))["administrators"][0]["choice"] == "weekly"
        assert (await page.post("/reports", data={**form, "change": "x"})).status_code == 422
    kept = await portal.admin.fetch(
        "SELECT act FROM portal.access_log WHERE act LIKE 'report%' AND tenant_id = $1"
        " ORDER BY number",
        UUID(str(client.tenant_id)),
    )
    assert [row["act"] for row in kept] == ["reports-declined", "reports-wanted"]


async def test_only_a_clients_administrators_choose_for_others(portal: Any) -> None:
    client = await builder.open_client(portal)
    stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger", plan="other")
    await portal.admin.execute(
        """INSERT INTO portal.users SELECT gen_random_uuid(), tenant_id, 'user', 'Ugo',
           'ugo@dupre.example', locale, password_hash, one_time, password_expires_at, created_at
           FROM portal.users WHERE email = $1""",
        CAMILLE,
    )
    user = await portal.sign_in("ugo@dupre.example")
    reader = f"/api/v1/reports/readers/{CAMILLE}"
    for token, status in (("", 401), (user, 403), (portal.operator_token, 403)):
        async with portal.client(token) as api:
            assert (await api.get("/api/v1/reports")).status_code == status
            declined = await api.put("/api/v1/reports", json={"declined": True})
            assert declined.status_code == status
            assert (await api.put(reader, json={"choice": "weekly"})).status_code == status
    async with portal.client(stranger.token) as api:
        assert (await api.put(reader, json={"choice": "weekly"})).status_code == 404
        assert client.email not in (await api.get("/api/v1/reports")).text
    async with browser(portal) as page:
        assert (await page.get("/reports")).status_code == 303
        await sign_in(page, "ugo@dupre.example", PASSWORD)
        form = {"form_token": form_token((await page.get("/account")).text), "change": "decline"}
        assert (await page.get("/reports")).status_code == 403
        assert (await page.post("/reports", data=form)).status_code == 403
    assert not await portal.admin.fetch("SELECT FROM portal.reports_declined")
