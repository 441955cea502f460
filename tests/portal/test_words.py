"""Everything is said in French too, and numbers look as their readers write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from babel.messages.pofile import read_po

from services.portal.pages.words import Words
from tests.portal.phrases import PORTAL, find_phrases

FIELD = re.compile(r"%\((\w+)\)s")


def test_every_phrase_has_a_french_translation() -> None:
    with (PORTAL / "locales/fr/LC_MESSAGES/portal.po").open("rb") as catalogue:
        french = {m.id: m.string for m in read_po(catalogue, locale="fr", abort_invalid=True)}
    french.pop("")
    phrases = find_phrases()
    assert phrases - set(french) == set()
    assert set(french) - phrases == set()
    for phrase, said in french.items():
        pairs = zip(phrase, said, strict=True) if isinstance(phrase, tuple) else [(phrase, said)]
        for source, target in pairs:
            assert target.strip(), source
            assert set(FIELD.findall(source)) == set(FIELD.findall(target)), source


@pytest.mark.parametrize(
    ("size", "french", "english"),
    [
        (0, "0 o", "0 B"),
        (999, "999 o", "999 B"),
        (1_200_000_000, "1,2 Go", "1.2 GB"),
        (999_600, "1 Mo", "1 MB"),
        (184_200_000_000, "184 Go", "184 GB"),
        (10**12, "1 To", "1 TB"),
        (2 * 10**18, "2000 Po", "2000 PB"),
    ],
)
def test_sizes(size: int, french: str, english: str) -> None:
    assert Words("fr").size(size).replace("\u00a0", " ") == french
    assert Words("en").size(size).replace("\u00a0", " ") == english


def test_moments_and_numbers() -> None:
    at = datetime(2026, 11, 22, 1, 14, tzinfo=UTC)
    assert Words("fr").moment(at) == "22/11/2026 02:14"
    assert Words("en", "Europe/London").moment(at) == "22 Nov 2026, 01:14"
    assert Words("fr").number(47_912) == "47\u00a0912"
    assert Words("fr").ago(at - timedelta(hours=3), at) == "il y a 3 heures"
    assert Words("fr").count("%(n)s file", "%(n)s files", 1) == "1 fichier"
    assert Words("fr").count("%(n)s file", "%(n)s files", 0) == "0 fichier"
    assert Words("en").count("%(n)s file", "%(n)s files", 2) == "2 files"
    assert Words("fr").duration(at, at + timedelta(minutes=67)) == "1\u00a0h\u00a007"
