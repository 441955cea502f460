"""What a client's administrators read of orders."""

from __future__ import annotations

import html
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.shared import database
from libs.shared.events import Locale, OffersChanged, OrderConfirmed, Recipient
from libs.shared.words.tongue import NBSP
from services.reporting import rules, store
from services.reporting.mail import letters
from services.reporting.mail.letters.order import OrderFacts
from services.reporting.rules.mails import Addressee
from tests.reporting.conftest import Client, Desk, LaidOut, lay_out

GOLDEN = Path(__file__).parents[1] / "shared" / "golden"


def confirmed(client: Client, **change: Any) -> OrderConfirmed:
    event = OrderConfirmed.model_validate_json((GOLDEN / "order.confirmed.v1.json").read_text())
    return event.model_copy(update={"tenant_id": client.tenant_id, **change})


def write(client: Client, locale: Locale = "fr", **change: Any) -> LaidOut:
    event = confirmed(client, **change)
    told = client.tenant()
    tenant = rules.clients.Tenant(
        told.tenant_id, told.name, told.locale, told.timezone, told.administrators,
        told.contracted_bytes, told.subscription,
    )  # fmt: skip
    facts = OrderFacts(event, tenant, "https://portal.example/")
    return lay_out(letters.order.write(facts, Addressee(client.email, "Jeanne", locale), 300))


async def test_each_administrator_is_mailed_once_of_an_order(desk: Desk, client: Client) -> None:
    event = confirmed(client)
    with pytest.raises(LookupError):  # it came before its client was known: it comes again
        await desk.handle(event)
    other = Recipient(name="Ugo", email="ugo@martin.example", locale="en")
    known = client.tenant()
    await desk.handle(known.model_copy(update={"administrators": (*known.administrators, other)}))
    await desk.handle(event, event)
    mails = await desk.mails(kind="order")
    assert {(mail["recipient"], mail["subject"]) for mail in mails} == {
        (client.email, "Commande confirmée, Boulangerie Martin"),
        ("ugo@martin.example", "Order confirmed, Boulangerie Martin"),
    }
    assert len(mails) == 2


async def test_the_newest_offers_are_kept(desk: Desk, client: Client) -> None:
    golden = OffersChanged.model_validate_json((GOLDEN / "offers.changed.v1.json").read_text())
    newer = golden.model_copy(update={"tenant_id": client.tenant_id})
    older = newer.model_copy(update={"version": 2, "currency": "CHF", "offers": ()})
    await desk.handle(newer, older, newer)
    async with database.transaction(desk.pool) as conn:
        found = await store.offers.find(conn, client.tenant_id)
        assert await store.offers.find(conn, uuid4()) is None
    assert found is not None
    assert (found.currency, found.offers) == ("EUR", newer.offers)


def read(letter: letters.Letter, form: str) -> str:
    if form == "text":
        return re.sub(r"\s*\n\s*", "\n", letter.content.text)
    text = html.unescape(re.sub(r"<[^>]*>", " ", letter.content.html))
    return re.sub(r"[ \n]+", " ", text)


@pytest.mark.parametrize("form", ["text", "html"])
def test_a_confirmed_order_tells_what_it_costs(client: Client, form: str) -> None:
    letter = write(client)
    text = read(letter, form)
    assert letter.subject == "Commande confirmée, Boulangerie Martin"
    for said in (
        "4 sièges au lieu de 3.",
        f"Ouvert le 22{NBSP}: facturé pour tout le mois de novembre 2026{NBSP}: 27,00{NBSP}€,",
        f" dont 15,00{NBSP}€ de frais d’entrée une seule fois, puis 12,00{NBSP}€ par mois",
        f"Commandé par Jeanne Martin le 22/11/2026 02:14{NBSP};",
        "Les montants sont hors taxes.",
    ):
        assert said in text, said
    assert "https://portal.example/orders" in letter.content.text
    assert "Clause" not in text
    assert "\u202f" not in letter.content.text + letter.content.html


def test_an_order_in_the_providers_name_has_its_clause_and_reason(client: Client) -> None:
    letter = write(
        client, what="storage", before=10**11, after=3 * 10**11, in_provider_name=True,
        clause="Article 7.3 <b>", reason="Au-dessus {x} depuis 60 jours",
    )  # fmt: skip
    text = letter.content.text
    assert letter.subject == "Votre contrat a été augmenté, Boulangerie Martin"
    assert f"300{NBSP}Go de stockage au lieu de 100{NBSP}Go." in text
    assert f"Clause{NBSP}: Article 7.3" in text
    assert f"Motif{NBSP}: Au-dessus {{x}} depuis 60 jours" in text
    assert "en son propre nom" in text
    assert "Commandé par" not in text
    assert "7.3 <b>" not in letter.content.html


def test_less_that_could_not_take_effect_says_what_to_do(client: Client) -> None:
    letter = write(client, "en", what="storage", after=5 * 10**11, is_kept=True)
    text = letter.content.text
    assert letter.subject == "An order could not take effect, Boulangerie Martin"
    assert "but more is in use" in text
    assert f"500{NBSP}GB of storage stay contracted." in text
    assert "What to do: Reduce what is kept, then order less again." in text
    assert "Jeanne Martin" not in text
    seats = write(client, what="seats", after=4, is_kept=True).content.text
    assert "Fermez les comptes inutiles" in seats
    assert "restent au contrat" in seats


def test_less_is_due_to_the_end_of_its_month(client: Client) -> None:
    later = confirmed(client).ordered_at.replace(month=12, day=1)
    text = write(client, "en", effective_at=later, monthly=Decimal("6.00"), after=2).content.text
    assert "is due until the end of the month of November 2026" in text
    assert "then €6.00 a month" in text
