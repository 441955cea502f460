"""Every reason of the closed list, as pages tell it, in French; foreign words stand aside."""

from __future__ import annotations

import html
import re
from typing import Any
from uuid import uuid4

from libs.shared.events import RunStarted
from libs.shared.reasons import CODES, Kind, Reason
from libs.shared.words.tongue import Tongue
from tests.english import find_english
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD
from tests.portal.test_pages import browser, sign_in

EMAIL = "camille@dupre.example"
DETAIL = "Strömausfall <b>"
TONGUE = Tongue("fr")


def all_of(kind: Kind) -> list[Reason]:
    """Every reason of a kind, all its fields filled."""
    return [
        Reason(code, "/srv/données", amount=2_500_000, limit=7_200_000, detail=DETAIL)
        for code, meaning in CODES.items()
        if kind in meaning.kinds
    ]


def check(page: str, reason: Reason, *, with_step: bool = True) -> None:
    """Sees that a page tells a reason, with what the client can do, its foreign words aside."""
    told = TONGUE.explain(reason)
    sentences = re.sub(r"(?s)<details.*?</details>", "", page)
    assert told.cause in html.unescape(page)
    if with_step:
        assert told.client in html.unescape(sentences)
    if told.detail:
        assert "Détail technique" in page
        assert html.escape(DETAIL) in page
    assert "<b>" not in page


def read(page: str) -> str:
    """What a page says to all."""
    body = re.sub(r"(?s)<details.*?</details>|<head>.*?</head>|<svg.*?</svg>", " ", page)
    return html.unescape(re.sub(r"<[^>]*>", " ", body))


async def test_each_way_that_a_run_fails_is_told_on_three_pages(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    async with browser(portal) as page:
        await sign_in(page, EMAIL, PASSWORD)
        for number, reason in enumerate(all_of("run"), 1):
            await client.add_run(number, "failed", reason=reason.as_dict())
            for path in ("/", f"/plans/{client.plan_id}", f"/plans/{client.plan_id}/runs/{number}"):
                shown = (await page.get(path)).text
                check(shown, reason)
                assert find_english(read(shown)) == [], (reason.code, path)
        await client.add_run(99, "failed")
        for path in ("/", f"/plans/{client.plan_id}", f"/plans/{client.plan_id}/runs/99"):
            assert TONGUE.explain(None).cause in read((await page.get(path)).text)


async def test_all_that_a_run_warns_of_and_misses_is_told_on_its_page(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    newer = Reason("colder-than-thought", "/srv", detail=DETAIL)
    files, dumps, warnings = (
        [*all_of("file"), newer],
        [*all_of("dump"), newer],
        [*all_of("warning"), newer],
    )
    missed = [
        {"path": f"/srv/f\u202e{n}", "is_folder": n == 0, "reason": reason.as_dict()}
        for n, reason in enumerate(files)
    ]
    dumped = [
        {"name": f"paie{n}", "succeeded": n > 0, "guaranteed": n > 1, "size_bytes": 5}
        | {"reason": reason.as_dict()}
        for n, reason in enumerate(dumps)
    ]
    await client.add_run(
        1,
        "succeeded_with_warnings",
        not_copied=missed,
        dumps=dumped,
        warnings=[reason.as_dict() for reason in warnings],
    )
    async with browser(portal) as page:
        await sign_in(page, EMAIL, PASSWORD)
        home = (await page.get("/")).text
        shown = (await page.get(f"/plans/{client.plan_id}/runs/1")).text
        for reason in (*dumps, *warnings):
            check(shown, reason)
        for reason in files:
            check(shown, reason, with_step=False)
        for reason in warnings:
            assert TONGUE.explain(reason).client in read(home)
        assert "dossier illisible\u00a0: accès refusé" in read(shown)
        assert "\u202e" not in shown
        for text in (read(home), read(shown)):
            assert "Strömausfall" not in text, "foreign words stand in the technical detail alone"
            assert find_english(text.replace("colder-than-thought", "")) == []


async def test_what_a_mail_server_said_of_a_report_stands_aside(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    await client.add_run(1)
    await portal.admin.execute(
        """INSERT INTO portal.reports (tenant_id, run_id, plan_id, recipient, reason)
           SELECT tenant_id, run_id, plan_id, 'lea@x.example', $2 FROM portal.runs
           WHERE tenant_id = $1""",
        client.tenant_id,
        f"550 {DETAIL}",
    )
    async with browser(portal) as page:
        await sign_in(page, EMAIL, PASSWORD)
        shown = (await page.get(f"/plans/{client.plan_id}/runs/1")).text
        await portal.admin.execute(
            "UPDATE portal.users SET role = 'user' WHERE tenant_id = $1", client.tenant_id
        )
        users = (await page.get(f"/plans/{client.plan_id}/runs/1")).text
    assert "n’a pas pu être remis" in read(shown)
    assert "550" not in read(shown)
    assert html.escape(f"550 {DETAIL}") in shown
    assert "n’a pas pu être remis" in read(users)
    assert "550" not in users


async def test_programs_get_codes_with_their_fields(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    reason = Reason("source-small", "/srv", 5, 7, DETAIL)
    await client.add_run(1, "failed", reason=reason.as_dict())
    await client.add_run(2)
    token = await portal.sign_in(EMAIL)
    async with portal.client(token) as api:
        listed = (await api.get(f"/api/v1/plans/{client.plan_id}/runs")).json()["runs"]
    assert [run["reason"] for run in listed] == [None, reason.as_dict()]


async def test_a_run_that_kept_nothing_shows_no_zeros(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    await client.add_run(1, "failed", files_total=0, files_removed=5, bytes_protected=0)
    await client.add_run(2, "failed", files_total=5, files_removed=5, restore_point=True)
    async with browser(portal) as page:
        await sign_in(page, EMAIL, PASSWORD)
        kept_nothing = read((await page.get(f"/plans/{client.plan_id}/runs/1")).text)
        kept_some = read((await page.get(f"/plans/{client.plan_id}/runs/2")).text)
    assert "n’a rien modifié de ce qui est conservé" in kept_nothing
    assert "Volume protégé" not in kept_nothing
    assert "Volume protégé" in kept_some
    assert "n’a rien modifié" not in kept_some


async def test_a_run_under_way_has_no_figures_yet(portal: Any) -> None:
    client = await builder.open_client(portal, EMAIL)
    started = RunStarted(
        tenant_id=client.tenant_id, run_id=uuid4(), plan_id=client.plan_id, number=1,
        started_at=builder.NOW,
    )  # fmt: skip
    await builder.hear(portal, started)
    async with browser(portal) as page:
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        here = f"/clients/{client.tenant_id}/plans/{client.plan_id}/runs/1"
        shown = read((await page.get(here)).text)
    assert "En cours" in shown
    assert "Volume protégé" not in shown
