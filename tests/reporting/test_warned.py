"""What agents warn of is told in the mails, in the reader's language, with what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from libs.shared.events import NotCopied, RunFinished, RunWarning
from libs.shared.words.tongue import NBSP
from tests.reporting.conftest import ABOUT, Client, Desk, write
from tests.reporting.test_hostile_names import HOSTILE
from tests.reporting.test_letters import read_html

TEN_YEARS = 315_576_000


def warned_run(client: Client, *warnings: RunWarning, **changes: Any) -> RunFinished:
    return client.run(outcome="succeeded_with_warnings", warnings=warnings, **changes)


@pytest.mark.parametrize(
    ("code", "detail", "amount", "french", "english"),
    [
        ("clock-wrong", "", TEN_YEARS, "avance d’environ 10 ans", "ahead by about 10 years"),
        (
            "clock-wrong",
            "",
            -7200,
            f"retarde d’environ 2{NBSP}heures",
            "is behind by about 2 hours",
        ),
        (
            "state-not-kept",
            "No space left on device",
            None,
            "n’a pas pu noter ce qu’elle a sauvegardé (le disque est plein)",
            "could not write down what it copied (the disk is full)",
        ),
        ("state-damaged", "", None, "était endommagé", "was damaged"),
        ("state-foreign", "", None, "d’une autre machine", "of another machine or server"),
        (
            "hook-failed",
            "/opt/start erp ended with status 5",
            None,
            f"a échoué{NBSP}: /opt/start erp, erreur 5.",
            "failed: /opt/start erp, error 5.",
        ),
        (
            "hook-failed",
            "/opt/start took longer than 10 min 00 s and was stopped",
            None,
            "/opt/start a duré plus de 10 min 00 s et a été arrêté",
            "/opt/start took longer than 10 min 00 s and was stopped",
        ),
        (
            "ping-failed",
            "hc.example: HTTP Error 404: Not Found",
            None,
            "averti de la sauvegarde (hc.example: HTTP Error 404: Not Found)",
            "told of the copy (hc.example: HTTP Error 404: Not Found)",
        ),
        (
            "of-a-newer-agent",
            "{x} %s",
            4,
            f"ne sait pas encore expliquer{NBSP}: of-a-newer-agent {{x}} %s.",
            "no sentence for: of-a-newer-agent {x} %s.",
        ),
        ("clock-wrong", "", None, "ne sait pas encore", "has no sentence for: clock-wrong."),
    ],
)
def test_a_warning_is_said_in_the_reader_s_language(
    code: str, detail: str, amount: int | None, french: str, english: str
) -> None:
    client = Client()
    run = warned_run(client, RunWarning(code=code, detail=detail, amount=amount))
    for locale, expected in (("fr", french), ("en", english)):
        letter = write(client, run, locale=locale)
        assert expected in letter.content.text
        assert expected in read_html(letter)
        assert "\u202f" not in letter.content.text + letter.content.html


def test_a_client_who_reads_of_reserves_finds_each_with_what_to_do(client: Client) -> None:
    run = warned_run(
        client,
        RunWarning(code="clock-wrong", amount=TEN_YEARS),
        RunWarning(code="hook-failed", detail="/opt/start ended with status 5"),
    )
    letter = write(client, run)
    assert letter.subject == f"REUSSIE AVEC RESERVES - {ABOUT}"
    for text in (letter.content.text, read_html(letter)):
        assert "la machine émet des réserves" in text
        assert "quelque chose est à vérifier" not in text
        assert text.index("faites régler l’horloge") < text.index("faites examiner le programme")
        assert text.index("faites examiner le programme") < text.index("Fichiers, total")


def test_the_hotline_reads_its_own_next_step_of_a_run_that_failed(client: Client) -> None:
    run = client.failed_run(warnings=(RunWarning(code="clock-wrong", amount=TEN_YEARS),))
    report, hotline = write(client, run), write(client, run, kind="hotline")
    assert "la pile est peut-être vide" in hotline.content.text
    assert "la pile est peut-être vide" not in report.content.text
    assert "faites régler l’horloge" in report.content.text


def test_files_that_were_not_copied_and_warnings_are_both_told(client: Client) -> None:
    run = warned_run(
        client,
        RunWarning(code="state-damaged"),
        files_not_copied=1,
        not_copied=(NotCopied(path="/srv/f", reason="Permission denied"),),
    )
    text = write(client, run).content.text
    assert "Certains fichiers n’ont pas été copiés" in text
    assert "- /srv/f (accès refusé)" in text
    assert "- Ce que la machine avait noté de sa dernière sauvegarde était endommagé." in text


@pytest.mark.parametrize("amount", [2**63 - 1, -(2**63)])
def test_a_machine_that_says_nonsense_costs_no_report(client: Client, amount: int) -> None:
    run = warned_run(
        client,
        RunWarning(code="clock-wrong", amount=amount),
        RunWarning(code="hook-failed", detail=HOSTILE),
        RunWarning(code="hook-failed"),
    )
    letter = write(client, run)
    assert " ans." in letter.content.text
    assert "<script" not in letter.content.html
    assert "\nBcc:" not in letter.content.text
    assert "\u202e" not in letter.content.text + letter.content.html


async def test_a_run_of_a_service_that_knew_no_warnings_is_reported(
    client: Client, desk: Desk
) -> None:
    """As it still lies in an outbox or a queue when the services are brought up to date."""
    await desk.handle(client.tenant(), client.plan())
    older = json.loads(client.run(outcome="succeeded_with_warnings").model_dump_json())
    del older["warnings"]
    newer = warned_run(client, RunWarning(code="clock-wrong", amount=TEN_YEARS), number=2)
    await desk.handle(RunFinished.model_validate_json(json.dumps(older)), newer)
    first, second = await desk.mails(kind="report")
    assert first["subject"] == second["subject"]
    assert "quelque chose est" in first["body"].decode()
    assert "10 ans" in second["body"].decode()
