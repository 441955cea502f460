"""A browser for stories of the portal's pages: opened once for all, with a page for each person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD

WIDTHS = (360, 768, 1440)
LOCALES = ("fr-FR", "en-GB")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class PageOf(Protocol):
    """Opens a page for somebody, signed in; with None for a stranger."""

    async def __call__(
        self,
        person: str | None,
        width: int = 1280,
        locale: str = "fr-FR",
        *,
        scripts: bool = True,
        dark: bool = False,
    ) -> Page: ...


@asynccontextmanager
async def open_chromium() -> AsyncIterator[Browser]:
    """The system's Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visits:
    """Pages of one portal that are open; each person is signed in once in each."""

    browser: Browser
    portal: Any
    open: AsyncExitStack

    async def page_of(
        self,
        person: str | None,
        width: int = 1280,
        locale: str = "fr-FR",
        *,
        scripts: bool = True,
        dark: bool = False,
    ) -> Page:
        """A page for somebody, at a width; it fails where a script of ours does."""
        context = await self.browser.new_context(
            base_url=self.portal.url,
            viewport={"width": width, "height": 800},
            locale=locale,
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        self.open.push_async_callback(context.close)
        if person is not None:
            password = OPERATOR_PASSWORD if person == OPERATOR_EMAIL else PASSWORD
            form = {"email": person, "password": password, "next": "/account"}
            answer = await context.request.post("/sign-in", form=form)
            assert answer.url.endswith("/account"), (answer.status, answer.url)
        context.set_default_timeout(30_000)
        return await context.new_page()


async def check_page(page: Page, *, skipped: Sequence[str] = ()) -> None:
    """Raises where axe finds fault with a page, or where it can be moved sideways."""
    options = {
        "runOnly": {"type": "tag", "values": _RULES},
        "rules": {rule: {"enabled": False} for rule in skipped},
        "resultTypes": ["violations"],
    }
    found = (await Axe().run(page, options=options)).response["violations"]
    told = [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
    assert not told, (page.url, told)
    over: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert over <= 0, f"{page.url} is {over} pixels too wide"
