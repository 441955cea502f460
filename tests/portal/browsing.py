"""A browser for stories of the portal's pages: opened once for all, with a page for each person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, async_playwright

from libs.shared.words.tongue import Tongue
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD

T = TypeVar("T")
WIDTHS = (360, 768, 1440)
MOST_BYTES = 150_000
"""Of a page somebody comes to for the first time, with its styles, scripts and pictures."""
MOST_REQUESTS = 8
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass(frozen=True)
class Screen:
    """Whose screen, and which of some pages it shows: every so many, from one on."""

    width: int
    locale: str
    dark: bool
    first: int
    every: int

    def __str__(self) -> str:
        return f"{self.width}-{self.locale}"

    def shows(self, pages: Sequence[T]) -> Sequence[T]:
        """Its part of the pages."""
        return pages[self.first :: self.every]


_SCREENS = (
    Screen(360, "fr-FR", True, 0, 4),
    Screen(1440, "en-GB", False, 1, 4),
    Screen(360, "en-GB", False, 2, 4),
    Screen(1440, "fr-FR", True, 3, 4),
)
EACH_PAGE_ONCE = [
    *(pytest.param(one, id=str(one)) for one in _SCREENS),
    *(
        pytest.param(
            replace(one, first=0, every=1),
            id=f"{one.width}-{one.locale}-all",
            marks=pytest.mark.long,
        )
        for one in _SCREENS
    ),
]
"""On one screen each, so that all screens have their turn; in the long tests on each of them."""


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
    url: str
    open: AsyncExitStack
    password: str = PASSWORD

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
            base_url=self.url,
            viewport={"width": width, "height": 800},
            locale=locale,
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        self.open.push_async_callback(context.close)
        if person is not None:
            password = OPERATOR_PASSWORD if person == OPERATOR_EMAIL else self.password
            form = {"email": person, "password": password, "next": "/account"}
            answer = await context.request.post("/sign-in", form=form)
            assert "/sign-in" not in answer.url, (answer.status, answer.url)
        context.set_default_timeout(30_000)
        return await context.new_page()


async def follow(link: Locator) -> None:
    """Clicks on a link or a button that leads elsewhere, and waits for all of the page there."""
    async with link.page.expect_navigation():
        await link.click()


async def check_page(page: Page, *, skipped: Sequence[str] = ()) -> None:
    """Raises where axe finds fault with a page, or where it can be moved sideways."""
    await page.wait_for_load_state()
    options = {
        "runOnly": {"type": "tag", "values": _RULES},
        "rules": {rule: {"enabled": False} for rule in skipped},
        "resultTypes": ["violations"],
    }
    found = (await Axe().run(page, options=options)).response["violations"]
    told = [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
    assert not told, (page.url, told)
    await check_width(page)


async def check_width(page: Page) -> None:
    """Raises where a page can be moved sideways."""
    over: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert over <= 0, f"{page.url} is {over} pixels too wide"


_READ = """() => [...document.querySelectorAll(".beside > *")]
    .filter(one => one.querySelector("a, button, input, select, summary, [tabindex]"))
    .map(one => one.getBoundingClientRect().toJSON())"""


async def check_reading_order(page: Page) -> None:
    """Raises where what has the focus next stands neither below nor right of what had it."""
    assert await page.locator("[tabindex]:not([tabindex='0'], [tabindex^='-'])").count() == 0
    boxes = await page.evaluate(_READ)
    assert boxes, page.url
    for one, following in pairwise(boxes):
        is_below = following["top"] >= one["bottom"]
        assert is_below or following["left"] >= one["right"], (page.url, one, following)


_WEIGHED = """() => new Promise(done => {
    let shift = 0;
    const add = list => { for (const one of list) shift += one.value; };
    const observer = new PerformanceObserver(list => add(list.getEntries()));
    observer.observe({type: "layout-shift", buffered: true});
    const taken = [...performance.getEntriesByType("navigation"),
                   ...performance.getEntriesByType("resource")];
    const bytes = taken.reduce((sum, one) => sum + one.encodedBodySize, 0);
    requestAnimationFrame(() => requestAnimationFrame(() => {
        add(observer.takeRecords());
        done([bytes, taken.length, shift]);
    }));
})"""


async def check_budget(page: Page) -> None:
    """Raises where a page that was just opened is too heavy, or moved while it was laid out."""
    size_bytes, requests, shift = await page.evaluate(_WEIGHED)
    assert 0 < size_bytes <= MOST_BYTES, f"{page.url} and what it shows have {size_bytes:,} bytes"
    assert requests <= MOST_REQUESTS, f"{page.url} takes {requests} requests"
    _check_shift(page, shift)


async def check_shift(page: Page) -> None:
    """Raises where a page that was just opened moved while it was laid out."""
    _, _, shift = await page.evaluate(_WEIGHED)
    _check_shift(page, shift)


def _check_shift(page: Page, shift: float) -> None:
    assert shift == 0, f"{page.url} moved by {shift} while it was laid out"


@asynccontextmanager
async def trickled(url: str) -> AsyncIterator[str]:
    """Another address of a portal, under which each page comes in small pieces with pauses."""
    there = urlsplit(url)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(200):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    async def fast(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(there.hostname, there.port)
        try:
            ways = [
                asyncio.ensure_future(fast(reader, forth)),
                asyncio.ensure_future(slow(back, writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        finally:
            forth.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


_FOCUSED = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const box = one.getBoundingClientRect();
    const labels = [...(one.labels || [])].map(label => label.innerText).join(" ");
    const name = one.getAttribute("aria-label") || labels || one.innerText || one.value || "";
    const isSeen = box.width > 0 && box.bottom > 0 && box.top < innerHeight
        && getComputedStyle(one).outlineStyle !== "none";
    return [name.replace(/\\s+/g, " ").trim(), isSeen];
}"""


@dataclass
class Keyboard:
    """Somebody who has nothing but a keyboard: what they come to has the focus, and shows it.

    Things are called by the English phrases of pages, and found in the reader's language.
    """

    page: Page
    tongue: Tongue

    async def come_to(self, phrase: str, **values: object) -> None:
        """Goes on by the tabulator to what is called so."""
        wanted = " ".join(self.tongue.say(phrase, **values).split())
        passed = []
        for _ in range(150):
            await self.page.keyboard.press("Tab")
            name, is_seen = await self.page.evaluate(_FOCUSED) or ("", True)
            if name == wanted:
                assert is_seen, f"{wanted} on {self.page.url} has the focus and doesn't show it"
                return
            passed.append(name)
        raise AssertionError((wanted, self.page.url, passed))

    async def unfold(self, phrase: str, **values: object) -> None:
        """Opens what is called so."""
        await self.come_to(phrase, **values)
        await self.page.keyboard.press("Enter")

    async def press(self, phrase: str, **values: object) -> None:
        """Follows a link or presses a button, to another page."""
        await self.come_to(phrase, **values)
        async with self.page.expect_navigation():
            await self.page.keyboard.press("Enter")

    async def type(self, phrase: str, text: str) -> None:
        """Writes into a field, instead of what stands there."""
        await self.come_to(phrase)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def download(self, phrase: str, **values: object) -> Path:
        """Follows a link that leads to a file."""
        await self.come_to(phrase, **values)
        async with self.page.expect_download() as waiting:
            await self.page.keyboard.press("Enter")
        return Path(await (await waiting.value).path())

    async def reads(self, phrase: str, **values: object) -> None:
        """Raises unless the page says so."""
        await self.page.get_by_text(self.tongue.say(phrase, **values)).first.wait_for()
