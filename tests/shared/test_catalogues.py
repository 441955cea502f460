"""Everything is said in French too, once, in good type."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from libs.shared.words import explanations
from tests.phrases import SERVICES, WORDS, Phrase, find_phrases, read_catalogue

CATALOGUES = {"common": WORDS, **SERVICES}
PLACE = re.compile(r"\{[^}]*\}")
OPTIONAL = re.compile(r"\[[^\[\]]*\{[^\[\]]*\]")


def pairs(name: str) -> Iterator[tuple[str, str]]:
    """Each English form with its French one."""
    for phrase, french in read_catalogue(CATALOGUES[name], name).items():
        if isinstance(phrase, str):
            assert isinstance(french, str)
            yield phrase, french
        else:
            yield from zip(phrase, french, strict=True)


def sentences() -> set[Phrase]:
    """What is said of reasons."""
    found = [*explanations.EXPLANATIONS.values(), explanations.UNKNOWN]
    each = {explanations.without_detail(phrase) for one in found for phrase in one if phrase}
    return {*each, explanations.IN_FOLDER}


def published_by() -> dict[str, set[Phrase]]:
    """What each catalogue is for: the common one for all that more than one part says."""
    found = {name: find_phrases(folder) for name, folder in SERVICES.items()}
    common = find_phrases(WORDS) | sentences() | (found["portal"] & found["reporting"])
    return {"common": common, **{name: said - common for name, said in found.items()}}


def test_every_phrase_has_its_french_in_one_catalogue_and_no_french_is_unused() -> None:
    for name, said in published_by().items():
        known = set(read_catalogue(CATALOGUES[name], name))
        assert said - known == set(), f"{name}.po lacks these"
        assert known - said == set(), f"{name}.po holds what nobody says, or says it for another"


@pytest.mark.parametrize("name", CATALOGUES)
def test_translations_keep_the_places_of_their_phrase(name: str) -> None:
    for phrase, french in pairs(name):
        # What stands in brackets may be left out, for French too.
        needed = sorted(PLACE.findall(OPTIONAL.sub("", phrase)))
        assert sorted(PLACE.findall(OPTIONAL.sub("", french))) == needed, phrase
        assert set(PLACE.findall(french)) <= set(PLACE.findall(phrase)), phrase
        assert "%(" not in phrase + french, phrase


@pytest.mark.parametrize("name", CATALOGUES)
def test_french_is_set_as_french_is(name: str) -> None:
    for _, french in pairs(name):
        assert french.strip() == french != ""
        assert "'" not in french, french
        assert "\u202f" not in french, french
        assert not re.search(r"(?<!\u00a0)[;?!»:](?=\s|$)|«(?!\u00a0)", french), french


def test_what_a_run_makes_is_a_backup_and_only_text_is_copied() -> None:
    copied = {
        phrase
        for name in CATALOGUES
        for phrase, french in pairs(name)
        if re.search(r"\bcop(?:y|ies|ied|ying)\b", phrase, re.IGNORECASE)
        or re.search(r"\bcopi(?:e|ez|er|es|ée?s?)\b", french, re.IGNORECASE)
    }
    assert copied == {
        "Copy",
        "Copied to the clipboard",
        "Copy it now: it is shown this once, and kept nowhere.",
        "Copy the block for {system}",
        "Copy the code",
        "Copy the command",
        "Copy the restore command",
    }
