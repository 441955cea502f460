"""What an installation says of itself, read once at its start."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from libs.shared.database import Pool, transaction
from libs.shared.events import Locale
from libs.shared.settings import InvalidSettings
from services.portal import store
from services.portal.rules import branding
from services.portal.rules.branding import PAGES, Brand, BrandInvalid, Page
from services.portal.rules.notices import Notice


def read(
    name: str,
    logo_file: Path | None,
    header: str,
    accent: str,
    legal_folder: Path | None,
    *,
    is_production: bool,
) -> Brand:
    """The brand of an installation.

    Raises InvalidSettings: colours that can't be read, and in production pages with placeholders.
    """
    try:
        return _read_brand(name, logo_file, header, accent, legal_folder, is_production)
    except BrandInvalid as invalid:
        raise InvalidSettings(str(invalid)) from None


async def list_moves(pool: Pool) -> list[Notice]:
    """Where data moved to, as it was announced to everybody, the newest first."""
    async with transaction(pool) as conn:
        every = await store.notices.list_all(conn)
    moves = [one for one in every if one.kind == "location" and one.everybody and one.done_at]
    return sorted(moves, key=lambda one: str(one.done_at), reverse=True)


def _read_brand(
    name: str,
    logo_file: Path | None,
    header: str,
    accent: str,
    legal_folder: Path | None,
    is_production: bool,
) -> Brand:
    logo = branding.read_logo(logo_file.name, _read(logo_file)) if logo_file else None
    brand = Brand(name, logo, header, accent, _read_texts(legal_folder) if legal_folder else {})
    branding.check_brand(brand)
    if is_production and (gaps := branding.find_gaps(brand)):
        raise BrandInvalid(
            "The legal pages are not written, and this is production: COFFRE_LEGAL_FOLDER"
            f" {'names ' + str(legal_folder) if legal_folder else 'names no folder'};"
            f" {', '.join(gaps)}. deploy/legal has what to begin with; COFFRE_STAGE=development"
            " is for trying."
        )
    return brand


def _read_texts(folder: Path) -> dict[tuple[Page, Locale], str]:
    texts: dict[tuple[Page, Locale], str] = {}
    for page in PAGES:
        for locale in get_args(Locale):
            file = folder / f"{page}.{locale}.txt"
            if file.exists():
                texts[page, locale] = _read(file).decode("utf-8", "replace")
    return texts


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BrandInvalid(f"{file} can't be read: {error.strerror}.") from error
