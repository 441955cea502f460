"""docs/causes.md says what mails and pages say."""

from __future__ import annotations

from libs.shared.reasons import CODES
from tests.shared import causes


def test_the_page_of_causes_is_what_mails_and_pages_say() -> None:
    again = "`python -m tests.shared.causes` writes it anew"
    assert causes.FILE.read_text(encoding="utf-8") == causes.page(), again


def test_every_code_has_its_place_on_the_page() -> None:
    page = causes.page()
    assert [code for code in CODES if page.count(f"\n### {code}\n") != 1] == []
    assert "{" not in page
