"""Sizes, durations and phrases as French and English readers know them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from services.reporting import rules
from services.reporting.mail import words
from services.reporting.mail.words import speak

NBSP = "\u00a0"
ROOM = Path(rules.__file__).parent
CATALOGUE = Path(words.__file__).parents[1] / "locales/fr/LC_MESSAGES/reporting.po"


@pytest.mark.parametrize(
    ("size_bytes", "french", "english"),
    [
        (0, "0 octets", "0 bytes"),
        (999, "999 octets", "999 bytes"),
        (1000, "1 ko", "1 kB"),
        (1_234_000_000, "1,2 Go", "1.2 GB"),
        (999_960, "1 Mo", "1 MB"),
        (5 * 10**12, "5 To", "5 TB"),
        (10**18, "1 000 Po", "1,000 PB"),
    ],
)
def test_sizes(size_bytes: int, french: str, english: str) -> None:
    assert speak("fr").size(size_bytes) == french.replace(" ", NBSP)
    assert speak("en").size(size_bytes) == english.replace(" ", NBSP)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=8, milliseconds=900), "8 s"),
        (timedelta(minutes=3, seconds=5), "3 min 05 s"),
        (timedelta(hours=26, minutes=7), "26 h 07 min"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_durations(span: timedelta, text: str) -> None:
    assert speak("fr").duration(span) == text.replace(" ", NBSP)


def forms(text: str | tuple[str, ...] | list[str]) -> Sequence[str]:
    """A phrase alone, or with its plurals."""
    return [text] if isinstance(text, str) else text


def test_every_phrase_is_translated() -> None:
    keywords: Any = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
    found = extract_from_dir(
        str(ROOM),
        method_map=[("**.py", "python"), ("templates/**", "jinja2")],
        keywords=keywords,
    )
    phrases = {p[0] if isinstance(p, tuple) else p for _, _, p, _, _ in found}
    assert len(phrases) > 60
    with CATALOGUE.open("rb") as file:
        french = [each for each in read_po(file, locale="fr") if each.id]
    assert not [each.id for each in french if each.fuzzy or not each.string]
    known = {forms(each.id)[0] for each in french}
    assert phrases <= known, phrases - known
    assert not known - phrases, "phrases that nobody uses any more"
    places = re.compile(r"%\(\w+\)s|\{\w+\}")
    for each in french:
        phrase = forms(each.id)[0]
        for translation in forms(each.string):
            assert sorted(places.findall(phrase)) == sorted(places.findall(translation)), phrase
