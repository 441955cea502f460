"""Templates, and the answers made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from libs.shared import clock
from libs.shared.events import Locale
from services.portal.pages import charts
from services.portal.pages.warned import say_missed, say_reason
from services.portal.pages.words import Words
from services.portal.rules import names, people
from services.portal.rules.people import Person

_HERE = Path(__file__).parents[1]
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "private, no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Forms must show where they come from; other sites learn nothing.
    "Referrer-Policy": "same-origin",
}


def choose_locale(request: Request, person: Person | None) -> Locale:
    """The reader's language: their own, else what the browser asks for, else French."""
    if person is not None:
        return person.locale
    for wanted in request.headers.get("accept-language", "").split(","):
        tag = wanted.partition(";")[0].strip().lower()[:2]
        if tag == "fr":
            return "fr"
        if tag == "en":
            return "en"
    return "fr"


def render(
    request: Request,
    template: str,
    person: Person | None,
    *,
    status: int = 200,
    timezone: str = "Europe/Paris",
    **values: Any,
) -> Response:
    """A page for one reader."""
    words = Words(choose_locale(request, person), timezone)
    session = getattr(request.state, "session", "")
    body = _TEMPLATES.get_template(template).render(
        _=words.say,
        count=words.count,
        words=words,
        charts=charts,
        names=names,
        person=person,
        outcomes=charts.OUTCOMES,
        say_missed=say_missed,
        say_reason=say_reason,
        now=clock.now(),
        here=request.url.path,
        form_token=people.form_token(session) if session else "",
        **values,
    )
    return HTMLResponse(body, status, HEADERS)
