"""What a name can be found by: every part of what is shown of it, without case and accents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.shared.catalogue import terms

NAMES = st.one_of(
    st.text(min_size=1, max_size=80).map(lambda text: text.encode("utf-8", "replace")),
    st.binary(min_size=1, max_size=80),
    # Letters with accents, apart or not, and what is nearly one.
    st.text("aÉçñ\u0301\u033f\u0340\u0345œёﬁ\x01\xad", min_size=1).map(str.encode),
    st.lists(st.sampled_from([b"a", "é".encode(), b"\xff", b"\xcc", b"\x80"]), min_size=1).map(
        b"".join
    ),
).map(lambda name: name.replace(b"\0", b"_").replace(b"/", b"_"))


@given(NAMES, st.lists(NAMES, max_size=3), st.data())
def test_every_part_of_a_name_asks_for_terms_that_its_bundle_has(
    name: bytes, others: list[bytes], data: st.DataObject
) -> None:
    text = terms.fold(name)
    begin = data.draw(st.integers(0, len(text)))
    part = text[begin : begin + data.draw(st.integers(1, 80))]
    bundle = terms.list_terms([*others, name], [7, 12])
    if len(part) >= 3:
        assert set(terms.asked_terms(part)) <= bundle
        assert terms.matches(name, part)
        packed = b"\0".join([*others, name])
        assert (len(others), name) in terms.find_names(packed, part)
        assert terms.find_names(packed, part + "\0") == []
        every = list(enumerate([*others, name]))
        for asked in (part, *(f"{text[-2:]} {terms.fold(other)[:5]} {part}" for other in others)):
            fitting = [(number, one) for number, one in every if terms.matches(one, asked)]
            assert terms.find_names(packed, asked) == fitting
    for short in (text[:1], text[:2]):
        if short:
            assert set(terms.asked_terms(short)) <= bundle
            assert terms.matches(name, short)
    assert {terms.below(7), terms.below(12)} <= bundle
    assert terms.below(1) not in bundle


@given(NAMES)
def test_what_is_shown_of_a_name_finds_it(name: bytes) -> None:
    """A name copied from a page, in whatever case, is the name that is looked for."""
    shown = terms.display(name)
    assert terms.fold(shown.encode()) == terms.fold(name)
    text = terms.fold(shown.upper().encode())
    if text == terms.fold(name):  # a few letters have no way back from their capitals
        assert not text or terms.matches(name, text)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("Été à la Mer.JPG", "ete a la"),
        ("résumé.pdf", "RESUME"),
        ("re\u0301sume\u0301.pdf", "r\u00e9sum\u00e9"),
        ("Straße.txt", "STRASSE"),
        ("ﬁchier.txt", "fichier"),
        ("İstanbul", "istanbul"),
        ("\uff12\uff10\uff12\uff16.log", "2026"),
        ("Œuvre", "œuvre"),
        ("Œuvre", "oeuvre"),
        ("OEUVRES.pdf", "œuvres"),
        ("Cœur à cœur.doc", "COEUR"),
        ("Lætitia", "laetitia"),
        ("ÆTHER", "aether"),
        ("Ærø", "aero"),
        ("Łódź.txt", "lodz"),
        ("Đặng", "dang"),
        ("Ħal Tarxien", "hal tar"),
        ("Þórður Guðmundsson", "thordur gud"),
        ("ISPARTA", "\u0131sparta"),
        ("groß", "GROSS"),
        ("GROẞ", "gross"),
        ("ﬂux e\ufb03cace", "flux efficace"),
        ("Ĳssel", "ijssel"),
        ("L’été d\u2018avant", "l'été d'avant"),
        ("l'hiver", "l\u2019hiver"),
        ("2024\u20132026 bilan", "2024-2026 bilan"),
        ("anne\u2011lise", "anne-lise"),
        ("日本語の書類.txt", "日本語"),
        ("日本語の書類.txt", "日"),
        ("отчёт.doc", "ОТЧЕТ"),
        ("a---b", "---"),
        ("50% off_final.doc", "% off_"),
    ],
)
def test_people_need_not_type_what_they_see(name: str, asked: str) -> None:
    text = terms.fold(asked.encode())
    assert terms.matches(name.encode(), text)
    assert set(terms.asked_terms(text)) <= terms.list_terms([name.encode()], [])


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        (b"bad\xff\xfename", r"\xff\xfe"),
        (b"bad\xff\xfename", r"d\xFF"),
        (b"two\nlines", r"two\nlines"),
        ("\u202egpj.exe".encode(), r"\u202egpj"),
        ("\u202egpj.exe".encode(), "\u202egpj"),
        (b"\x01\x7f", r"\x01\x7f"),
        (b"\x01\x7f", "x7f"),
    ],
)
def test_what_cannot_be_shown_is_found_by_its_escape(name: bytes, asked: str) -> None:
    text = terms.fold(asked.encode())
    assert terms.matches(name, text)
    assert terms.find_names(b"another\0" + name, text) == [(1, name)]


def test_no_name_looks_like_a_folder() -> None:
    """A full-width solidus folds to a slash; it must not lead into another plan."""
    assert terms.below(12) not in terms.list_terms(["\uff0f12".encode(), b"\x0012"], [])


def test_a_long_text_asks_little() -> None:
    name = b"".join(b"%03d" % number for number in range(80))
    asked = terms.asked_terms(terms.fold(name))
    assert len(asked) <= 12
    assert set(asked) <= terms.list_terms([name], [])


def test_places_keep_their_order_when_more_come() -> None:
    packed = terms.pack_places([0, 1, 4095]) + terms.pack_places([4096])
    assert packed == b"\0\0\0\x01\x0f\xff\x10\0"
    assert list(terms.unpack_places(packed)) == [0, 1, 4095, 4096]
