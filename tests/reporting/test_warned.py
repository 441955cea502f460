"""What agents warn of is told in the mails, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from libs.shared.events import NotCopied, RunFinished
from libs.shared.reasons import Reason
from libs.shared.words.explanations import next_step, say
from tests.reporting.conftest import Client, write
from tests.reporting.test_hostile_names import HOSTILE
from tests.reporting.test_letters import read_html

CLOCK = Reason("clock-ahead", amount=315_576_000)
HOOK = Reason("after-hook-failed", "/opt/start", 5)


def warned_run(client: Client, *warnings: Reason, **changes: Any) -> RunFinished:
    return client.run(outcome="succeeded_with_warnings", warnings=warnings, **changes)


@pytest.mark.parametrize(
    "warning",
    [
        CLOCK,
        Reason("clock-behind", amount=7200),
        Reason("state-disk-full", "/var/lib/coffre-agent/plans"),
        Reason("state-damaged"),
        Reason("state-foreign"),
        HOOK,
        Reason("after-hook-timed-out", "/opt/start", limit=600),
        Reason("ping-failed", "hc.example", detail="HTTP Error 404: Not Found"),
        Reason("of-a-newer-agent", "{x} %s", 4),
    ],
    ids=lambda warning: warning.code,
)
def test_a_warning_is_said(warning: Reason) -> None:
    client = Client()
    letter = write(client, warned_run(client, warning))
    assert say(warning) in letter.content.text
    assert say(warning) in read_html(letter)
    assert "\u202f" not in letter.content.text + letter.content.html


def test_a_client_who_reads_of_reserves_finds_each_with_what_to_do(client: Client) -> None:
    letter = write(client, warned_run(client, CLOCK, HOOK))
    assert letter.subject == "REUSSIE AVEC RESERVES - sauvegarde de documents, Boulangerie Martin"
    for text in (letter.content.text, read_html(letter)):
        assert "la machine émet des réserves" in text
        assert "quelque chose est à vérifier" not in text
        assert text.index(next_step(CLOCK)) < text.index(next_step(HOOK))
        assert text.index(next_step(HOOK)) < text.index("Fichiers, total")


def test_files_that_were_not_copied_and_warnings_are_both_told(client: Client) -> None:
    run = warned_run(
        client,
        Reason("state-damaged"),
        files_not_copied=1,
        not_copied=(NotCopied(path="/srv/f", reason=Reason("permission-denied")),),
    )
    text = write(client, run).content.text
    assert "Certains fichiers n'ont pas été copiés" in text
    assert "- /srv/f (" in text
    assert say(Reason("state-damaged")) in text


@pytest.mark.parametrize("amount", [2**63 - 1, -(2**63)])
def test_a_machine_that_says_nonsense_costs_no_report(client: Client, amount: int) -> None:
    run = warned_run(
        client,
        Reason("clock-ahead", amount=amount),
        Reason("after-hook-not-started", detail=HOSTILE),
        Reason("after-hook-failed"),
    )
    letter = write(client, run)
    assert "<script" not in letter.content.html
    assert "\nBcc:" not in letter.content.text
    assert "\u202e" not in letter.content.text + letter.content.html
