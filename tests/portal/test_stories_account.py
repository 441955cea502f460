"""Stories of accounts in a browser: people, sign-ins, second factors, tokens, the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pyotp
import pytest
import pytest_asyncio

from tests.portal import builder
from tests.portal.browsing import EACH_PAGE_ONCE, PageOf, Screen, check_page, follow
from tests.portal.conftest import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOORS = ("/sign-in", "/forgotten")
PLACES = (
    *DOORS,
    "/account",
    "/people",
    "/account/sessions",
    "/account/tokens",
    "/account/second-factor",
    "/log",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def firm(stage: Any) -> AsyncIterator[builder.Client]:
    """A client with somebody who restored a file, a colleague, and an operator who looked."""
    client = await builder.open_client(stage)
    await client.commit({b"srv/facture.txt": builder.text(b"facture")})
    async with stage.client(client.token) as api, stage.operator() as operator:
        await api.get(f"/api/v1/plans/{client.plan_id}/file?path=srv/facture.txt")
        await api.post("/api/v1/users", json={"name": "Ugo Petit", "email": "ugo@dupre.example"})
        await api.post("/api/v1/tokens/personal", json={"label": "Tableau de bord"})
        await operator.get(f"/api/v1/tenants/{client.tenant_id}")
    yield client


@pytest.mark.parametrize("screen", EACH_PAGE_ONCE)
async def test_every_page_of_an_account_is_for_everybody(
    firm: builder.Client, page_of: PageOf, screen: Screen
) -> None:
    width, locale = screen.width, screen.locale
    door = await page_of(None, width, locale, dark=screen.dark)
    page = await page_of(firm.email, width, locale, dark=screen.dark)
    await page.request.get(f"/language/{locale[:2]}")
    await page.goto("/account")
    await page.select_option("#locale", locale[:2])
    await page.locator("form.row button").click()
    for place in screen.shows(PLACES):
        shown = door if place in DOORS else page
        await shown.goto(place)
        assert await shown.get_attribute("html", "lang") == locale[:2]
        await check_page(shown)


async def test_somebody_is_let_in_and_given_a_new_password_without_scripts(
    firm: builder.Client, page_of: PageOf
) -> None:
    page = await page_of(firm.email, 360, scripts=False)
    await page.goto("/account")
    await page.select_option("#locale", "fr")
    await page.locator("form.row button").click()
    await page.get_by_role("link", name="Personnes qui ont un compte").click()
    await page.fill("#name", "Zoé Ünal")
    await page.fill("#email", "zoe@dupre.example")
    await page.get_by_role("button", name="Ouvrir le compte").click()
    await page.get_by_text("Le compte est ouvert").wait_for()
    await page.get_by_role("link", name="Zoé Ünal").click()
    await page.get_by_text("Envoyer un nouveau mot de passe").click()
    await page.get_by_role("button", name="L’envoyer à zoe@dupre.example").click()
    await page.get_by_text("l’ancien n’est plus valable").wait_for()
    await page.get_by_role("link", name="Zoé Ünal").click()
    await page.get_by_text("Fermer le compte", exact=True).click()
    await page.get_by_role("button", name="Fermer le compte de Zoé Ünal").click()
    await page.get_by_text("son siège est libre").wait_for()


async def test_a_password_is_shown_and_a_back_button_shows_nothing(
    firm: builder.Client, page_of: PageOf
) -> None:
    page = await page_of(None)
    await page.goto("/sign-in")
    await page.fill("#email", firm.email)
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="Afficher le mot de passe").click()
    assert await page.get_attribute("#password", "type") == "text"
    await follow(page.get_by_role("button", name="Se connecter"))
    await page.goto("/people")
    await page.get_by_role("button", name="Se déconnecter").click()
    await page.wait_for_url("**/sign-in*")
    await page.go_back()
    await page.wait_for_url("**/sign-in*")
    assert await page.get_by_text("ugo@dupre.example").count() == 0


async def test_an_app_is_set_up_by_keyboard_and_asked_for(
    firm: builder.Client, page_of: PageOf
) -> None:
    page = await page_of(firm.email, 360)
    await page.goto("/account/second-factor")
    await page.locator("#p-totp").focus()
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.locator("figure.qr svg").wait_for()
    await check_page(page)
    totp = pyotp.TOTP(await page.locator("code.once").inner_text())
    await page.locator("#code").focus()
    await page.keyboard.type(totp.now())
    await page.keyboard.press("Enter")
    await page.get_by_text("Vos codes de secours").wait_for()
    await check_page(page)
    code = await page.locator(".codes code").first.inner_text()
    other = await page_of(None, 360)
    await other.goto("/sign-in?next=/people")
    await other.fill("#email", firm.email)
    await other.fill("#password", PASSWORD)
    await other.keyboard.press("Enter")
    await other.get_by_text("Deuxième étape").wait_for()
    await check_page(other)
    await other.fill("#code", code.upper())
    await other.keyboard.press("Enter")
    await other.wait_for_url("**/people")
