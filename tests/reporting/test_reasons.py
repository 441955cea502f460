"""Every reason of the closed list, as mails tell it: to clients and to the hotline, in French."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from libs.shared.events import DumpResult, NotCopied, RunFinished
from libs.shared.reasons import CODES, Kind, Reason
from libs.shared.words.tongue import Tongue
from tests.english import find_english
from tests.reporting.conftest import Client, write
from tests.reporting.test_letters import read_html

DETAIL = "Strömausfall"


def codes_of(kind: Kind) -> list[str]:
    return [code for code, meaning in CODES.items() if kind in meaning.kinds]


def full(code: str) -> Reason:
    return Reason(code, "/srv/données", amount=2_500_000, limit=7_200_000, detail=DETAIL)


def a_run(client: Client, kind: Kind, reason: Reason) -> RunFinished:
    """A run that went wrong in one way."""
    changes: dict[str, Any] = {"outcome": "succeeded_with_warnings"}
    match kind:
        case "warning":
            changes["warnings"] = (reason,)
        case "file":
            changes["not_copied"] = (NotCopied(path="/srv/f", reason=reason),)
            changes["files_not_copied"] = 1
        case "dump":
            dump = DumpResult(
                name="paie", succeeded=False, guaranteed=False, size_bytes=0, reason=reason
            )
            changes["dumps"] = (dump,)
        case _:
            return client.failed_run(reason=reason)
    return client.run(**changes)


@pytest.mark.parametrize("kind", ["report", "hotline"])
@pytest.mark.parametrize(
    ("where", "code"),
    [(kind, code) for kind in ("run", "warning", "dump", "file") for code in codes_of(kind)],
)
def test_every_reason_is_told_in_french_with_what_to_do(
    client: Client, where: Kind, code: str, kind: str
) -> None:
    letter = write(client, a_run(client, where, full(code)), kind=kind)
    told = Tongue("fr").explain(full(code))
    step = told.hotline if kind == "hotline" else told.client
    for text in (letter.content.text, read_html(letter)):
        assert told.cause in text
        assert step in text
        assert text.count(DETAIL) == 1, "foreign words are told once, beside the sentence"
        known = text.replace(f"Code du motif\u00a0: {code}", "")
        known = re.sub(r"(Client|Plan|Machine|Cause|Since|Incident): \S.*", "", known)
        assert find_english(known) == []
        assert "{" not in text


def test_three_steps_are_enough_for_a_thousand_files(client: Client) -> None:
    codes = codes_of("file")
    missed = tuple(NotCopied(path=f"/srv/{code}", reason=full(code)) for code in codes)
    run = client.run(
        outcome="succeeded_with_warnings", files_not_copied=len(missed), not_copied=missed
    )
    (todo,) = [line for line in write(client, run).content.text.splitlines() if "Que faire" in line]
    tongue = Tongue("fr")
    steps = [tongue.explain(Reason(code)).client for code in codes]
    assert [step for step in dict.fromkeys(steps) if step in todo] == steps[:3]


def test_a_code_that_is_newer_than_we_are_is_told_with_its_words(client: Client) -> None:
    reason = replace(full("permission-denied"), code="colder-than-thought")
    for where in ("run", "warning", "dump", "file"):
        text = write(client, a_run(client, where, reason)).content.text
        assert "colder-than-thought" in text
        assert DETAIL in text
        assert "nous vous dirons ce que c’est" in text
