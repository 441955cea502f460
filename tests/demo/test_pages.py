"""Every page of the portal, found by its links, as each kind of person has it before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Page

from devstack.provider.cast import DAYS, Company
from devstack.provider.people import OPERATORS
from devstack.provider.rhythm import ENDED
from tests.demo.conftest import PASSWORD, Demo
from tests.demo.crawling import OF_PAGES, Crawler, Visit
from tests.demo.reading import Locale, find_faults
from tests.portal.browsing import Screen, Visits, check_budget, check_page, check_width

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(1800)]

DIFFERENT = {
    "/clients/{tenant_id}": 30,
    "/clients/{tenant_id}/contract": 30,
    "/clients/{tenant_id}/plans/{plan}/runs/{number}": 3,
}
"""So many of these: one isn't like another."""
UNLINKED = {
    "/agent": "offered where packages were made",
    "/agent/{name}": "offered there",
    "/.well-known/coffre-certificate-key.pem": "for programs",
    "/brand.css": "of a white label; its test sets one",
    "/brand/logo": "of a white label; its test sets one",
    "/certificates/{token}": "linked in the mail after a destruction",
    "/certificates/{token}/json": "linked there",
    "/invitations/{token}": "linked in the mail to a reader who has no account",
    "/language/{locale}": "what comes after it is in another language",
    "/overage/{token}/{answer}": "linked in the mail of an overage",
    "/pulse": "asked by a script",
    "/reports/{token}": "linked in reports",
    "/selection": "linked once something is ticked",
    "/sign-in/second": "asked after a password, of whoever chose a second factor",
}
"""Pages that no page leads to."""
_OF_THE_LONG_GONE = {"/clients/{tenant_id}/certificate"}
"""A fortnight is too short for a destruction."""
_WITHOUT_A_BUTTON = {
    "/clients/{tenant_id}/agents/{agent_id}/revoke",
    "/clients/{tenant_id}/subscription/{step}",
}
"""What an act will do is told to operators of each duty; the act is offered to some."""
FOR_ANYBODY = {"/agent", "/agent/{name}", "/forgotten", "/legal/{page}", "/password", "/sign-in"}
PHONE = Screen(360, "fr-FR", False, 0, 1)
SCREENS = (
    Screen(360, "en-GB", True, 0, 1),
    Screen(1280, "fr-FR", True, 0, 1),
    Screen(1280, "en-GB", False, 0, 1),
    Screen(2560, "fr-FR", False, 0, 1),
)


@dataclass(frozen=True)
class Somebody:
    """Who looks at pages: of a client, or with a duty of the provider's, or a stranger."""

    email: str
    locale: Locale
    of: str = ""
    duty: str = ""
    is_reader: bool = False


def everybody(demo: Demo) -> Iterator[Somebody]:
    """Operators of each duty, each client's administrator, somebody who only reads, strangers."""
    duties = {one.duty: one for one in reversed(OPERATORS)}
    for operator in OPERATORS if demo.days == DAYS else duties.values():
        yield Somebody(operator.email, operator.locale, duty=operator.duty)
    for company in demo.companies:
        if company.story == "destroyed":
            continue
        yield Somebody(company.administrator.email, company.administrator.locale, company.slug)
    reader = demo.companies[0].people[-1]
    yield Somebody(reader.email, reader.locale, demo.companies[0].slug, is_reader=True)
    yield Somebody("", "fr")
    yield Somebody("", "en")


@dataclass
class Seen:
    """All that was looked at, by whom."""

    url: str
    crawlers: dict[Somebody, Crawler] = field(default_factory=dict)


def _find_copied(demo: Demo) -> list[tuple[Company, str, str]]:
    """Clients whose files are really copied, with a plan's address and one of its folders."""
    return [
        (company, f"/plans/{standing.plan_id}", quote(f"{plan.folders[0]}/Comptabilité"))
        for company in demo.companies
        for machine in company.machines
        for plan in machine.plans
        if plan.copied and (standing := demo.play.office.plans[company.slug, plan.name])
    ]


