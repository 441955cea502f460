"""Pictures of the portal's pages in docs/images/portal, taken of an installation that is filled.

`python -m devstack.provider.pictures`, once `./run up` runs and `./run demo` has filled it.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from devstack import say
from devstack import stack as stacks
from devstack.portal import Portal
from devstack.provider.cast import COMPANIES
from devstack.provider.command import PASSWORD
from devstack.provider.people import OPERATORS
from devstack.servers import ROOT

FOLDER = ROOT / "docs" / "images" / "portal"
PHONE, DESKTOP = (390, 844), (1440, 900)
LOCALES = {"fr": "fr-FR", "en": "en-GB"}
MOST_BYTES, QUALITY = 150_000, 85
SHOWN = COMPANIES[0]
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass(frozen=True)
class Picture:
    """A page to be shown: its name, its address, whose it is, and how.

    email: somebody's who reads French, where it is not the cast's first client.
    """

    name: str
    path: str
    is_operators: bool = False
    on_phone: bool = True
    in_the_dark: bool = False
    email: str = ""


def list_pictures(portal: Portal, described: dict[str, Any], password: str) -> Iterator[Picture]:
    """What is shown: first pages of clients and operators, and what they do most."""
    real, plan = _find_plans(portal, password)
    company = next(one for one in COMPANIES if one.story == "reminded")
    folder = quote("srv/etude/Actes en cours/Succession Morin")
    yield Picture("home", "/", in_the_dark=True)
    yield Picture("home-over", "/", email=company.administrator.email, on_phone=False)
    yield Picture("files", f"/plans/{real}/files?path={folder}", in_the_dark=True)
    yield Picture("search", "/search?q=compromis")
    yield Picture("plan", f"/plans/{plan}", on_phone=False)
    yield Picture("run", f"/plans/{plan}/runs/{_newest(portal, password, plan)}")
    yield Picture("volume", "/volume", on_phone=False)
    yield Picture("orders", "/orders", on_phone=False)
    yield Picture("log", "/log", on_phone=False)
    yield Picture("queue", "/queue", is_operators=True, in_the_dark=True)
    yield Picture("clients", "/clients", is_operators=True)
    yield Picture("days", "/clients/days", is_operators=True, on_phone=False)
    blocked = next(one for one in COMPANIES if one.story == "blocked")
    yield Picture("client", f"/clients/{blocked.tenant_id}", is_operators=True)
    for name in ("overages", "notices", "billing", "destructions"):
        yield Picture(name, f"/{name}", is_operators=True, on_phone=False)


def _find_plans(portal: Portal, password: str) -> tuple[str, str]:
    """A plan whose files were copied, and one of the same client that has run for long."""
    token = portal.sign_in(SHOWN.administrator.email, password)
    found = {
        one["name"]: one["plan_id"] for one in portal.ask("GET", "/plans", token=token)["plans"]
    }
    return found["Documents de l’étude"], found["actes"]


def _newest(portal: Portal, password: str, plan: str) -> int:
    token = portal.sign_in(SHOWN.administrator.email, password)
    return int(portal.ask("GET", f"/plans/{plan}/runs?limit=1", token=token)["runs"][0]["number"])


def main() -> int:
    """Takes all pictures; 1 where one is heavier than a document should be."""
    parser = argparse.ArgumentParser(prog="python -m devstack.provider.pictures")
    parser.add_argument("--dir", type=Path, default=ROOT / ".coffre", help="the installation's")
    parser.add_argument("--into", type=Path, default=FOLDER)
    parser.add_argument("--only", default="", help="names, with commas between")
    options = parser.parse_args()
    folder: Path = options.dir.resolve()
    described = json.loads((folder / "stack.json").read_text())
    password = stacks.readable_secret(folder, PASSWORD)
    portal = Portal(described["portal"]["url"], described["operator"]["token"])
    options.into.mkdir(parents=True, exist_ok=True)
    names = set(options.only.split(",")) - {""}
    heavy = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=BROWSER)
        views = _Views(browser, described, password)
        for picture in list_pictures(portal, described, password):
            if not names or picture.name in names:
                heavy += [
                    path for path in views.take(picture, options.into)
                    if path.stat().st_size > MOST_BYTES
                ]  # fmt: skip
        browser.close()
    for path in heavy:
        say.warning(f"{path.name} has {path.stat().st_size:,} bytes")
    return int(bool(heavy))


class _Views:
    """Windows of a browser: one for each person, language and size, signed in once."""

    def __init__(self, browser: Browser, described: dict[str, Any], password: str) -> None:
        self._browser = browser
        self._described = described
        self._password = password
        self._open: dict[tuple[str, str, bool, bool], BrowserContext] = {}

    def take(self, picture: Picture, into: Path) -> Iterator[Path]:
        """Takes a picture in both languages, on a desk and on a phone; gives where they are."""
        for language in [language for language in LOCALES if language == "fr" or not picture.email]:
            yield self._take(picture, language, into, "desktop")
            if picture.on_phone:
                yield self._take(picture, language, into, "phone")
        if picture.in_the_dark:
            yield self._take(picture, "fr", into, "dark")

    def _take(self, picture: Picture, language: str, into: Path, how: str) -> Path:
        email = picture.email or self._find_reader(picture, language)
        context = self._sign_in(email, language, on_phone=how == "phone", dark=how == "dark")
        page = context.new_page()
        page.goto(picture.path)
        page.wait_for_load_state("networkidle")
        path = into / f"{picture.name}-{how}.{language}.webp"
        told = context.new_cdp_session(page).send(
            "Page.captureScreenshot", {"format": "webp", "quality": QUALITY}
        )
        path.write_bytes(base64.b64decode(told["data"]))
        page.close()
        return path

    def _find_reader(self, picture: Picture, language: str) -> str:
        people = OPERATORS if picture.is_operators else SHOWN.people
        fitting = (
            one.email
            for one in people
            if one.locale == language
            and "administrator" in {getattr(one, "duty", ""), getattr(one, "role", "")}
        )
        return next(fitting)

    def _sign_in(self, email: str, language: str, *, on_phone: bool, dark: bool) -> BrowserContext:
        key = email, language, on_phone, dark
        if key in self._open:
            return self._open[key]
        width, height = PHONE if on_phone else DESKTOP
        context = self._browser.new_context(
            base_url=self._described["portal"]["url"],
            viewport={"width": width, "height": height},
            locale=LOCALES[language],
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        form: dict[str, str | float | bool] = {
            "email": email,
            "password": self._password,
            "next": "/account",
        }
        context.request.post("/sign-in", form=form)
        self._open[key] = context
        return context


if __name__ == "__main__":
    sys.exit(main())
