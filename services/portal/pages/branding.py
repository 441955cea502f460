"""The provider's own colours and logo, and the legal pages, open to everybody."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter, Request
from starlette.responses import Response

from libs.shared import errors
from libs.shared.events import Locale
from services.portal.actions import branding, documents
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.rendering import LEGAL, choose_locale, render
from services.portal.pages.sessions import Reader
from services.portal.rules.branding import Page

router = APIRouter()

_KEPT = "public, max-age=300"


@router.get("/brand.css")
async def show_stylesheet(resources: ResourcesOf) -> Response:
    """What differs from our own colours."""
    return Response(
        resources.brand.stylesheet, media_type="text/css", headers={"Cache-Control": _KEPT}
    )


@router.get("/brand/logo")
async def show_logo(resources: ResourcesOf) -> Response:
    """The provider's logo; nothing in it runs, whoever drew it."""
    logo = resources.brand.logo
    if logo is None:
        raise errors.NotFound
    policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return Response(
        logo.content,
        media_type=logo.media_type,
        headers={"Cache-Control": _KEPT, "Content-Security-Policy": policy},
    )


@router.get("/legal/{page}")
async def show_legal(
    request: Request, page: Page, reader: Reader, resources: ResourcesOf, address: Address
) -> Response:
    """A legal page in the reader's language, or in the other where it is written in one alone.

    With the terms, an administrator sees which versions were accepted for the company."""
    locale = choose_locale(request, reader)
    texts = resources.brand.texts
    found = [texts.get((page, one), "") for one in (locale, *get_args(Locale))]
    text = next(filter(None, found), "")
    if not text:
        raise errors.NotFound
    moves = await branding.list_moves(resources.pool) if page == "locations" else []
    accepted = []
    if page == "terms" and reader is not None and reader.role == "administrator":
        shown = await documents.show_documents(resources.pool, reader.at(address))
        accepted = shown.accepted
    return render(
        request,
        "legal.html",
        reader,
        title=LEGAL[page],
        blocks=_split(text),
        moves=moves,
        accepted=accepted,
    )


def _split(text: str) -> list[tuple[str, str]]:
    """Headings (lines after `# `) and paragraphs, which blank lines part."""
    blocks = (block.strip() for block in text.replace("\r\n", "\n").split("\n\n"))
    return [
        ("h2", block[2:]) if block.startswith("# ") and "\n" not in block else ("p", block)
        for block in blocks
        if block
    ]
