"""One mail or more of each kind, from fixed facts: for golden files, for checks, for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs.shared.events import Locale
from services.reporting import rules
from services.reporting.mail import letters
from services.reporting.mail.letters import Kind
from services.reporting.rules.mails import Addressee
from tests.reporting.specimens import matters, others, runs

SPECIMENS: Mapping[str, tuple[Kind[Any], Any]] = {
    **runs.list_all(),
    **matters.list_all(),
    **others.list_all(),
}


def write(name: str, locale: Locale) -> letters.Letter:
    """That mail in that language."""
    kind, facts = SPECIMENS[name]
    reader = Addressee("jeanne@martin.example", "Jeanne Martin", locale)
    return kind.write(facts, reader, rules.mails.SHOWN[0])
