"""The templates of mails, and the two texts made of one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from libs.shared.events import Locale
from libs.shared.words.foreign import inert, plain
from libs.shared.words.tongue import DEFAULT_TIMEZONE, Tongue

_ROOM = Path(__file__).parents[1]
_TEMPLATES = Environment(
    loader=FileSystemLoader(_ROOM / "templates"),
    autoescape=select_autoescape(["html"], default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def _code(text: str) -> Markup:
    """Commands, which stand in backticks in our sentences, as HTML shows them."""
    begin, end = Markup("<code>"), Markup("</code>")
    return Markup().join(
        begin + part + end if number % 2 else escape(part)
        for number, part in enumerate(text.split("`"))
    )


_TEMPLATES.filters["foreign"] = inert
_TEMPLATES.filters["code"] = _code
_TEMPLATES.filters["plain"] = plain


@dataclass(frozen=True, slots=True)
class Rendered:
    """One text in its two forms."""

    text: str
    html: str


def speak(locale: Locale, timezone: str = DEFAULT_TIMEZONE) -> Tongue:
    """Returns the tongue in which a mail is written."""
    return Tongue(locale, timezone, _ROOM / "locales")


def title(foreign: str) -> str:
    """A foreign name, short enough for a subject and safe to show."""
    return inert(foreign, 60)


def render(tongue: Tongue, template: str, **facts: object) -> Rendered:
    """Renders `<template>.txt` and `<template>.html`, styles inlined."""
    text, html = (
        _TEMPLATES.get_template(f"{template}.{form}").render(
            _=tongue.say, count=tongue.count, tongue=tongue, **facts
        )
        for form in ("txt", "html")
    )
    return Rendered(text, _inliner().inline(html))


@functools.cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)
