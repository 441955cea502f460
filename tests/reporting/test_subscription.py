"""What administrators are told of their subscription: in their language, once, with what to do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any, get_args

import pytest

from libs.shared.events import (
    DocumentPublished,
    Locale,
    MaintenanceNearing,
    SubscriptionMoved,
    SubscriptionState,
    SubscriptionStep,
)
from services.reporting.mail import letters
from services.reporting.mail.letters.subscription import TOLD, SubscriptionFacts
from services.reporting.rules.clients import Tenant
from services.reporting.rules.mails import Addressee
from tests.reporting.conftest import Client, Desk, lay_out

AT = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
STATES: dict[SubscriptionStep, SubscriptionState] = {
    "announce_end": "ending",
    "end": "ended",
    "lapse": "ended",
    "suspend": "suspended",
    "resume": "active",
    "reinstate": "active",
    "maintain": "active",
}


def moved(client: Client, step: SubscriptionStep, **changes: Any) -> SubscriptionMoved:
    is_over = STATES[step] == "ended"
    fields: dict[str, Any] = {
        "tenant_id": client.tenant_id,
        "version": 7,
        "step": step,
        "state": STATES[step],
        "reason": "résilié par courrier",
        "at": AT,
        "ends_at": AT + timedelta(days=39) if step == "announce_end" else None,
        "destruction_due_at": AT + timedelta(days=30) if is_over else None,
        "maintenance_until": date(2027, 6, 30),
    }
    return SubscriptionMoved(**(fields | changes))


def letter_of(client: Client, event: SubscriptionMoved, locale: Locale) -> str:
    tenant = Tenant(client.tenant_id, "Martin", locale, "Europe/Paris", (), 10**12, "active")
    facts = SubscriptionFacts(event, tenant, "https://portal.example")
    letter = lay_out(letters.subscription.write(facts, Addressee("a@m.example", "A", locale), 10))
    text, html = (
        form.replace("\u00a0", " ").replace("&nbsp;", " ")
        for form in (letter.content.text, letter.content.html)
    )
    for word in text.split():
        assert word.startswith("-") or word.rstrip(":") in html, word
    return f"{letter.subject}\n{text}".replace("\u00a0", " ")


def test_every_step_is_told() -> None:
    assert set(TOLD) == set(STATES) == set(get_args(SubscriptionStep))


@pytest.mark.parametrize(
    ("step", "locale", "said"),
    [
        ("announce_end", "fr", ["prend fin le 31/12/2026 18:00", "30 jours plus tard", "Récupér"]),
        ("announce_end", "en", ["ends on 31 Dec 2026", "30 days later", "Recover files"]),
        ("end", "fr", ["a pris fin le 22/11/2026 18:00", "conservées jusqu’au 22/12/2026 18:00"]),
        ("end", "fr", ["avant le 22/12/2026 18:00, de rétablir l’abonnement : vous pourrez"]),
        ("end", "en", ["kept until 22 Dec 2026", "reinstate the subscription"]),
        ("lapse", "fr", ["maintenance du logiciel de sauvegarde a pris fin le 30/06/2027"]),
        ("suspend", "fr", ["a été suspendu le 22/11/2026", "Rien n’est détruit"]),
        ("resume", "fr", ["continue comme avant", "Ce qui continue : Les sauvegardes"]),
        ("reinstate", "fr", ["a été annulée le 22/11/2026", "Rien n’a été détruit"]),
        ("maintain", "fr", ["court désormais jusqu’au 30/06/2027", "prend fin avec ce jour"]),
    ],
)
def test_a_step_says_what_stops_and_what_goes_on(
    client: Client, step: SubscriptionStep, locale: Locale, said: list[str]
) -> None:
    told = letter_of(client, moved(client, step), locale)
    for words in (*said, "résilié par courrier", "https://portal.example"):
        assert words in told, told


def test_a_subscription_that_depends_on_no_maintenance_is_told_no_day(client: Client) -> None:
    told = letter_of(client, moved(client, "maintain", maintenance_until=None), "fr")
    assert "ne dépend plus de la maintenance" in told
    assert "prend fin" not in told


async def test_the_administrators_get_each_step_once(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant())
    end = moved(client, "end")
    await desk.handle(end, end, moved(client, "reinstate", version=8))
    mails = await desk.mails(kind="subscription")
    administrators = [one.email for one in client.tenant().administrators]
    assert [mail["recipient"] for mail in mails] == administrators * 2


async def test_documents_and_maintenance_are_told_once(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant())
    nearing = MaintenanceNearing(tenant_id=client.tenant_id, until=date(2027, 6, 30), days_left=30)
    published = DocumentPublished(
        tenant_id=client.tenant_id,
        document="general-terms",
        version="2027-1",
        title="Conditions générales",
        in_force_on=date(2027, 1, 1),
    )
    await desk.handle(nearing, nearing, nearing.model_copy(update={"days_left": 7}))
    await desk.handle(published, published, published.model_copy(update={"version": "2"}))
    administrators = len(client.tenant().administrators)
    warned = await desk.mails(kind="maintenance")
    assert len(warned) == 2 * administrators
    asked = await desk.mails(kind="document")
    assert len(asked) == 2 * administrators
    assert said_in(warned[0]) >= {"30/06/2027,", "jours"}
    assert "/documents" in str(message_from_bytes(asked[0]["body"], policy=policy.default))
    assert said_in(asked[0]) >= {"01/01/2027.", "générales"}


def said_in(mail: Any) -> set[str]:
    """The words of a mail's text."""
    body = message_from_bytes(mail["body"], policy=policy.default).get_body(("plain",))
    assert body is not None
    return set(body.get_content().split())
