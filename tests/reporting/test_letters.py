"""What the mails say, to French and English readers."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.shared.events import DumpResult, NotCopied, PasswordIssued
from libs.shared.reasons import Reason
from libs.shared.words.tongue import NBSP
from services.reporting.mail import letters
from services.reporting.mail.letters.links import link_plan
from services.reporting.mail.letters.password import PasswordFacts
from tests.reporting.conftest import ABOUT, Client, LaidOut, compared, lay_out, write


def read_html(letter: LaidOut) -> str:
    shown = letter.content.html.partition("<body")[2]
    text = re.sub(r"<[^>]*>", " ", shown)
    return re.sub(r"[ \n]+", " ", html.unescape(text))


@pytest.mark.parametrize("form", ["text", "html"])
def test_a_french_report_tells_everything(client: Client, form: str) -> None:
    judged = compared(47_912, 47_900, 20, 182_000_000_000)
    letter = write(client, client.run(), judged=judged)
    text = letter.content.text if form == "text" else read_html(letter)

    assert letter.subject == f"[REUSSIE] {ABOUT}"
    for said in (
        "Réussie",
        "Boulangerie Martin",
        "srv-bureau",
        "23/11/2026 02:15",
        "23/11/2026 02:31",
        f"16{NBSP}min{NBSP}53{NBSP}s",
        f"47{NBSP}912",
        f"182,3{NBSP}Go",
        f"1,2{NBSP}Go",
        f"96,3{NBSP}Go sur 500{NBSP}Go au contrat (19{NBSP}%)",
        f"47{NBSP}900 ±{NBSP}20",
        "24/11/2026 02:15",
        "REUSSIE veut seulement dire qu’aucun problème technique",
        "le volume et le nombre de fichiers sont à vérifier par vos soins",
    ):
        assert said in text, said
    link = f"https://portal.example/plans/{client.plan_id}"
    assert link in letter.content.text
    assert f'href="{link}"' in letter.content.html
    assert "\u202f" not in letter.content.text + letter.content.html


def test_an_english_report_speaks_english(client: Client) -> None:
    letter = write(client, client.run(), locale="en")
    assert letter.subject == "[SUCCEEDED] Boulangerie Martin · documents · 23 Nov 2026, 02:15"
    for said in ("23 Nov 2026, 02:15", "47,912", f"1.2{NBSP}GB", "(19%)", "Files, total: 47,912"):
        assert said in letter.content.text
    assert 'lang="en"' in letter.content.html


def test_warnings_name_each_file_and_why(client: Client) -> None:
    run = client.run(
        outcome="succeeded_with_warnings",
        files_not_copied=10_204,
        not_copied=tuple(
            NotCopied(path=f"/srv/f{n}", reason=Reason("permission-denied")) for n in range(1000)
        ),
    )
    letter = write(client, run)
    assert letter.subject.startswith("[REUSSIE AVEC RESERVES] ")
    text = letter.content.text
    assert f"10{NBSP}204 fichiers non sauvegardés" in text
    assert f"- /srv/f49{NBSP}: accès refusé" in text
    assert f"10{NBSP}154 de plus{NBSP}: le portail les énumère." in text
    assert letter.content.html.count("accès refusé") == 50
    assert f"Que faire{NBSP}: Faites vérifier les droits sur ces fichiers" in text


def test_a_folder_and_what_the_system_alone_can_say_are_told(client: Client) -> None:
    run = client.run(
        outcome="succeeded_with_warnings",
        files_not_copied=2,
        not_copied=(
            NotCopied(path="/srv/d", is_folder=True, reason=Reason("permission-denied")),
            NotCopied(path="/srv/f", reason=Reason("unreadable", detail="Hm {x} <b>")),
        ),
    )
    letter = write(client, run)
    assert f"- /srv/d{NBSP}: dossier illisible{NBSP}: accès refusé" in letter.content.text
    assert f"- /srv/f{NBSP}: le système refuse\n" in letter.content.text
    assert f"\n  Détail technique{NBSP}: Hm {{x}} <b>\n" in letter.content.text
    assert "Hm {x} &lt;b&gt;" in letter.content.html


def test_dumps_say_whether_they_can_be_trusted(client: Client) -> None:
    dumps = (
        DumpResult(name="dolibarr", succeeded=True, guaranteed=True, size_bytes=120_000_000),
        DumpResult(name="ibdata1", succeeded=True, guaranteed=False, size_bytes=5),
        DumpResult(
            name="paie",
            succeeded=False,
            guaranteed=False,
            size_bytes=0,
            reason=Reason("dump-program-failed", "pg_dump", 1, detail="FATAL: {x} %s <b>"),
        ),
    )
    letter = write(client, client.run(dumps=dumps))
    text = letter.content.text
    assert f"dolibarr (120{NBSP}Mo){NBSP}: restauration garantie" in text
    assert f"ibdata1 (5{NBSP}o){NBSP}: sauvegarde faite, restauration non garantie" in text
    why = f"paie (0{NBSP}o){NBSP}: échec\n  pg_dump s’est terminé avec le code d’erreur 1\n"
    assert why in text
    assert f"Détail technique{NBSP}: FATAL: {{x}} %s <b>" in text
    assert "FATAL: {x} %s &lt;b&gt;" in letter.content.html


def test_a_warning_without_a_missed_file_speaks_of_no_file(client: Client) -> None:
    run = client.run(outcome="succeeded_with_warnings")
    assert "quelque chose est à vérifier" in write(client, run).content.text
    dump = DumpResult(
        name="/srv/ibdata1",
        succeeded=True,
        guaranteed=False,
        size_bytes=5,
        reason=Reason("database-file"),
    )
    run = client.run(outcome="succeeded_with_warnings", dumps=(dump,))
    assert (
        f"Que faire{NBSP}: Faites ajouter un export de cette base à la sauvegarde"
        in write(client, run).content.text
    )
    run = client.run(outcome="succeeded_with_warnings", files_not_copied=1)
    text = write(client, run).content.text
    assert "Certains fichiers n’ont pas été sauvegardés" in text
    assert f"Que faire{NBSP}: Fermez les programmes" in text


def test_a_database_folder_is_named_without_a_size(client: Client) -> None:
    name = "/var/lib/postgresql/15/main"
    dump = DumpResult(name=name, succeeded=True, guaranteed=False, size_bytes=0)
    text = write(client, client.run(dumps=(dump,))).content.text
    assert f"- {name}{NBSP}: sauvegarde faite, restauration non garantie" in text


def test_a_failure_says_why_and_what_to_do(client: Client) -> None:
    run = client.failed_run(log_tail="one\ntwo <b>\nthree")
    report, hotline = write(client, run), write(client, run, kind="hotline")
    assert report.subject == f"[ECHEC] {ABOUT}"
    assert hotline.subject == (
        f"[Hotline] [ECHEC] - Boulangerie Martin{NBSP}: plan «{NBSP}documents{NBSP}» sur srv-bureau"
    )
    for letter in (report, hotline):
        assert f"Que faire{NBSP}: " in letter.content.text
        assert "Le dossier /srv/documents n’est plus là." in letter.content.text
        assert f"Détail technique{NBSP}: ENOENT" in letter.content.text
        assert "n’a pas créé de point de restauration" in letter.content.text
        assert f"Code du motif{NBSP}: folder-missing" in letter.content.text
        assert "veut seulement dire" not in letter.content.text, "that is said of good ones"
    assert "two <b>" in hotline.content.text
    assert "two &lt;b&gt;" in hotline.content.html
    assert "two" not in report.content.text


def test_a_failure_without_a_reason_is_told_as_one(client: Client) -> None:
    text = write(client, client.failed_run(reason=None)).content.text
    assert "La sauvegarde n’a pas pu être menée à son terme." in text
    assert "Code du motif" not in text


def password(event: PasswordIssued, password: str, timezone: str = "Europe/Paris") -> LaidOut:
    facts = PasswordFacts(event, password, timezone, "https://portal.example")
    (addressee,) = letters.password.KIND.choose(facts)
    return lay_out(letters.password.write(facts, addressee, 0))


def test_the_password_mail(client: Client) -> None:
    event = client.password(expires_at=datetime(2026, 11, 24, 1, 14, tzinfo=UTC))
    letter = password(event, "a<b>&c")
    assert letter.subject == "Votre accès au portail de sauvegarde"
    for said in ("a<b>&c", "24/11/2026 02:14", "https://portal.example", client.email):
        assert said in letter.content.text
    assert "a&lt;b&gt;&amp;c" in letter.content.html
    again = password(client.password(first=False, locale="en"), "x")
    assert again.subject == "Your new password"
    assert "at the request of your administrator" in again.content.text


def test_an_unknown_time_zone_costs_no_report(client: Client) -> None:
    event = client.password(expires_at=datetime(2026, 11, 24, 1, 14, tzinfo=UTC))
    letter = password(event, "x", "Mars/Olympus")
    assert "24/11/2026 01:14 (UTC)" in letter.content.text


def test_plans_are_linked_without_a_double_slash() -> None:
    plan_id = UUID(int=1)
    assert link_plan("https://p.example/", plan_id) == f"https://p.example/plans/{plan_id}"
