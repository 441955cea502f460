"""A report among those before it: its thread, its figures; and one that can't be laid out."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, cast

from prometheus_client import REGISTRY

from libs.shared import database
from libs.shared.words.tongue import NBSP
from services.reporting.actions import mails
from services.reporting.mail import letters
from tests.reporting import specimens
from tests.reporting.conftest import Client, Desk

NIGHT = datetime(2026, 11, 23, 1, 15, tzinfo=UTC)


def parsed(mail: dict[str, Any]) -> EmailMessage:
    message = email.message_from_bytes(mail["body"], policy=email.policy.default)
    return cast("EmailMessage", message)


def text_of(mail: dict[str, Any]) -> str:
    part = parsed(mail).get_body(("plain",))
    assert part is not None
    return "\n".join(part.get_content().splitlines())


async def test_failures_stand_in_one_thread_that_a_good_run_ends(
    desk: Desk, client: Client
) -> None:
    await desk.handle(client.tenant(), client.plan())
    story = ["good", "bad", "bad", "bad", "good", "good"]
    for number, how in enumerate(story, 1):
        run = client.run if how == "good" else client.failed_run
        begun = NIGHT + timedelta(days=number)
        end = begun + timedelta(minutes=number)
        await desk.handle(run(number, started_at=begun, finished_at=end, files_total=100 + number))
    reports = await desk.mails(kind="report")
    about = "Boulangerie Martin · documents ·"
    assert [mail["subject"].replace(NBSP, " ") for mail in reports] == [
        f"[REUSSIE] {about} 24/11/2026 02:15",
        f"[ECHEC] {about} 25/11/2026 02:15",
        f"[ECHEC] {about} 26/11/2026 02:15 (2e échec de suite)",
        f"[ECHEC] {about} 27/11/2026 02:15 (3e échec de suite)",
        f"[RETABLIE] {about} 28/11/2026 02:15",
        f"[REUSSIE] {about} 29/11/2026 02:15",
    ]
    began = reports[1]["message_id"]
    answers = [parsed(mail)["References"] for mail in reports]
    assert answers == [None, None, began, began, began, None]
    assert all(parsed(mail)["Auto-Submitted"] == "auto-generated" for mail in reports)

    last = text_of(reports[-1])
    assert "✓ ✕ ✕ ✕ ✓ ✓\n✓ 3 réussies, ✕ 3 en échec" in last
    assert f"Fichiers, total{NBSP}: 106 (avant{NBSP}: 105)" in last
    failed = text_of(reports[3])
    assert f"point de restauration date du 24/11/2026 02:15{NBSP}: 101 fichiers" in failed
    assert "Fichiers, total" not in failed, "nothing was counted"
    assert "veut seulement dire" not in failed


async def test_a_run_that_comes_late_speaks_of_those_before_it(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan(), client.run(3), client.failed_run(2))
    subjects = [mail["subject"] for mail in await desk.mails(kind="report")]
    assert [subject.partition("]")[0] for subject in subjects] == ["[REUSSIE", "[ECHEC"]
    assert "de suite" not in subjects[1]


def count_failures() -> float:
    name, labels = "coffre_mail_templates_failed_total", {"kind": "report"}
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_a_template_that_fails_costs_no_report(desk: Desk, client: Client) -> None:
    kind, facts = specimens.SPECIMENS["report-failed"]

    def write_badly(*given: Any) -> letters.Letter:
        letter = kind.write(*given)
        return replace(letter, content=replace(letter.content, facts={}))

    before = count_failures()
    await desk.handle(client.tenant())
    async with database.transaction(desk.pool) as conn:
        broken = replace(kind, write=write_badly)
        await mails.write(conn, desk.office, facts.tenant.tenant_id, broken, facts)
    assert count_failures() == before + 1
    [mail] = await desk.mails(kind="report")
    message = parsed(mail)
    assert message.get_content_type() == "text/plain"
    text = text_of(mail)
    assert text.startswith("[ECHEC] Boulangerie Martin · documents")
    for said in (
        f"Début{NBSP}: 22/11/2026 23:05",
        "Le dossier /srv/documents n’est plus là.",
        "Vérifiez que le dossier et son disque sont présents",
        "n’a pas pu être mis en forme",
        "https://portal.example/plans/",
    ):
        assert said in text
    assert message["References"], "it stands in its thread all the same"


async def test_answers_reach_the_provider_and_a_kind_may_have_headers_of_its_own(
    desk: Desk, client: Client
) -> None:
    house = replace(desk.office.house, name="Midi", phone="+33 4", email="aide@midi.example")
    desk.office = replace(desk.office, house=house)
    kind, facts = specimens.SPECIMENS["report-succeeded"]

    def write_with_header(*given: Any) -> letters.Letter:
        return replace(kind.write(*given), headers=(("X-Of", "Martin\r\nBcc: x@y.example"),))

    async with database.transaction(desk.pool) as conn:
        marked = replace(kind, write=write_with_header)
        await mails.write(conn, desk.office, facts.tenant.tenant_id, marked, facts)
    [mail] = await desk.mails(kind="report")
    assert parsed(mail)["Reply-To"] == "aide@midi.example"
    assert parsed(mail)["X-Of"] == "Martin\\r\\nBcc: x@y.example"
    assert parsed(mail)["Bcc"] is None
    assert "Appelez-nous" in text_of(mail)
    assert "+33 4 · aide@midi.example" in text_of(mail)
