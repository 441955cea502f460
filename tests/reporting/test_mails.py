"""Each kind of mail, in both languages: as it was looked at, sound, legible, and in its tongue."""

from __future__ import annotations

import re

import pytest

from services.reporting.mail import letters, rendering
from services.reporting.mail.letters import KINDS
from tests.english import find_english
from tests.reporting import goldens, specimens
from tests.reporting.conftest import HOUSE
from tests.reporting.markup import find_contrast, find_faults, invert

AGAIN = "`python -m tests.reporting.goldens` writes them anew: look at what changed"
FOREIGN = re.compile(  # lines for ticket systems, answers and logs of programs
    r"^((Client|Plan|Machine|Cause|Since|Incident): |> ).*|`[^`]*`|\[Hotline\]|User unknown"
    r"|Terminated by letter|\(run\[\.\]finished|division by zero|Code du motif.*|\{\"certificate.*",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    return dict(goldens.render_all())


def test_every_mail_is_as_it_was_looked_at(rendered: dict[str, str]) -> None:
    known = {file.name: file.read_text("utf-8") for file in goldens.FOLDER.iterdir()}
    assert sorted(known) == sorted(rendered), AGAIN
    changed = [name for name, text in rendered.items() if known[name] != text]
    assert changed == [], AGAIN


def test_every_kind_has_its_golden_mail() -> None:
    assert {kind.name for kind, _ in specimens.SPECIMENS.values()} == set(KINDS)


def test_the_html_of_every_mail_is_sound(rendered: dict[str, str]) -> None:
    faults = {
        name: found
        for name, text in rendered.items()
        if name.endswith(".html") and (found := find_faults(text))
    }
    assert faults == {}


def test_no_english_word_of_ours_stands_in_a_french_mail(rendered: dict[str, str]) -> None:
    english = {
        name: found
        for name, text in rendered.items()
        if name.endswith(".fr.txt") and (found := find_english(FOREIGN.sub("", text)))
    }
    assert english == {}


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ("<p>one<p>two</p>", "<p> is never closed"),
        ("<b><i>x</b></i>", "</b> ends <i>"),
        ('<p style="color:#777777">x</p>', "by day"),
        ('<p class="ink" style="color:#111111">x</p>', "by night"),
        ('<img src="https://x.example/x.png" alt="">', "would be fetched"),
        ("<table><tr><td>x</td></tr></table>", "neither layout"),
        ("<p>" + "x" * 100_000 + "</p>", "bytes"),
        ('<a href="javascript:x">x</a>', "a link to"),
    ],
)
def test_the_check_finds_what_it_is_for(html: str, fault: str) -> None:
    style = "<style>@media (prefers-color-scheme: dark) {\n.ink { color: #eeeeee }\n}</style>"
    assert any(fault in found for found in find_faults(style + html))
    assert round(find_contrast("#000000", "#ffffff")) == 21
    assert invert("#0b3b45") == "#f4c4ba"


def test_whatever_mail_can_be_said_without_its_template() -> None:
    for name, (kind, facts) in specimens.SPECIMENS.items():
        letter = specimens.write(name, "fr")
        plainly = rendering.say_plainly(letter.subject, letter.content, HOUSE)
        assert plainly.html == ""
        shown = letter.content.facts.get("link", "https://portal.example")
        leads_nowhere = kind is letters.notice.KIND or name == "overage-closed"
        assert str(shown) in plainly.text or leads_nowhere, name
        if kind is letters.incident.KIND:
            told = letters.matters.tell(letter.content.tongue, facts.about, 5)
            assert told.cause in plainly.text
            assert told.step in plainly.text
        assert "’a pas pu être mis en forme" in plainly.text
        assert find_english(FOREIGN.sub("", plainly.text)) == [], name
    letter = specimens.write("password", "en")
    assert "Zk3-9xQm-77Lp" in rendering.say_plainly(letter.subject, letter.content, HOUSE).text
