"""Sizes, durations and phrases as French and English readers know them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir

from services.reporting import rules
from services.reporting.mail.words import load_translations, speak

NBSP = "\u00a0"
ROOM = Path(rules.__file__).parent


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


def test_every_phrase_is_translated() -> None:
    keywords: Any = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
    found = extract_from_dir(
        str(ROOM),
        method_map=[("**.py", "python"), ("templates/**", "jinja2")],
        keywords=keywords,
    )
    phrases = {p[0] if isinstance(p, tuple) else p for _, _, p, _, _ in found}
    assert len(phrases) > 60
    french = load_translations("fr")._catalog  # type: ignore[attr-defined] # no public listing
    known = {key[0] if isinstance(key, tuple) else key for key in french}
    assert phrases <= known, phrases - known
    assert not known - phrases - {""}, "phrases that nobody uses any more"
    places = re.compile(r"%\(\w+\)s|\{\w+\}")
    for key, translation in french.items():
        phrase = key[0] if isinstance(key, tuple) else key
        if phrase:
            assert sorted(places.findall(phrase)) == sorted(places.findall(translation)), phrase
