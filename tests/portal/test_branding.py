"""Name, logo and colours of the provider, the legal pages, and what production refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from libs.shared.settings import InvalidSettings
from services.portal.actions import branding
from services.portal.rules.branding import PAGES, Brand, BrandInvalid, check_colour, contrast
from tests.portal.test_pages import browser

LEGAL = Path(__file__).parents[2] / "deploy" / "legal"


def read(folder: Path | None = None, *, is_production: bool = False, **more: Any) -> Brand:
    given = {"name": "Coffre", "logo_file": None, "header": "", "accent": "", **more}
    return branding.read(
        given["name"],
        given["logo_file"],
        given["header"],
        given["accent"],
        folder,
        is_production=is_production,
    )


def completed(folder: Path) -> Path:
    """The pages of this repository, completed as a provider would."""
    for file in LEGAL.iterdir():
        text = re.sub(
            r"\[(À COMPLÉTER|TO COMPLETE)[^\]]*\]", "Sauvegardes du Midi", file.read_text()
        )
        (folder / file.name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ffffff", "#ffffff", 1.0)],
)
def test_contrast_is_that_of_the_guidelines(one: str, other: str, ratio: float) -> None:
    assert round(contrast(one, other), 2) == ratio
    assert contrast(one, other) == contrast(other, one)


@pytest.mark.parametrize("colour", ["#777777", "#f59e0b", "#ffffff", "teal", "#12345", "#0b3b4g"])
def test_a_colour_that_nobody_can_read_is_refused(colour: str) -> None:
    with pytest.raises(BrandInvalid, match=r"choose a darker one|is no colour"):
        check_colour("The accent", colour)
    with pytest.raises(InvalidSettings):
        read(accent=colour)


def test_production_refuses_to_start_while_placeholders_stand(tmp_path: Path) -> None:
    assert read(LEGAL).texts, "development shows them as they are"
    with pytest.raises(InvalidSettings, match="names no folder"):
        read(is_production=True)
    with pytest.raises(InvalidSettings, match=r"legal-notice\.fr\.txt still says '\[À COMPLÉTER"):
        read(LEGAL, is_production=True)
    whole = completed(tmp_path)
    assert len(read(whole, is_production=True).texts) == 2 * len(PAGES)
    (whole / "terms.en.txt").unlink()
    with pytest.raises(InvalidSettings, match=r"terms\.en\.txt is missing"):
        read(whole, is_production=True)


async def test_every_page_bears_the_providers_name(portal: Any, tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    brand = read(
        completed(tmp_path),
        is_production=True,
        name="Sauvegardes <b>du Midi",
        logo_file=logo,
        header="#402060",
        accent="#7a1f5c",
    )
    portal.app.state.resources = replace(portal.parts, brand=brand)
    async with browser(portal) as page:
        door = (await page.get("/sign-in")).text
        assert "· Sauvegardes &lt;b&gt;du Midi</title>" in door
        assert 'src="/brand/logo"' in door
        assert 'href="/brand.css"' in door
        assert "#402060" in (await page.get("/brand.css")).text
        drawn = await page.get("/brand/logo")
        assert drawn.headers["content-type"] == "image/svg+xml"
        assert "sandbox" in drawn.headers["content-security-policy"], "nothing in it runs"
        for name in PAGES:
            assert f'href="/legal/{name}"' in door
            shown = await page.get(f"/legal/{name}")
            assert (shown.status_code, "Sauvegardes du Midi" in shown.text) == (200, True), name
        english = await page.get("/legal/locations", headers={"Accept-Language": "en"})
        assert "Where data is stored" in english.text
        assert (await page.get("/legal/other")).status_code in (404, 422)
        await portal.admin.execute(
            """INSERT INTO portal.notices (notice_id, kind, title_fr, title_en, text_fr, text_en,
               ahead, everybody, drafted_at, drafted_by, done_at) VALUES
               (gen_random_uuid(), 'location', 'Paris vers Lyon', 'Paris to Lyon', 'a', 'b',
                '1 day', true, now(), 'x', now()),
               (gen_random_uuid(), 'location', 'Secret', 'Secret', 'a', 'b',
                '1 day', false, now(), 'x', now()),
               (gen_random_uuid(), 'location', 'Pas encore', 'Not yet', 'a', 'b',
                '1 day', true, now(), 'x', NULL)"""
        )
        moved = (await page.get("/legal/locations")).text
        assert "Paris vers Lyon" in moved
        assert "Secret" not in moved
        assert "Pas encore" not in moved


async def test_without_a_brand_nothing_is_missing(portal: Any) -> None:
    async with browser(portal) as page:
        assert "/legal/" not in (await page.get("/sign-in")).text
        assert (await page.get("/brand/logo")).status_code == 404
        assert (await page.get("/legal/terms")).status_code == 404
        assert (await page.get("/brand.css")).text == ""
