"""Stories of clients in a browser: their pages, in both languages, at three widths, by keyboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from libs.shared import events
from tests.portal import builder
from tests.portal.browsing import (
    WIDTHS,
    PageOf,
    check_budget,
    check_page,
    check_reading_order,
    check_shift,
    follow,
    trickled,
)
from tests.portal.conftest import OPERATOR_EMAIL

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bakery(stage: Any) -> AsyncIterator[builder.Client]:
    """A client with a restore point, a run with warnings and one that failed."""
    client = await builder.open_client(stage)
    await client.commit({b"srv/data/facture.txt": builder.text(b"facture")})
    await client.add_run(1)
    yield client


@pytest.mark.parametrize("width", WIDTHS)
async def test_every_page_has_the_frame(
    bakery: builder.Client, page_of: PageOf, width: int
) -> None:
    page = await page_of(bakery.email, width)
    await page.goto("/")
    await check_budget(page)
    await check_page(page)
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    if width <= 768:
        await page.get_by_text("Menu").click()
    main = page.get_by_role("navigation", name="Principal")
    await follow(main.get_by_role("link", name="Contrat"))
    assert page.url.endswith("/orders")
    await check_page(page)


async def test_a_wide_screen_is_used_and_lines_stay_as_long_as_they_read_well(
    bakery: builder.Client, page_of: PageOf
) -> None:
    page = await page_of(bakery.email, 2560)
    await page.goto("/")
    backups = await page.locator(".backups").bounding_box()
    volume = await page.locator("[aria-labelledby=volume]").bounding_box()
    assert backups
    assert volume
    assert backups["x"] + backups["width"] < volume["x"], "side by side"
    assert backups["width"] + volume["width"] > 2000
    longest = await page.evaluate(
        "Math.max(...[...document.querySelectorAll('main p:not(.ends, .actions)')]"
        ".map(one => one.getBoundingClientRect().width))"
    )
    assert longest <= 48 * 16
    await check_page(page)


@pytest.mark.parametrize("width", [360, 2560])
async def test_the_focus_goes_as_columns_are_read(
    bakery: builder.Client, page_of: PageOf, width: int
) -> None:
    page = await page_of(bakery.email, width)
    plan = f"/plans/{bakery.plan_id}"
    for path in ("/", plan, f"{plan}/runs/1", f"{plan}/files", "/volume"):
        await page.goto(path)
        await check_reading_order(page)


@pytest.mark.parametrize("width", WIDTHS)
async def test_a_page_that_comes_slowly_moves_nothing(
    bakery: builder.Client, page_of: PageOf, width: int
) -> None:
    """It is painted once all of it is there: in parts, menus and tables would move meanwhile."""
    page = await page_of(bakery.email, width)
    async with trickled(bakery.portal.url) as slow:
        await page.goto(
            f"{slow}/account"
        )  # for the stylesheet, which must not be what is waited for
        await page.goto(f"{slow}/")
        await check_shift(page)


async def test_the_menu_of_a_phone_opens_without_scripts(
    bakery: builder.Client, page_of: PageOf
) -> None:
    page = await page_of(bakery.email, 360, scripts=False)
    await page.goto("/")
    await page.get_by_text("Menu").click()
    await page.get_by_role("button", name="Se déconnecter").click()
    await page.wait_for_url("**/sign-in*")


async def test_operators_have_a_menu_of_their_own(page_of: PageOf) -> None:
    page = await page_of(OPERATOR_EMAIL)
    await page.goto("/")
    assert page.url.endswith("/queue")
    await check_budget(page)
    await check_page(page)


async def test_nothing_comes_from_elsewhere(bakery: builder.Client, page_of: PageOf) -> None:
    page = await page_of(bakery.email)
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: refused.append(message.text))
    page.on("pageerror", lambda error: refused.append(str(error)))
    await page.goto("/", wait_until="networkidle")
    assert {url.split("/")[2] for url in asked} == {bakery.portal.url.split("/")[2]}
    assert refused == []
    assert await page.evaluate("typeof htmx") == "object"


async def test_the_first_page_says_in_a_sentence_what_is_wrong_and_since_when(
    stage: Any, bakery: builder.Client, page_of: PageOf
) -> None:
    await builder.live(bakery, ["succeeded"] * 8 + ["failed", "succeeded", None, "succeeded"])
    till = await bakery.add_machine("caisse", "Caisse")
    await builder.live(till, ["succeeded", "succeeded", "failed"])
    await builder.hold(bakery, [400] * 100 + [600] * 100, [500] * 150 + [900] * 50)
    said = {"en": "“Caisse” has not been backed up since", "fr": "« Caisse » n’est plus sauvegardé"}
    for locale, width in (("en", 360), ("fr", 1280)):
        await stage.admin.execute(
            "UPDATE portal.users SET locale = $1 WHERE email = $2", locale, bakery.email
        )
        page = await page_of(bakery.email, width, dark=width == 360)
        await page.goto("/")
        headline = await page.get_by_role("heading", level=1).inner_text()
        assert said[locale] in headline.replace("\u00a0", " ")
        first = page.locator("section.plan").first
        assert await first.get_by_role("link", name="Caisse").count() == 1
        assert await page.locator(".chart .over").count() == 1
        await check_page(page)
    # The worst day of the strip leads to its report, which says what to do.
    await follow(page.locator("section.plan").first.locator("a.day.s-failed"))
    assert "Que faire" in await page.inner_text("main")
    assert "La dernière sauvegarde avant elle" in await page.inner_text("main")
    await check_page(page)


async def test_without_plans_the_first_page_leads_to_a_code_and_waits_live(
    stage: Any, page_of: PageOf
) -> None:
    await stage.open_tenant("Menuiserie Martin", "lea@martin.example")
    await stage.sign_in("lea@martin.example")
    page = await page_of("lea@martin.example", 768)
    await page.goto("/")
    await check_page(page)
    await page.get_by_role("link", name="Ajouter une machine").click()
    await page.get_by_label("Quelle machine").fill("srv-atelier")
    await page.get_by_role("button", name="Obtenir un code").click()
    code = await page.locator("#code").inner_text()
    await page.get_by_role("button", name="Copier le code").wait_for()
    await check_page(page)
    ingest = await stage.ingest()
    wanted = {"code": code, "hostname": "srv-atelier", "platform": "linux"}
    assert (await ingest.http().post("/v1/enrolments", json=wanted)).status_code == 201
    rows = await stage.admin.fetch(
        "SELECT payload FROM ingest.outbox WHERE type = 'agent.enrolled.v1' ORDER BY position"
    )
    await builder.hear(stage, events.AgentEnrolled.model_validate_json(rows[-1]["payload"]))
    # By itself: nobody presses anything.
    await page.wait_for_url("**/machines")
    assert "srv-atelier" in await page.inner_text("main table")
    await follow(page.get_by_role("link", name="Révoquer srv-atelier"))
    await check_page(page)


async def test_what_changed_between_two_copies_is_listed_by_folder(
    stage: Any, page_of: PageOf
) -> None:
    client = await builder.open_client(stage, "zoe@cave.example", "Cave Morin")
    await client.commit({b"srv/a/one": builder.text(b"1"), b"srv/a/<b>": builder.text(b"2")})
    changed = {b"srv/a/one": builder.text(b"longer"), b"srv/new/x": builder.text(b"x")}
    await client.commit(changed, 2, removed=[b"srv/a/<b>"])
    await builder.live(client, ["succeeded", "succeeded"])
    page = await page_of(client.email, 360, scripts=False)
    await page.goto(f"/plans/{client.plan_id}")
    await page.get_by_role("button", name="Comparer").click()
    await follow(page.get_by_role("link", name="srv/"))
    assert "contient des changements" in await page.inner_text("main")
    assert "new/" in await page.inner_text("main")
    await follow(page.get_by_role("link", name="a/", exact=True))
    told = await page.inner_text("main")
    assert "<b>" in told
    assert "supprimé" in told
    assert "modifié" in told
    async with stage.client(client.token) as api:
        answer = await api.get(f"/api/v1/plans/{client.plan_id}/changes?older=1&newer=2&path=srv/a")
    what = {one["name"]: one["what"] for one in answer.json()["changes"]}
    assert what == {"one": "changed", "<b>": "removed"}
