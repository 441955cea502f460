"""Stories of pages that somebody left open: removed meanwhile, a day late, signed out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.portal import builder
from tests.portal.browsing import PageOf, check_page
from tests.portal.conftest import PASSWORD

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.long]
SIGN_IN = "**/sign-in*"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def firm(stage: Any) -> AsyncIterator[builder.Client]:
    """A client with a file, and seats for all that is told here."""
    client = await builder.open_client(stage, "camille@parti.example", "Parti Pris")
    await client.commit({b"srv/facture.txt": builder.text(b"facture")})
    async with stage.operator() as api:
        seen = await api.post(
            f"/api/v1/tenants/{client.tenant_id}/orders/preview", json={"seats": 9}
        )
        more = {"seats": 9, "quote": seen.json()["quote"]}
        made = await api.post(
            f"/api/v1/tenants/{client.tenant_id}/orders",
            json=more,
            headers={"Idempotency-Key": uuid4().hex},
        )
    assert made.status_code == 201, made.text
    yield client


async def let_in(firm: builder.Client) -> tuple[str, str]:
    """Somebody more of the client: the address and the id."""
    email = f"{uuid4().hex[:12]}@parti.example"
    async with firm.portal.client(firm.token) as api:
        made = await api.post("/api/v1/users", json={"name": "Ugo Petit", "email": email})
    await firm.portal.sign_in(email)
    return email, made.json()["user_id"]


@pytest.mark.parametrize("scripts", [True, False])
async def test_who_was_removed_sees_nothing_more(
    firm: builder.Client, page_of: PageOf, scripts: bool
) -> None:
    email, user_id = await let_in(firm)
    page = await page_of(email, 360, scripts=scripts)
    await page.goto(f"/plans/{firm.plan_id}/files?path=srv")
    link = page.get_by_role("link", name="facture.txt", exact=True)
    await link.wait_for()
    form = await page_of(email, 360, scripts=scripts)
    await form.goto("/account")
    async with firm.portal.client(firm.token) as api:
        assert (await api.delete(f"/api/v1/users/{user_id}")).status_code == 204
    await link.click()
    await page.wait_for_url(SIGN_IN)
    await form.locator("form.row button").click()
    await form.get_by_role("heading", name="Votre session est terminée").wait_for()
    if scripts:
        await check_page(form)
    await form.locator("main").get_by_role("link", name="Se connecter").click()
    await form.get_by_label("Adresse").fill(email)
    await form.get_by_label("Mot de passe").fill(PASSWORD)
    await form.get_by_role("button", name="Se connecter").click()
    await form.get_by_role("alert").wait_for()
    await page.go_back()
    await page.wait_for_url(SIGN_IN)


async def test_a_form_that_is_sent_a_day_later_does_nothing_and_says_so(
    firm: builder.Client, page_of: PageOf
) -> None:
    email, user_id = await let_in(firm)
    page = await page_of(email)
    await page.goto("/account")
    await page.select_option("#locale", "en")
    await firm.portal.admin.execute(
        "UPDATE portal.credentials SET created_at = created_at - $2::interval,"
        " expires_at = expires_at - $2::interval"
        " WHERE user_id = $1::uuid",
        user_id, timedelta(days=1),
    )  # fmt: skip
    await page.locator("form.row button").click()
    await page.get_by_text("rien de ce formulaire n’a été").wait_for()
    await page.locator("main").get_by_role("link", name="Se connecter").click()
    await page.get_by_label("Adresse").fill(email)
    await page.get_by_label("Mot de passe").fill(PASSWORD)
    await page.get_by_role("button", name="Se connecter").click()
    await page.get_by_role("link", name="Récupérer").first.wait_for()
    assert await page.get_attribute("html", "lang") == "fr", "nothing was done"


async def test_a_form_of_an_earlier_session_is_refused_in_words(
    firm: builder.Client, page_of: PageOf
) -> None:
    email, _ = await let_in(firm)
    page = await page_of(email)
    await page.goto("/account")
    await page.context.clear_cookies()
    form = {"email": email, "password": PASSWORD, "next": "/account"}
    assert (await page.context.request.post("/sign-in", form=form)).ok
    await page.select_option("#locale", "en")
    await page.locator("form.row button").click()
    await page.get_by_text("Ce formulaire est périmé").wait_for()
    await check_page(page)


async def test_the_back_button_shows_no_file_after_a_sign_out(
    firm: builder.Client, page_of: PageOf
) -> None:
    email, _ = await let_in(firm)
    page = await page_of(email, 360, scripts=False)
    for path in (f"/plans/{firm.plan_id}/files?path=srv", "/account"):
        await page.goto(path)
    await page.get_by_text("Menu").click()
    await page.get_by_role("button", name="Se déconnecter").click()
    await page.wait_for_url(SIGN_IN)
    for _ in range(2):
        await page.go_back()
        await page.wait_for_url(SIGN_IN)
    assert await page.get_by_text("facture.txt").count() == 0
