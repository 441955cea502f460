"""Mails about stored volume: who gets which, once, and what stands in them."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from libs.shared import clock, signed_links
from libs.shared.events import (
    Locale,
    Offer,
    OffersChanged,
    OverageAnswered,
    OverageBlocked,
    OverageClosed,
    OverageExtended,
    OverageOpened,
    OverageReminded,
    OverageReported,
    PlanVolume,
    Recipient,
    VolumeApproached,
)
from services.reporting.mail import letters
from services.reporting.mail.letters.approached import ApproachedFacts
from services.reporting.mail.letters.overage import OverageFacts
from services.reporting.rules.clients import Tenant
from services.reporting.rules.mails import Addressee
from tests.reporting.conftest import MAIL_KEY, Client, Desk, lay_out
from tests.world.overages import told

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def approached(client: Client, level: int = 80, **changes: Any) -> VolumeApproached:
    fields: dict[str, Any] = {
        "rising": True,
        "stored_bytes": 401_000_000_000,
        "contracted_bytes": 500_000_000_000,
        "reached_on": date(2027, 3, 2),
        "at": NOON,
    }
    return VolumeApproached(tenant_id=client.tenant_id, level_percent=level, **(fields | changes))


def answered(client: Client, answer: Any = "call", **changes: Any) -> OverageAnswered:
    case = told(client.tenant_id)
    fields = {"case_id": case.case_id, "by": "Jeanne Martin", "answered_at": NOON} | changes
    return OverageAnswered(tenant_id=client.tenant_id, answer=answer, **fields)


def read(mail: dict[str, Any], form: str = "plain") -> str:
    part = email.message_from_bytes(mail["body"], policy=email.policy.default).get_body((form,))
    assert part is not None
    content: str = part.get_content()
    return content.replace("\u00a0", " ").replace("&nbsp;", " ")


async def subjects(desk: Desk, kind: str = "overage") -> list[str]:
    return [mail["subject"].replace("\u00a0", " ") for mail in await desk.mails(kind=kind)]


async def test_a_case_is_told_from_its_opening_to_its_end(desk: Desk, client: Client) -> None:
    of = client.tenant_id
    story: list[OverageReported] = [told(of)]
    for version, day in enumerate((7, 14, 21, 27, 29), 2):
        story.append(told(of, OverageReminded, version=version, day=day))
    story += [
        told(of, OverageBlocked, version=7, ceiling_bytes=104 * 10**9),
        told(of, OverageExtended, version=8, reason="leur commande attend"),
        told(of, OverageClosed, version=9, stored_bytes=99 * 10**9),
    ]
    await desk.handle(client.tenant())
    for event in story:
        await desk.handle(event, event)
    assert await subjects(desk) == [
        "Volume au contrat dépassé : Boulangerie Martin",
        *["Rappel - volume au contrat dépassé : Boulangerie Martin"] * 5,
        "Les sauvegardes ne peuvent plus grossir : Boulangerie Martin",
        "Volume au contrat - nouvelle échéance : Boulangerie Martin",
        "Volume au contrat de nouveau respecté : Boulangerie Martin",
    ]
    mails = await desk.mails(kind="overage")
    assert "« leur commande attend »" in read(mails[7])
    assert "toute récupération de vos fichiers restent possibles" in read(mails[6])
    assert "/overage/" not in read(mails[8])


async def test_an_opening_tells_all_that_is_needed(desk: Desk, client: Client) -> None:
    opened = told(
        client.tenant_id, passed_at=NOON, deadline_at=datetime(2026, 12, 22, 12, tzinfo=UTC)
    )
    await desk.handle(client.tenant(), opened)
    [mail] = await desk.mails(kind="overage")
    for form in ("plain", "html"):
        text = re.sub(r"<[^>]*>", " ", read(mail, form))
        for said in (
            "104 Go (104 %)",
            "100 Go",
            "4 Go",
            "22/11/2026 13:00",
            "documents (srv-bureau)",
            "182,3 Go",
            "9,1 Go",
            "environ 1,2 Go de plus sont conservés chaque semaine",
            "les sauvegardes ne pourront plus grossir à partir du 22/12/2026 13:00",
            "Commander plus de volume",
            "Je vais réduire",
            "Appelez-moi",
        ):
            assert said in text, (form, said)


async def test_each_administrator_gets_links_of_their_own(desk: Desk, client: Client) -> None:
    people = tuple(
        Recipient(name=name, email=f"{name}@martin.example", locale="fr") for name in ("a", "b")
    )
    opened = told(client.tenant_id)
    await desk.handle(client.tenant(administrators=people), opened)
    for mail in await desk.mails(kind="overage"):
        token = signed_links.make_token(
            MAIL_KEY, "overage", client.tenant_id, opened.case_id, mail["recipient"]
        )
        for form in ("plain", "html"):
            found = set(re.findall(r"https://portal\.example/overage/[^\s\"<]+", read(mail, form)))
            assert found == {
                f"https://portal.example/overage/{token}/{answer}"
                for answer in ("order", "reduce", "call")
            }


async def test_nothing_is_written_of_what_is_over(desk: Desk, client: Client) -> None:
    of = client.tenant_id
    await desk.handle(client.tenant(), told(of, OverageClosed, version=3, stored_bytes=10**9))
    await desk.handle(told(of, OverageReminded, version=2, day=7), told(of))
    assert await subjects(desk) == ["Volume au contrat de nouveau respecté : Boulangerie Martin"]
    gone = Client(name="Parti")
    await desk.handle(
        gone.tenant(subscription="ended"),
        told(gone.tenant_id),
        told(gone.tenant_id, OverageClosed, version=2),
        approached(gone),
    )
    ending = Client(name="Finit")  # its end closed the case, and is not known here yet
    await desk.handle(
        ending.tenant(), told(ending.tenant_id), told(ending.tenant_id, OverageClosed, version=2)
    )
    assert [one for one in await subjects(desk) if "Martin" not in one] == [
        "Volume au contrat dépassé : Finit"
    ]


async def test_a_late_opening_is_told_after_its_reminder(desk: Desk, client: Client) -> None:
    of = client.tenant_id
    await desk.handle(client.tenant(), told(of, OverageReminded, version=2, day=7), told(of))
    assert len(await subjects(desk)) == 2


async def test_a_word_before_its_client_comes_again(desk: Desk, client: Client) -> None:
    for event in (told(client.tenant_id), approached(client), answered(client)):
        with pytest.raises(LookupError):
            await desk.handle(event)
    await desk.handle(client.tenant())
    with pytest.raises(LookupError):
        await desk.handle(answered(client))
    assert await desk.mails() == []


async def test_the_hotline_hears_who_wants_to_be_called(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(hours=1))
    await desk.handle(client.tenant(), told(client.tenant_id))
    for minute, answer in enumerate(("order", "reduce", "call", "call")):
        at = NOON + timedelta(minutes=minute - 2)
        await desk.handle(answered(client, answer, answered_at=at))
    [mail] = await desk.mails(kind="incident")
    assert [mail["recipient"]] == list(desk.office.hotline)
    text = read(mail)
    for said in (
        "Jeanne Martin demande à être appelé (le 22/11/2026 13:00)",
        "104 Go (104 %)",
        "documents (srv-bureau) : 182,3 Go protégés, 9,1 Go envoyés en 30 jours",
        f"https://portal.example/clients/{client.tenant_id}",
    ):
        assert said in text, said


async def test_heads_ups_go_to_administrators_once_each(desk: Desk, client: Client) -> None:
    down = approached(client, rising=False, stored_bytes=370_000_000_000, reached_on=None)
    await desk.handle(client.tenant(), approached(client), approached(client), down)
    assert await subjects(desk, "approached") == [
        "80 % du volume au contrat : Boulangerie Martin",
        "De nouveau sous 80 % du volume au contrat : Boulangerie Martin",
    ]
    up, below = await desk.mails(kind="approached")
    assert "À ce rythme, le volume au contrat sera atteint le 02/03/2027." in read(up)
    assert "401 Go conservés sur 500 Go au contrat, soit 80 %." in read(up)
    assert "À ce rythme" not in read(below)


def of(client: Client) -> Tenant:
    event = client.tenant()
    return Tenant(
        event.tenant_id,
        event.name,
        event.locale,
        event.timezone,
        event.administrators,
        event.contracted_bytes,
        event.subscription,
    )


@pytest.mark.parametrize(
    ("locale", "answer", "said"),
    [
        ("en", "order", "You answered that you will order more. Backups may go on growing until"),
        ("en", None, "Please choose an answer below: without one, backups can grow no more from"),
        ("fr", "reduce", "Vous avez répondu que vous réduirez le volume. Les sauvegardes peuvent"),
        ("fr", "call", "Vous avez demandé à être appelé."),
    ],
)
def test_what_was_answered_is_said_again(
    client: Client, locale: Locale, answer: Any, said: str
) -> None:
    event = told(client.tenant_id, OverageReminded, version=2, day=7, answer=answer)
    facts = OverageFacts(event, of(client), "https://portal.example", MAIL_KEY)
    letter = lay_out(letters.overage.write(facts, Addressee(client.email, "Jeanne", locale), 10))
    for form in (letter.content.text, letter.content.html):
        assert said in form.replace("\u00a0", " ").replace("&nbsp;", " ")


def test_hostile_names_of_plans_stay_text_and_no_link(client: Client) -> None:
    fill = PlanVolume(
        plan_id=client.plan_id,
        plan_name="<script>{{ 7*7 }} www.evil.example",
        hostname="a@evil.example\r\nBcc: x",
        protected_bytes=1,
        sent_bytes=1,
    )
    event = told(client.tenant_id, OverageOpened, fills=(fill,), reason="www.evil.example <b>")
    facts = OverageFacts(event, of(client), "https://portal.example", MAIL_KEY)
    letter = lay_out(letters.overage.write(facts, Addressee(client.email, "Jeanne", "fr"), 10))
    for form in (letter.content.text, letter.content.html):
        assert "evil.example" not in form
        assert "evil[.]example" in form
    assert "<script>" not in letter.content.html
    assert "evil[.]example &lt;b&gt;" in letter.content.html


def test_a_contract_of_nothing_can_be_told(client: Client) -> None:
    event = told(client.tenant_id, contracted_bytes=0, stored_bytes=1)
    facts = OverageFacts(event, of(client), "https://portal.example", MAIL_KEY)
    letter = lay_out(letters.overage.write(facts, Addressee(client.email, "Jeanne", "en"), 10))
    assert "Contracted volume: 0\u00a0B" in letter.content.text
    assert clock.now() < event.deadline_at


def test_a_heads_up_speaks_english(client: Client) -> None:
    facts = ApproachedFacts(approached(client, 95), of(client), "https://portal.example")
    letter = lay_out(letters.approached.write(facts, Addressee(client.email, "Jeanne", "en"), 10))
    assert letter.subject == "95% of the contracted volume: Boulangerie Martin"
    assert "the contracted volume is reached on 2 Mar 2027" in letter.content.text


async def test_the_next_sizes_are_offered_with_their_prices(desk: Desk, client: Client) -> None:
    offers = OffersChanged(
        tenant_id=client.tenant_id,
        version=1,
        currency="EUR",
        offers=tuple(
            Offer(storage_bytes=size * 10**9, monthly=Decimal(monthly))
            for size, monthly in ((100, "9"), (200, "18.5"), (300, "27"), (400, "35"), (500, "42"))
        ),
    )
    case = told(client.tenant_id)
    await desk.handle(client.tenant(), offers, case)
    [mail] = await desk.mails(kind="overage")
    token = signed_links.make_token(
        MAIL_KEY, "overage", client.tenant_id, case.case_id, client.email
    )
    text = read(mail)
    assert "Commander 200 Go : 18,50 € par mois :" in text.splitlines()
    assert f"https://portal.example/overage/{token}/order?storage_gb=200" in text
    assert "Commander 400 Go" in text
    assert "Commander 100 Go" not in text, "it would not hold what is stored"
    assert "Commander 500 Go" not in text, "three are enough"
    assert f'/overage/{token}/order?storage_gb=300"' in read(mail, "html")
