"""Stories of each task by keyboard alone: with scripts on a desk, and without on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyotp
import pytest
import pytest_asyncio

import services.portal
from libs.shared.events import Locale
from libs.shared.reasons import Reason
from libs.shared.words.tongue import Tongue
from tests.portal import builder
from tests.portal.browsing import Keyboard, PageOf
from tests.portal.conftest import OPERATOR_EMAIL, PASSWORD
from tests.portal.dropping import carry_out, count_fills
from tests.portal.test_desk import opened
from tests.portal.test_parked import hear, parked
from tests.world.overages import told

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.long]
WORDS = Path(services.portal.__path__[0]) / "locales"
STORED = 104 * 10**9


@dataclass
class Firm:
    """A client over its contract, and how its administrator sits before it."""

    client: builder.Client
    width: int
    locale: Locale
    scripts: bool

    @property
    def tongue(self) -> Tongue:
        return Tongue(self.locale, own=WORDS)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="session",
    params=[(1440, "fr", True), (360, "en", False)],
    ids=["desk-fr", "phone-en-without-scripts"],
)
async def firm(stage: Any, request: pytest.FixtureRequest) -> AsyncIterator[Firm]:
    width, locale, scripts = request.param
    email = f"{locale}@clavier.example"
    client = await builder.open_client(stage, email, f"Clavier {locale}", locale=locale)
    tree = {b"srv/a/facture.txt": builder.text(b"facture"), b"srv/b/x": builder.text(b"x")}
    await client.commit(tree)
    await builder.live(client, ["succeeded"])
    await builder.hear(stage, told(client.tenant_id))
    await count_fills(stage)
    yield Firm(client, width, locale, scripts)


@pytest_asyncio.fixture(loop_scope="session")
async def keys(firm: Firm, page_of: PageOf) -> Keyboard:
    """The administrator, who has just signed in."""
    return await sit_down(firm, page_of, firm.client.email, "/")


async def sit_down(firm: Firm, page_of: PageOf, email: str | None, path: str) -> Keyboard:
    """Somebody before a page; None: a stranger."""
    locale = "fr-FR" if firm.locale == "fr" else "en-GB"
    page = await page_of(email, firm.width, locale, scripts=firm.scripts)
    await page.goto(path)
    return Keyboard(page, firm.tongue)


async def by_menu(firm: Firm, keys: Keyboard, entry: str) -> None:
    """On a phone the menu unfolds first."""
    if firm.width < 800:
        await keys.unfold("Menu")
    await keys.press(entry)


async def test_a_file_is_recovered(firm: Firm, keys: Keyboard) -> None:
    await by_menu(firm, keys, "Recover")
    await keys.press("documents")
    for folder in ("a", "facture.txt"):
        await keys.press(folder)
    got = await keys.download("Download ({size})", size=firm.tongue.size(7))
    assert got.read_text() == "facture"


async def test_a_machine_is_added(firm: Firm, keys: Keyboard) -> None:
    await by_menu(firm, keys, "Machines")
    await keys.type("Which machine?", "srv-atelier")
    await keys.press("Get a code")
    await keys.reads("Waiting for the first contact…")
    assert len(await keys.page.locator("#code").inner_text()) > 8


async def test_an_overage_is_answered_and_the_volume_reduced(firm: Firm, keys: Keyboard) -> None:
    await keys.press("I will reduce")
    await keys.press("Drop the backups of {name}: see first", name="documents")
    await keys.press("Drop these backups")
    await carry_out(firm.client.portal)
    await keys.page.reload()
    await keys.press("Take back")
    assert await firm.client.portal.events("reduction.withdrawn.v1")


async def test_more_is_ordered_once_the_price_is_seen(firm: Firm, keys: Keyboard) -> None:
    await by_menu(firm, keys, "Contract")
    await keys.type("Seats in all", "4")
    await keys.press("Show the price")
    await keys.press("Order, and pay this")
    seats = firm.tongue.count("{n} seat", "{n} seats", 4)
    await keys.page.get_by_role("row").filter(has_text=seats).wait_for()


async def test_somebody_is_let_in(firm: Firm, keys: Keyboard) -> None:
    await keys.page.goto("/account")
    await keys.press("People who have an account")
    await keys.type("Name", "Zoé Ünal")
    await keys.type("Mail address", f"zoe-{firm.locale}@clavier.example")
    await keys.press("Open the account")
    await keys.page.get_by_role("link", name="Zoé Ünal").wait_for()


async def test_the_log_is_read_and_exported(firm: Firm, keys: Keyboard) -> None:
    await keys.page.goto("/account")
    await keys.press("Access log")
    table = await keys.download("Export as a table (CSV)")
    assert firm.client.email in table.read_text()


async def test_an_app_is_asked_for_from_then_on(firm: Firm, page_of: PageOf) -> None:
    email = f"totp-{uuid4().hex[:8]}@clavier.example"
    portal = firm.client.portal
    person = {"name": "Ugo Petit", "email": email, "locale": firm.locale}
    async with portal.client(firm.client.token) as api:
        assert (await api.post("/api/v1/users", json=person)).status_code == 201
    await portal.sign_in(email)
    keys = await sit_down(firm, page_of, email, "/account/second-factor")
    await keys.type("Your password", PASSWORD)
    await keys.press("Set up an app")
    totp = pyotp.TOTP(await keys.page.locator("code.once").inner_text())
    await keys.type("Code that the app shows", totp.now())
    await keys.press("Confirm")
    code = await keys.page.locator(".codes code").first.inner_text()
    other = await sit_down(firm, page_of, None, "/sign-in")
    await other.type("Mail address", email)
    await other.type("Password", PASSWORD)
    await other.press("Sign in")
    await other.page.keyboard.type(code)
    async with other.page.expect_navigation():
        await other.page.keyboard.press("Enter")
    assert await other.page.get_by_text("Ugo Petit").count() > 0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def troubled(stage: Any) -> builder.Client:
    """A client of whom the hotline has three things to look after."""
    client = await builder.open_client(stage, "anne@matin.example", "Menuiserie du Matin")
    await client.add_run(1, "failed", reason=Reason("folder-missing", "/srv").as_dict())
    for cause in ("called", "missed", "failed"):
        await builder.hear(stage, opened(client, cause))
    return client


async def sit_at_the_desk(page_of: PageOf, path: str) -> Keyboard:
    """An operator before a page."""
    page = await page_of(OPERATOR_EMAIL, 1440)
    await page.goto(path)
    return Keyboard(page, Tongue("fr", own=WORDS))


async def test_the_daily_round(stage: Any, troubled: builder.Client, page_of: PageOf) -> None:
    keys = await sit_at_the_desk(page_of, "/")
    await keys.press("I have it in hand: {what}", what="Menuiserie du Matin documents")
    await keys.unfold("Put off")
    await keys.come_to("Until")
    await keys.page.keyboard.press("ArrowDown")
    await keys.type("Why", "machine en réparation")
    await keys.press("Put off")
    await keys.unfold("Note")
    await keys.type("What is known by now", "dossier renommé")
    await keys.press("Note")
    assert keys.page.url.endswith(await keys.page.evaluate("'#' + document.activeElement.id"))
    await keys.unfold("Close")
    await keys.type("Why it is over", "remis en place")
    await keys.press("Close")
    decided = [
        (one["decision"], one["note"])
        for one in await stage.events("incident.decided.v1")
        if one["tenant_id"] == str(troubled.tenant_id)
    ]
    assert decided == [
        ("acknowledge", ""),
        ("snooze", "machine en réparation"),
        ("note", "dossier renommé"),
        ("close", "remis en place"),
    ]


async def test_parked_events_are_read_handled_again_and_dropped(
    stage: Any, page_of: PageOf
) -> None:
    mended, useless = (parked(uuid4(), event_type=name) for name in ("a.mended.v1", "b.useless.v1"))
    await hear(stage, mended, useless)
    keys = await sit_at_the_desk(page_of, "/")
    await keys.press("Parked events")
    await keys.press(mended.event_type)
    assert "ZeroDivisionError" in await keys.page.locator("pre").inner_text()
    await keys.type("Reason", "corrigé")
    await keys.press("Handle it again")
    await keys.press(useless.event_type)
    await keys.come_to("Reason")
    await keys.type("Reason", "d’un essai")
    await keys.press("Drop it")
    decided = {one["event_id"]: one for one in await stage.events("parked.decided.v1")}
    for event, decision, reason in (
        (mended, "replay", "corrigé"),
        (useless, "drop", "d’un essai"),
    ):
        told_of = decided[str(event.event_id)]
        assert (told_of["decision"], told_of["reason"]) == (decision, reason)