def _look_into(demo: Demo, companies: Iterable[Company]) -> None:
    """Administrators say why they look into files: without that, a link leads to the question."""
    portal = demo.house.portal
    for one in OPERATORS:
        if one.duty == "administrator":
            token = portal.sign_in(one.email, PASSWORD)
            for company in companies:
                why = {"reason": "demandé par téléphone"}
                portal.ask("POST", f"/tenants/{company.tenant_id}/look", why, token=token)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seen(demo: Demo) -> AsyncIterator[Seen]:
    found = Seen(demo.stack.url("portal"))
    copied = _find_copied(demo)
    company, plan, folder = copied[0]
    for_operators = f"/clients/{company.tenant_id}{plan}"
    _look_into(demo, [one for one in demo.companies if one.story not in ENDED])
    async with AsyncExitStack() as open_things:
        for one in everybody(demo):
            headers = {"Accept": "text/html", "Accept-Language": one.locale}
            asking = httpx2.AsyncClient(
                base_url=found.url, timeout=60, trust_env=False, headers=headers
            )
            client = await open_things.enter_async_context(asking)
            crawler = Crawler(client, one.locale, each=1, widest=DIFFERENT)
            if one.email:
                form = {"email": one.email, "password": PASSWORD, "next": "/account"}
                assert (await client.post("/sign-in", data=form)).status_code == 303, one
            first = ["/", "/account" if one.email else "/password"]
            if one.of == company.slug:
                first.insert(0, f"{plan}/files?path={folder}")
            elif one.duty:
                first.insert(0, for_operators)
            if one.duty == "administrator":
                first.insert(1, f"{for_operators}/files?path={folder}")
            await crawler.follow(*first)
            found.crawlers[one] = crawler
        yield found


async def test_every_link_leads_to_a_page_that_says_what_it_should(seen: Seen) -> None:
    faults = [
        f"{one.email or 'a stranger'}: {fault}"
        for one, crawler in seen.crawlers.items()
        for fault in crawler.faults()
    ]
    assert not faults, "\n".join(faults)


async def test_every_page_is_reached(seen: Seen) -> None:
    reached = set.union(*(crawler.reached() for crawler in seen.crawlers.values()))
    assert OF_PAGES - reached - _OF_THE_LONG_GONE == set(UNLINKED)


async def test_what_nobody_was_led_to_is_refused_in_their_language(seen: Seen) -> None:
    """One of each kind of people tries a page of each kind that others have, and they have not."""
    kinds = {(one.duty, bool(one.of), one.is_reader): one for one in seen.crawlers}
    for one in kinds.values():
        crawler = seen.crawlers[one]
        tried = {
            visit.route: visit.address
            for other, theirs in seen.crawlers.items()
            for visit in theirs.visits
            if other != one and "{" in visit.route
        }
        untold = _WITHOUT_A_BUTTON if one.duty else set()
        for route in tried.keys() - crawler.reached() - FOR_ANYBODY - untold:
            got = await crawler.go(tried[route])
            where = one.email, tried[route], got.status
            if one.email:
                assert got.status in {403, 404}, where
            else:
                assert got.page is not None, where
                assert got.page.address.startswith("/sign-in"), where
            assert got.page is None or not list(find_faults(got.page, one.locale)), where


def _one_of_each(seen: Seen, locale: Locale) -> list[tuple[Somebody, Visit]]:
    """A page of each route, for the first whom it was shown to."""
    found: dict[str, tuple[Somebody, Visit]] = {}
    for one, crawler in seen.crawlers.items():
        for visit in crawler.visits:
            if one.locale == locale and visit.status == 200 and visit.page is not None:
                found.setdefault(visit.route, (one, visit))
    return list(found.values())


@pytest.mark.parametrize(
    "screen",
    [
        pytest.param(PHONE, id="phone"),
        *(pytest.param(one, id=str(one), marks=pytest.mark.long) for one in SCREENS),
    ],
)
async def test_every_page_is_light_and_fits_its_screen(
    seen: Seen, chromium: Any, screen: Screen
) -> None:
    """On a phone; in the long tests on larger ones too, and by axe."""
    locale: Locale = "fr" if screen.locale == "fr-FR" else "en"
    check = check_width if screen is PHONE else check_page
    said: list[str] = []
    async with AsyncExitStack() as open_things:
        visits = Visits(chromium, seen.url, open_things, PASSWORD)
        pages: dict[str, Page] = {}
        for one, visit in _one_of_each(seen, locale):
            if one.email not in pages:
                pages[one.email] = await visits.page_of(
                    one.email or None, screen.width, screen.locale, dark=screen.dark
                )
                _listen(pages[one.email], said)
            page = pages[one.email]
            await page.goto(visit.address)
            await check_budget(page)
            await check(page)
            assert not said, (visit.address, said)


def _listen(page: Page, said: list[str]) -> None:
    """Keeps what a page's scripts complain of, and its policy."""
    page.on("console", lambda told: said.append(f"{told.type}: {told.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
