"""Damaged storage: the hotline hears of it, with the files, and not for each pack."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta
from uuid import uuid4

import pytest

from libs.shared import clock
from libs.shared.events import Locale, StorageDamaged
from services.reporting.mail import letters
from services.reporting.mail.letters.damage import DamageFacts
from services.reporting.rules.mails import Addressee
from tests.reporting.conftest import Client, Desk, lay_out

PATHS = ("compta/bilan 2025.ods", "a\u202efdp.exe")


def damaged(client: Client, **changes: object) -> StorageDamaged:
    fields = {
        "tenant_id": client.tenant_id,
        "damage_id": uuid4(),
        "plan_id": client.plan().plan_id,
        "pack_id": "9f" * 32,
        "missing": False,
        "chunks": 2,
        "files": 102,
        "paths": PATHS,
        "found_at": clock.now(),
    }
    return StorageDamaged.model_validate(fields | changes)


async def test_the_hotline_is_told_which_files_once_a_day(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan())
    found = damaged(client)
    again = damaged(client, pack_id="8e" * 32, found_at=found.found_at)
    tomorrow = damaged(client, found_at=found.found_at + timedelta(days=1))
    await desk.handle(found, found, again, tomorrow)
    mails = await desk.mails(kind="damage")
    assert len(mails) == 2
    assert client.email not in {mail["recipient"] for mail in mails}
    text = email.message_from_bytes(mails[0]["body"], policy=email.policy.default)
    body = text.get_body(("plain",))
    assert body is not None
    content = body.get_content()
    assert "Stockage endommagé" in content
    assert "- compta/bilan 2025.ods" in content
    assert "102 fichiers" in content.replace("\u00a0", " ")
    assert "100 autres" in content.replace("\u00a0", " ")
    assert "\u202e" not in content, "a name turns no text round"


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_it_is_said_in_both_languages_with_nothing_to_recover_too(locale: Locale) -> None:
    event = damaged(Client(), plan_id=None, files=0, paths=(), missing=True, chunks=0)
    facts = DamageFacts(
        event,
        client="Martin",
        plan="",
        machine="",
        timezone="Europe/Paris",
        portal_url="https://portal.example",
    )
    letter = lay_out(letters.damage.write(facts, Addressee("hot@p.example", "", locale), 100))
    assert "<code>python -m services.retention" in letter.content.html
    assert "`" not in letter.content.html
    said = {"fr": "a disparu", "en": "is missing"}[locale]
    for form in (letter.content.text, letter.content.html):
        assert said in form
        assert "9f" * 32 in form
