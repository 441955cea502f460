"""The access log as a client's administrators read it, filter it and take it home."""

from __future__ import annotations

import csv
import html
import io
from string import Formatter
from typing import Any

import pytest

from services.portal.pages.log.sentences import KINDS, SENTENCES, tell
from services.portal.pages.rendering import speak_in
from services.portal.rules.log.acts import ACTS
from services.portal.rules.log.reading import KINDS as ROOMS
from tests.portal import builder
from tests.portal.conftest import PASSWORD
from tests.portal.test_pages import browser, sign_in
from tests.portal.test_people_pages import CAMILLE, UGO, UGO_TYPED, open_people


def test_each_act_has_a_sentence_of_its_own_fields() -> None:
    assert set(SENTENCES) == {act.code for act in ACTS}
    assert set(KINDS) == set(ROOMS)
    for act in ACTS:
        places = {name for _, name, _, _ in Formatter().parse(SENTENCES[act.code]) if name}
        assert places <= set(act.__dataclass_fields__), act.code


@pytest.mark.parametrize(
    ("act", "fields", "said"),
    [
        ("signed-in", {"by": "session"}, "Connexion (navigateur)"),
        (
            "order-placed",
            {"what": "storage", "before": 10**12, "after": 2 * 10**12, "reason": ""},
            "A commandé stockage : 2 To au lieu de 1 To",
        ),
        ("user-changed", {"email": "a@b.example"}, "A modifié le compte de a@b.example : ,"),
        ("searched", {"text": "\u202e<b>", "plan": "x", "below": "", "results": 0}, None),
        ("not-known-yet", {}, "not-known-yet"),
    ],
)
def test_a_line_is_told(act: str, fields: Any, said: str | None) -> None:
    told = tell(speak_in("fr"), act, fields)
    assert "\u202e" not in told
    if said is not None:
        assert told.replace("\u202f", " ").replace("\xa0", " ") == said


async def test_every_look_is_there_the_providers_too(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.commit({b"srv/<b>bold": builder.text(b"content")})
    async with portal.client(client.token) as api, portal.operator() as operator:
        assert (
            await api.get(f"/api/v1/plans/{client.plan_id}/file?path=srv/%3Cb%3Ebold")
        ).status_code == 200
        assert (await operator.get(f"/api/v1/tenants/{client.tenant_id}")).status_code == 200
    async with browser(portal) as page, browser(portal) as his:
        token = await open_people(page)
        shown = html.unescape((await page.get("/log")).text)
        assert "A téléchargé le fichier srv/<b>bold de documents" in shown
        assert "A consulté ce client" in shown
        assert "Vérifié à l’instant\xa0: chacune de ses" in shown
        provider = html.unescape((await page.get("/log?who=provider")).text)
        assert "A consulté ce client" in provider
        assert "A téléchargé" not in provider
        files = html.unescape((await page.get("/log?kind=files&since=2020-01-01")).text)
        assert "A téléchargé" in files
        assert "Connexion" not in files.split("<tbody>")[1]
        for odd in ("who=x", "kind=x", "since=x&until=9999-99-99", "until=2020-01-01", "before=1"):
            assert (await page.get(f"/log?{odd}")).status_code == 200, odd
        export = await page.get("/log/export?kind=files")
        rows = list(csv.reader(io.StringIO(export.text.lstrip("\ufeff"))))
        assert rows[0][0] == "Numéro"
        assert {row[5] for row in rows[1:]} == {"file-downloaded"}
        assert "attachment" in export.headers["content-disposition"]
        await page.post("/people", data={**token, **UGO_TYPED})
        await portal.sign_in(UGO)
        await sign_in(his, UGO, PASSWORD)
        assert (await his.get("/log")).status_code == 403
        stranger = await builder.open_client(portal, "eve@stranger.example", "Stranger")
        async with browser(portal) as eve:
            await sign_in(eve, stranger.email, PASSWORD)
            assert "bold" not in (await eve.get("/log")).text


async def test_pages_go_back_and_a_changed_line_is_said(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page:
        await open_people(page, CAMILLE)
        for _ in range(60):
            await page.get("/people")
        first = await page.get("/log?kind=accounts")
        assert "Plus anciennes" in first.text
        assert first.text.count("A regardé qui a un compte") == 50
        await portal.admin.execute(
            "UPDATE portal.access_log SET actor = 'Nobody' WHERE act = 'users-listed' AND number ="
            " (SELECT min(number) FROM portal.access_log WHERE act = 'users-listed')"
        )
        assert "Le journal n’est pas intact" in (await page.get("/log")).text
