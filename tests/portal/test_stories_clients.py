"""Stories of clients in a browser: their pages, in both languages, at three widths, by keyboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.portal import builder
from tests.portal.browsing import WIDTHS, PageOf, check_page
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
    await check_page(page)
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    if width <= 768:
        await page.get_by_text("Menu").click()
    main = page.get_by_role("navigation", name="Principal")
    await main.get_by_role("link", name="Contrat").click()
    assert page.url.endswith("/orders")
    await check_page(page)


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
