"""A plan of which much is gone: the hotline hears of it at once, with what to do."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import pytest

from libs.shared import clock
from libs.shared.events import ExpiryHeld, Locale
from libs.shared.reasons import Reason
from services.reporting.mail import letters
from services.reporting.mail.letters.held import HeldFacts
from services.reporting.rules.mails import Addressee
from tests.reporting.conftest import Client, Desk, lay_out


def held(client: Client, **changes: Any) -> ExpiryHeld:
    fields: dict[str, Any] = {
        "tenant_id": client.tenant_id,
        "plan_id": client.plan_id,
        "number": 214,
        "since": 187,
        "reason": Reason("files-lost", "2026-11-22", 988, 1000),
        "held_at": clock.now(),
    }
    return ExpiryHeld(**(fields | changes))


async def test_the_hotline_is_told_once_while_it_is_open(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan())
    await desk.handle(held(client), held(client), held(client, number=215))
    mails = await desk.mails(kind="held")
    assert [mail["recipient"] for mail in mails] == list(desk.office.hotline)
    body = email.message_from_bytes(mails[0]["body"], policy=email.policy.default).get_body(
        ("plain",)
    )
    assert body is not None
    content = body.get_content().replace("\u00a0", " ")
    assert (
        "Fichiers présents le 2026-11-22 : 1 000 ; ceux dont le contenu a disparu : 988." in content
    )
    assert "services.retention clear" in content


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_it_is_said_in_both_languages_of_an_unknown_plan_too(
    client: Client, locale: Locale
) -> None:
    event = held(client, reason=Reason("bytes-lost", "2026-11-22", 9_500_000_000, 10**10))
    facts = HeldFacts(event, "Martin", "", "", "Europe/Paris", "https://portal.example")
    letter = lay_out(letters.held.write(facts, Addressee("hot@p.example", "", locale), 10))
    assert "<code>python -m services.retention" in letter.content.html
    assert "`" not in letter.content.html
    said = {"fr": "il manque 9,5 Go", "en": "9.5 GB is gone"}[locale]
    for form in (letter.content.text, letter.content.html):
        assert said in form.replace("\u00a0", " ").replace("&nbsp;", " ")
