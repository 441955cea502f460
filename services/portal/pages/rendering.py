"""Templates, and the answers made of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from libs.shared import clock
from libs.shared.events import Locale
from libs.shared.words.foreign import plain
from libs.shared.words.notices import tell_window
from libs.shared.words.rhythms import tell_rhythm
from libs.shared.words.tongue import DEFAULT_TIMEZONE, N_, Tongue
from libs.shared.words.volumes import tell_block
from services.portal.actions.resources import Resources
from services.portal.pages import assets, charts, navigation
from services.portal.rules import operators, people
from services.portal.rules.branding import Page
from services.portal.rules.files import names
from services.portal.rules.people import Person

_HERE = Path(__file__).parents[1]
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # Each of a page's hundreds of parts would be looked for on the disk otherwise.
    auto_reload=False,
)
_TEMPLATES.filters["plain"] = plain
_TEMPLATES.globals["asset"] = assets.address

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
        " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "private, no-store",
    # Forms must show where they come from; other sites learn nothing.
    "Referrer-Policy": "same-origin",
}


LEGAL: Mapping[Page, str] = {
    "legal-notice": N_("Legal notice"),
    "terms": N_("Terms and conditions"),
    "data-processing": N_("Data processing"),
    "locations": N_("Where data is stored"),
}
"""The legal pages, as footers name them."""

LANGUAGE_COOKIE = "coffre-language"
"""What somebody chose who isn't signed in."""


def choose_locale(request: Request, person: Person | None) -> Locale:
    """The reader's language: their own, else chosen here, else the browser's, else French."""
    if person is not None:
        return person.locale
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in {"fr", "en"}:
        return "fr" if chosen == "fr" else "en"
    for wanted in request.headers.get("accept-language", "").split(","):
        tag = wanted.partition(";")[0].strip().lower()[:2]
        if tag == "fr":
            return "fr"
        if tag == "en":
            return "en"
    return "fr"


def speak(request: Request, person: Person | None, timezone: str) -> Tongue:
    """The tongue of a page for one reader."""
    return speak_in(choose_locale(request, person), timezone)


def speak_in(locale: Locale, timezone: str = DEFAULT_TIMEZONE) -> Tongue:
    """The tongue of a page whose language is settled, whoever reads it."""
    return Tongue(locale, timezone, _HERE / "locales")


def render(
    request: Request,
    template: str,
    person: Person | None,
    *,
    status: int = 200,
    timezone: str = DEFAULT_TIMEZONE,
    locale: Locale | None = None,
    **values: Any,
) -> Response:
    """A page for one reader; locale: theirs where they are known and not signed in yet."""
    tongue = speak_in(locale, timezone) if locale else speak(request, person, timezone)
    return render_in(request, template, tongue, person, status=status, **values)


def render_in(
    request: Request,
    template: str,
    tongue: Tongue,
    person: Person | None = None,
    *,
    status: int = 200,
    **values: Any,
) -> Response:
    """A page in a given tongue, whoever reads it."""
    session = getattr(request.state, "session", "")
    resources: Resources = request.app.state.resources
    body = _TEMPLATES.get_template(template).render(
        _=tongue.say,
        count=tongue.count,
        tongue=tongue,
        rhythm=partial(tell_rhythm, tongue),
        why_blocked=partial(tell_block, tongue),
        charts=charts,
        names=names,
        person=person,
        now=clock.now(),
        here=request.scope["path"],
        account=navigation.ACCOUNT,
        menu=navigation.entries_of(person, recovers=getattr(request.state, "recovers", True)),
        may=lambda code: operators.may_code(person.duty if person else None, code),
        form_token=people.form_token(session) if session else "",
        support=resources.support,
        brand=resources.brand,
        legal=[
            (page, name)
            for page, name in LEGAL.items()
            if any(known == page for known, _ in resources.brand.texts)
        ],
        just_done=_list_done(request, tongue, person),
        announced=[
            tell_window(
                tongue,
                one.title.fr if tongue.locale == "fr" else one.title.en,
                one.begins_at,
                one.ends_at,
            )
            for one in getattr(request.state, "announced", ())
        ],
        **values,
    )
    return HTMLResponse(body, status, HEADERS)


def _list_done(request: Request, tongue: Tongue, person: Person | None) -> list[str]:
    """What the form before this page did, where any page may follow it."""
    if person is None or request.query_params.get("told") != "password":
        return []
    return [tongue.say("Your password is set. Everywhere else you were signed out.")]
