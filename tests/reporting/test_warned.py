"""What agents warn of is told in the mails, in the reader's language, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from libs.shared.events import NotCopied, RunFinished
from libs.shared.reasons import Reason
from libs.shared.words.tongue import NBSP
from tests.reporting.conftest import ABOUT, Client, write
from tests.reporting.test_hostile_names import HOSTILE
from tests.reporting.test_letters import read_html

TEN_YEARS = 315_576_000
CLOCK = Reason("clock-ahead", amount=TEN_YEARS)


def warned_run(client: Client, *warnings: Reason, **changes: Any) -> RunFinished:
    return client.run(outcome="succeeded_with_warnings", warnings=warnings, **changes)


@pytest.mark.parametrize(
    ("warning", "french", "english"),
    [
        (
            Reason("clock-ahead", amount=TEN_YEARS),
            "avance d’environ 10 ans",
            "ahead by about 10 years",
        ),
        (
            Reason("clock-behind", amount=7200),
            f"retarde d’environ 2{NBSP}heures",
            "is behind by about 2 hours",
        ),
        (
            Reason("state-disk-full", "/var/lib/coffre"),
            "le disque de /var/lib/coffre est plein",
            "the disk of /var/lib/coffre is full",
        ),
        (
            Reason("after-hook-failed", "/opt/start erp", 5),
            f"a échoué{NBSP}: /opt/start erp s’est terminé avec le code d’erreur 5.",
            "failed: /opt/start erp ended with status 5.",
        ),
        (
            Reason("after-hook-timed-out", "/opt/start", limit=600),
            f"/opt/start a duré plus de 10{NBSP}min{NBSP}00{NBSP}s et a été arrêté",
            f"/opt/start took longer than 10{NBSP}min{NBSP}00{NBSP}s and was stopped",
        ),
        (
            Reason("ping-failed", "hc.example", detail="HTTP Error 404: Not Found"),
            f"Détail technique{NBSP}: HTTP Error 404: Not Found",
            "Technical detail: HTTP Error 404: Not Found",
        ),
        (
            Reason("of-a-newer-agent", amount=4, detail="{x} %s"),
            f"«{NBSP}of-a-newer-agent{NBSP}», un motif que cette version ne sait pas",
            "“of-a-newer-agent”, a reason that this version has no sentence for",
        ),
    ],
)
def test_a_warning_is_said_in_the_reader_s_language(
    warning: Reason, french: str, english: str
) -> None:
    client = Client()
    run = warned_run(client, warning)
    for locale, expected in (("fr", french), ("en", english)):
        letter = write(client, run, locale=locale)
        assert expected in letter.content.text
        assert expected in read_html(letter)
        assert "\u202f" not in letter.content.text + letter.content.html


def test_a_client_who_reads_of_reserves_finds_each_with_what_to_do(client: Client) -> None:
    run = warned_run(
        client,
        CLOCK,
        Reason("after-hook-failed", "/opt/start", 5),
    )
    letter = write(client, run)
    assert letter.subject == f"[REUSSIE AVEC RESERVES] {ABOUT}"
    for text in (letter.content.text, read_html(letter)):
        assert "la machine émet des réserves" in text
        assert "quelque chose est à vérifier" not in text
        assert text.index("faites régler l’horloge") < text.index("faites examiner le programme")
        assert text.index("faites examiner le programme") < text.index("Fichiers, total")
        assert f"Code du motif{NBSP}: clock-ahead" in text
        assert f"Code du motif{NBSP}: after-hook-failed" in text


def test_the_hotline_reads_its_own_next_step_of_a_run_that_failed(client: Client) -> None:
    run = client.failed_run(warnings=(CLOCK,))
    report, hotline = write(client, run), write(client, run, kind="hotline")
    assert "la pile est peut-être vide" in hotline.content.text
    assert "la pile est peut-être vide" not in report.content.text
    assert "faites régler l’horloge" in report.content.text


def test_files_that_were_not_copied_and_warnings_are_both_told(client: Client) -> None:
    run = warned_run(
        client,
        Reason("state-damaged"),
        files_not_copied=1,
        not_copied=(NotCopied(path="/srv/f", reason=Reason("permission-denied")),),
    )
    text = write(client, run).content.text
    assert "Certains fichiers n’ont pas été sauvegardés" in text
    assert "- /srv/f\u00a0: accès refusé" in text
    assert "- Ce que la machine avait noté de sa dernière sauvegarde est endommagé" in text


@pytest.mark.parametrize("amount", [2**63 - 1, -(2**63)])
def test_a_machine_that_says_nonsense_costs_no_report(client: Client, amount: int) -> None:
    run = warned_run(
        client,
        Reason("clock-ahead", amount=amount),
        Reason("after-hook-failed", HOSTILE, detail=HOSTILE),
        Reason("after-hook-failed"),
    )
    letter = write(client, run)
    assert " ans." in letter.content.text
    assert "<script" not in letter.content.html
    assert "\nBcc:" not in letter.content.text
    assert "\u202e" not in letter.content.text + letter.content.html
