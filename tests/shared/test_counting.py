"""One is one, and nought is what each language makes of it: "1 fichier", "0 fichier", "0 files"."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from libs.shared.events import Locale
from libs.shared.reasons import CODES, Reason
from libs.shared.words.tongue import Tongue
from tests.phrases import SERVICES, WORDS, read_catalogue

ONE_OF_MANY = re.compile(
    r"(?<![\d.,:/\u00a0])1[ \u00a0]\w+s\b(?<!fois)(?<!jamais)(?<!pris)(?<![ \u00a0]is)(?<!ss)"
)
"""A one, and behind it what are several."""
COUNTED = re.compile(
    r"\{(?:n|amount|limit|files|number)\}[ \u00a0](?!is|was|has|dans|times in a row)\w+s\b(?<!fois)"
)
"""A number that may be one, and behind it what are several."""
LOCALES: tuple[Locale, ...] = ("fr", "en")
CATALOGUES: dict[str, Path] = {"common": WORDS, **SERVICES}


def plain(phrase: str) -> str:
    return re.sub(r"\{(?!n\})\w+\}", "x", phrase)


@pytest.mark.parametrize("name", CATALOGUES)
def test_every_phrase_that_counts_has_a_singular(name: str) -> None:
    tongues = {locale: Tongue(locale, own=CATALOGUES[name] / "locales") for locale in LOCALES}
    for phrase, french in read_catalogue(CATALOGUES[name], name).items():
        if isinstance(phrase, str):
            assert isinstance(french, str)
            # What is put into such a phrase may be one.
            assert not COUNTED.search(phrase), phrase
            assert not COUNTED.search(french), french
            continue
        one, many = phrase
        values = dict.fromkeys(re.findall(r"\{(\w+)\}", one + many), "x")
        values.pop("n", None)
        said = {
            (locale, n): tongues[locale].count(one, many, n, **values)
            for locale in LOCALES
            for n in (0, 1, 2, 1_000)
        }
        for (locale, n), text in said.items():
            assert not ONE_OF_MANY.search(text), text
            assert tongues[locale].number(n) in text
        assert said["fr", 0] == said["fr", 1].replace("1", "0", 1)
        assert said["en", 0] == said["en", 2].replace("2", "0", 1)


@pytest.mark.parametrize("locale", LOCALES)
def test_no_reason_speaks_of_one_as_of_many(locale: Locale) -> None:
    tongue = Tongue(locale)
    for code in CODES:
        told = tongue.explain(Reason(code, "x", 1, 1, "why"))
        for text in (told.cause, told.client, told.technician, told.hotline):
            assert not ONE_OF_MANY.search(text), (code, text)


def test_what_is_one_of_many_is_seen() -> None:
    for wrong in ("1 files", "il y a 1 fichiers", "1\u00a0octets", "in 1 runs", "les 1 fichiers"):
        assert ONE_OF_MANY.search(wrong), wrong
    dates = "11/11/2026 01:01 heures"
    for right in ("1 file", "21 files", "1 fois", "1 jamais", "1,1 octets", dates, "1 s"):
        assert not ONE_OF_MANY.search(right), right
