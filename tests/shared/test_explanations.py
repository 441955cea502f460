"""Every reason of the closed list is explained: to all its readers, in both languages."""

from __future__ import annotations

import re
from dataclasses import astuple

import pytest

from libs.shared.reasons import CODES, Reason
from libs.shared.words import explanations
from libs.shared.words.explanations import EXPLANATIONS, say
from libs.shared.words.tongue import NBSP, Explained, Tongue
from tests.english import find_english

FRENCH, ENGLISH = Tongue("fr"), Tongue("en")
FOREIGN = "Strömausfall {subject} [x]\u202e"
PLACES = re.compile(r"\{(\w+)\}")


def full(code: str) -> Reason:
    """A reason with all its fields filled."""
    return Reason(code, "/srv/données", amount=2_500_000, limit=7_200_000, detail=FOREIGN)


def texts(found: Explained) -> tuple[str, ...]:
    return astuple(found)[:4]


def test_the_closed_list_is_explained_and_nothing_else() -> None:
    assert set(EXPLANATIONS) == set(CODES)
    for code, found in EXPLANATIONS.items():
        assert found.cause, code
        assert found.client, code
        assert found.hotline, code


@pytest.mark.parametrize("code", CODES)
def test_sentences_tell_what_their_code_carries_and_no_more(code: str) -> None:
    found, meaning = EXPLANATIONS[code], CODES[code]
    places = set(PLACES.findall(found.cause))
    foreign = places & {"words", "detail"}
    assert len(foreign) == bool(meaning.detail), "foreign words are told once"
    assert ("words" in foreign) == ("operator" in meaning.detail), "only people's words are quoted"
    for place in ("subject", "amount", "limit"):
        assert place not in places or getattr(meaning, place), place
    assert not PLACES.findall(found.client + found.technician + found.hotline)


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_told_in_french_without_a_word_of_english(code: str) -> None:
    for reason in (full(code), Reason(code)):
        french, english = FRENCH.explain(reason), ENGLISH.explain(reason)
        for said, source in zip(texts(french), texts(english), strict=True):
            assert (said == source) == (source == ""), said
            assert not set("{}[]") & set(said.replace("Strömausfall {subject} [x]", "")), said
            assert find_english(said) == [], said
            assert "\u202f" not in said
            assert "\u202e" not in said
    told = FRENCH.explain(full(code))
    quotes = "{words}" in EXPLANATIONS[code].cause
    assert ("Strömausfall" in told.cause) == quotes
    assert (told.detail == "") == quotes


@pytest.mark.parametrize("code", CODES)
def test_sentences_end_where_they_should(code: str) -> None:
    for tongue in (FRENCH, ENGLISH):
        found = tongue.explain(full(code))
        is_whole = bool(
            {"run", "warning", "restore", "hold", "destruction"} & set(CODES[code].kinds)
        )
        assert found.cause.endswith(".") == is_whole
        assert found.cause[0].isupper() or not is_whole or found.cause.startswith("/srv")
        assert found.client.endswith((".", "?"))
        assert not say(full(code)).endswith("..")


def test_amounts_are_said_in_the_unit_of_their_code() -> None:
    def cause(reason: Reason) -> str:
        return FRENCH.explain(reason).cause.replace(NBSP, " ")

    small = Reason("dump-too-small", amount=12, limit=1_500_000)
    assert cause(small) == "il fait 12 o au lieu d’au moins 1,5 Mo"
    slow = Reason("dump-timed-out", limit=7_200)
    assert cause(slow) == "l’export a duré plus de 2 h 00 min et a été arrêté"
    assert cause(Reason("clock-ahead", amount=315_576_000)).endswith("avance d’environ 10 ans.")
    assert "(12 043)" in cause(Reason("emptied", amount=12_043))
    assert cause(Reason("hook-failed", "/opt/x", -1073741819)).endswith("d’erreur -1073741819.")


@pytest.mark.parametrize("amount", [2**63 - 1, -(2**63), 0, None])
def test_no_amount_is_too_strange_to_be_said(amount: int | None) -> None:
    for code in CODES:
        reason = Reason(code, amount=amount, limit=amount)
        assert FRENCH.explain(reason).cause
        assert say(reason)


def test_a_code_of_a_newer_version_is_told_in_general_words() -> None:
    reason = Reason("newer-than-this", "/srv/x", detail="it {x} %s")
    french = FRENCH.explain(reason)
    assert "newer-than-this" in french.cause
    assert "/srv/x" in french.cause
    assert french.detail == "it {x} %s"
    assert "Appelez-nous" in french.client
    assert "plus récent" in french.hotline
    assert "no sentence for (/srv/x): it {x} %s" in say(reason)


def test_a_failure_of_which_no_more_is_known_is_told_as_one() -> None:
    assert FRENCH.explain(None).cause == "La sauvegarde n’a pas pu être menée à son terme."


def test_a_folder_that_was_not_copied_is_told_as_one() -> None:
    found = FRENCH.explain(Reason("permission-denied"), is_folder=True)
    assert found.cause == f"dossier illisible{NBSP}: accès refusé"
    said = explanations.say_missed(Reason("permission-denied"), is_folder=True)
    assert said == "the folder can't be read: permission denied"
