"""The one design of all mails: what a letter says becomes text and HTML here.

A kind has one template, which names parts: `parts.title(…)`, `parts.say(…)`, `parts.button(…)`.
`templates/html` and `templates/text` know what each part looks like, and the frame around all.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from libs.shared.events import Locale
from libs.shared.words.foreign import inert, plain
from libs.shared.words.tongue import DEFAULT_TIMEZONE, N_, Tongue

_ROOM = Path(__file__).parents[1]
_TEMPLATES = _ROOM / "templates"
_LINE, _GAP, _SPACE = "\x1f", "\x1e", "\x1d"  # what foreign words are freed from
_SEAMS = re.compile(r"_(?=\w)|[./\\](?=[^\W\d])")
_BREAKS = re.compile(f"[{_LINE}{_GAP}][{_LINE}{_GAP} ]*")

_PLAINLY = N_("This mail could not be laid out as usual; what it has to say stands here in short.")
_ANSWERS_READ = N_("This mail was written by a program; answers to it reach {name}.")
_ANSWERS_UNREAD = N_("This mail was written by a program; answers to it are not read.")
_TIMES = N_("Times are those of {timezone}.")


Mark = Literal["good", "warn", "bad", "idle"]
"""How something stands: each has its colour and its sign."""


@dataclass(frozen=True, slots=True)
class House:
    """Who the provider is, whom a reader calls and when; empty where that isn't set."""

    name: str = ""
    phone: str = ""
    email: str = ""
    hours: Mapping[Locale, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """What a mail says, before it is laid out: a template and what fills it, in one tongue.

    to_hotline: its reader is who is called, so it names nobody to call. ticket: lines that ticket
    systems read, first in the text. links: what stands in the foot: label and address.
    in_short: what is said line by line if the template fails; without it, each text of the facts.
    """

    tongue: Tongue
    template: str
    facts: Mapping[str, object]
    to_hotline: bool = False
    ticket: Sequence[tuple[str, str]] = ()
    links: Sequence[tuple[str, str]] = ()
    in_short: Sequence[str] = ()


def lay_out(
    tongue: Tongue,
    template: str,
    *,
    to_hotline: bool = False,
    ticket: Sequence[tuple[str, str]] = (),
    links: Sequence[tuple[str, str]] = (),
    in_short: Sequence[str] = (),
    **facts: object,
) -> Content:
    """Gathers what a letter says; nothing is rendered before everybody's address is known."""
    return Content(tongue, template, facts, to_hotline, ticket, links, in_short)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One text in its two forms; html is empty where the template failed."""

    text: str
    html: str


def _code(text: str) -> Markup:
    """Commands, which stand in backticks in our sentences, as HTML shows them."""
    begin, end = Markup("<code>"), Markup("</code>")
    return Markup().join(
        begin + part + end if number % 2 else escape(part)
        for number, part in enumerate(text.split("`"))
    )


def _seamed(text: str) -> Markup:
    """A text whose long names break where their parts meet: `accounts_` and `2026`."""
    return Markup(_SEAMS.sub(r"\g<0><wbr>", str(escape(str(text)))))  # noqa: S704 - what was just escaped


def _open(form: str) -> Environment:
    """The templates in one form: each kind's own, and that form's parts and frame."""
    is_html = form == "html"
    environment = Environment(
        loader=FileSystemLoader([_TEMPLATES, _TEMPLATES / form]),
        autoescape=is_html,  # noqa: S701 - plain text has nothing to escape
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"foreign": inert, "plain": plain, "code": _code if is_html else str}
    if is_html:
        environment.filters["seamed"] = _seamed
    environment.globals |= {"line": _LINE, "gap": _GAP, "space": _SPACE, "indent": _SPACE * 2}
    return environment


_FORMS = {form: _open(form) for form in ("text", "html")}


def speak(locale: Locale, timezone: str = DEFAULT_TIMEZONE) -> Tongue:
    """Returns the tongue in which a mail is written."""
    return Tongue(locale, timezone, _ROOM / "locales")


def title(foreign: str) -> str:
    """A foreign name, short enough for a subject and safe to show."""
    return inert(foreign, 60)


def render(subject: str, content: Content, house: House) -> Rendered:
    """Lays a mail out in its two forms; raises what Jinja raises where a template is wrong."""
    text = _render("text", subject, content, house)
    text = _BREAKS.sub(_break, "".join(part.strip(" ") for part in text.split("\n")))
    text = text.replace(_SPACE, " ").strip() + "\n"
    return Rendered(text, _render("html", subject, content, house))


def _break(found: re.Match[str]) -> str:
    return "\n\n" if _GAP in found.group() else "\n"


def _render(form: str, subject: str, content: Content, house: House) -> str:
    templates, tongue = _FORMS[form], content.tongue
    shared = {"_": tongue.say, "count": tongue.count, "tongue": tongue, "subject": subject}
    shared["parts"] = _load_parts(form, tongue.locale, tongue.timezone)
    said = templates.get_template(f"{content.template}.jinja").render({**shared, **content.facts})
    return templates.get_template("frame.jinja").render(
        shared,
        house=house,
        content=Markup(said) if form == "html" else said,  # noqa: S704 - what was just escaped
        ticket=content.ticket,
        help=[] if content.to_hotline else _tell_help(tongue, house),
        links=content.links,
        foot=_tell_foot(tongue, house, to_hotline=content.to_hotline),
    )


@functools.lru_cache(maxsize=100)
def _load_parts(form: str, locale: Locale, timezone: str) -> object:
    """The parts of a form, which speak that tongue."""
    tongue = speak(locale, timezone)
    return _FORMS[form].get_template("parts.jinja").make_module({"_": tongue.say, "tongue": tongue})


def _tell_help(tongue: Tongue, house: House) -> list[str]:
    """Whom to call and when: a line each, of what is known."""
    reached = " · ".join(each for each in (house.phone, house.email) if each)
    return [each for each in (house.name, reached, house.hours.get(tongue.locale, "")) if each]


def _tell_foot(tongue: Tongue, house: House, *, to_hotline: bool) -> str:
    if house.email and not to_hotline:
        answers = tongue.say(_ANSWERS_READ, name=house.name or house.email)
    else:
        answers = tongue.say(_ANSWERS_UNREAD)
    return f"{answers} {tongue.say(_TIMES, timezone=tongue.timezone)}"


def say_plainly(subject: str, content: Content, house: House) -> Rendered:
    """A mail without any template, for when one is wrong: no report is lost over it."""
    tongue = content.tongue
    paragraphs = [
        "\n".join(f"{name}: {value}" for name, value in content.ticket),
        subject,
        "\n".join(content.in_short or _list_texts(content.facts)),
        tongue.say(_PLAINLY),
        "" if content.to_hotline else "\n".join(_tell_help(tongue, house)),
        _tell_foot(tongue, house, to_hotline=content.to_hotline),
    ]
    return Rendered("\n\n".join(each for each in paragraphs if each) + "\n", "")


def _list_texts(facts: Mapping[str, object]) -> list[str]:
    """Whatever stands in a letter's facts as text, foreign or not, and where it leads to."""
    texts = [fact for fact in facts.values() if isinstance(fact, str) and fact]
    return [fact if fact.startswith("https://") else inert(fact) for fact in texts]
