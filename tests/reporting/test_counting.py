"""Mails that tell of one of each."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from libs.shared.events import DumpResult, Locale, NotCopied
from libs.shared.reasons import Reason
from tests.reporting.conftest import Client, compared, write
from tests.shared.test_counting import ONE_OF_MANY

ONES: dict[str, Any] = {
    "files_total": 1,
    "files_new": 1,
    "files_changed": 1,
    "files_removed": 1,
    "files_not_copied": 1,
    "bytes_protected": 1,
    "bytes_sent": 1,
    "stored_bytes": 1,
    "not_copied": (NotCopied(path="/srv/f", reason=Reason("permission-denied")),),
    "warnings": (Reason("clock-ahead", amount=1),),
    "dumps": (DumpResult(name="paie", succeeded=True, guaranteed=True, size_bytes=1),),
}


@pytest.mark.parametrize("locale", ["fr", "en"])
@pytest.mark.parametrize("kind", ["report", "hotline"])
@pytest.mark.parametrize("outcome", ["succeeded_with_warnings", "failed"])
def test_a_report_of_one_file_speaks_of_one(
    client: Client, locale: Locale, kind: str, outcome: str
) -> None:
    reason = Reason("files-lost", "1 November", 1, 1) if outcome == "failed" else None
    run = client.run(**ONES, outcome=outcome, reason=reason)
    letter = write(client, run, kind=kind, locale=locale, judged=compared(1, 1, 1, 1))
    shown = html.unescape(re.sub(r"<[^>]*>", "\n", letter.content.html))
    for text in (letter.subject, letter.content.text, shown):
        assert not ONE_OF_MANY.search(text), ONE_OF_MANY.search(text)
