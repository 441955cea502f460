"""What isn't a run's: one incident a client, plan and cause, open as long as what it is about."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import clock
from libs.shared.events import (
    DestructionProgressed,
    Event,
    EventParked,
    ExpiryCleared,
    ExpiryHeld,
    HelpAsked,
    Locale,
    ParkedSettled,
    StorageDamaged,
    StorageMended,
)
from libs.shared.reasons import Reason
from services.reporting import actions
from services.reporting.mail.letters import matters
from services.reporting.mail.letters.matters import HelpWanted, Undelivered
from services.reporting.mail.rendering import speak
from services.reporting.rules.mails import Mail
from tests.reporting.conftest import Client, Desk
from tests.reporting.faulty_smtp import Fault, FaultySMTP
from tests.reporting.test_incidents import decided, incidents, parsed, text_of, told

SECOND = timedelta(seconds=1)
NOW = clock.now()


def damaged(client: Client, pack: str = "9f", **changes: Any) -> StorageDamaged:
    fields: dict[str, Any] = {
        "tenant_id": client.tenant_id,
        "damage_id": uuid4(),
        "plan_id": client.plan_id,
        "pack_id": pack * 32,
        "missing": False,
        "chunks": 2,
        "files": 102,
        "paths": ("compta/bilan 2025.ods", "a\u202efdp.exe"),
        "found_at": NOW,
    }
    return StorageDamaged(**(fields | changes))


def mended(client: Client, pack: str = "9f", at: datetime = NOW + SECOND) -> StorageMended:
    return StorageMended(tenant_id=client.tenant_id, pack_id=pack * 32, mended_at=at)


def held(client: Client, number: int = 214) -> ExpiryHeld:
    reason = Reason("files-lost", "2026-11-22", 988, 1000)
    return ExpiryHeld(
        tenant_id=client.tenant_id,
        plan_id=client.plan_id,
        number=number,
        since=187,
        reason=reason,
        held_at=NOW,
    )


def cleared(client: Client, *numbers: int) -> ExpiryCleared:
    return ExpiryCleared(
        tenant_id=client.tenant_id,
        plan_id=client.plan_id,
        numbers=numbers,
        reason="moved on purpose",
        cleared_at=NOW,
    )


def parked(event_id: UUID, tenant_id: UUID, at: datetime = NOW) -> EventParked:
    return EventParked(
        tenant_id=tenant_id,
        service="quota",
        event_id=event_id,
        event_type="volume.changed.v1",
        error="Traceback…\nZeroDivisionError: division by zero",
        attempts=12,
        parked_at=at,
    )


def settled(event_id: UUID, at: datetime = NOW + SECOND) -> ParkedSettled:
    """As services say it: of no client."""
    return ParkedSettled(tenant_id=UUID(int=0), service="quota", event_id=event_id, settled_at=at)


def progressed(client: Client, version: int, state: Any) -> DestructionProgressed:
    return DestructionProgressed(
        tenant_id=client.tenant_id,
        version=version,
        state=state,
        due_at=NOW,
        objects_left=None,
        reasons=(Reason("awaits-confirmation"),) if state == "waiting" else (),
    )


def asked(client: Client, **changes: Any) -> HelpAsked:
    fields: dict[str, Any] = {
        "tenant_id": client.tenant_id,
        "help_id": uuid4(),
        "run_id": uuid4(),
        "plan_id": client.plan_id,
        "number": 217,
        "message": "Is this bad?\nWhom can I call?",
        "by": "Jeanne Martin",
        "email": client.email,
        "asked_at": NOW,
    }
    return HelpAsked(**(fields | changes))


@pytest.fixture
async def known(desk: Desk, client: Client) -> Client:
    await desk.handle(client.tenant(), client.plan())
    return client


async def state_of(desk: Desk) -> list[tuple[str, int, bool]]:
    """(cause, times, open) of every incident."""
    return [(one["cause"], one["times"], one["closed_at"] is None) for one in await incidents(desk)]


async def test_damage_is_told_once_and_over_when_the_last_pack_is_mended(
    desk: Desk, known: Client
) -> None:
    await desk.handle(
        known.failed_run(1, log_tail="first\nlast http://evil.example/"), known.run(2)
    )
    first = damaged(known)
    await desk.handle(first, first, damaged(known, "8e"))
    [mail] = await told(desk, "incident")
    assert known.email != mail["recipient"]
    text = text_of(mail)
    [incident] = [one for one in await incidents(desk) if one["cause"] == "damage"]
    assert text.splitlines()[:6] == [
        "Client: Boulangerie Martin",
        "Plan: documents",
        "Machine: srv-bureau",
        "Cause: damage",
        f"Since: {NOW:%Y-%m-%dT%H:%M:%SZ}",
        f"Incident: {incident['incident_id']}",
    ]
    for said in ("Stockage endommagé", "- compta/bilan 2025.ods", "102 fichiers", "chec"):
        assert said in text, said
    assert "\u202e" not in text, "a name turns no text round"

    await desk.handle(mended(known))
    assert await told(desk, "closed") == [], "another pack is damaged still"
    await desk.handle(mended(known, "8e"), mended(known, "8e"))
    [over] = await told(desk, "closed")
    assert parsed(over)["References"] == mail["message_id"]
    assert "c’est terminé" in text_of(over).lower()
    assert ("damage", 2, False) in await state_of(desk)
    await desk.handle(damaged(known), damaged(known, found_at=NOW + 5 * SECOND))
    assert len(await told(desk, "incident")) == 2, "an old word opens nothing, a newer one does"


async def test_an_end_may_come_before_its_beginning(desk: Desk, known: Client) -> None:
    event_id = uuid4()
    before: list[Event] = [
        mended(known),
        damaged(known),
        cleared(known, 213, 214),
        held(known, 214),
        settled(event_id),
        parked(event_id, known.tenant_id),
        progressed(known, 3, "running"),
        progressed(known, 2, "waiting"),
    ]
    await desk.handle(*before)
    assert await state_of(desk) == []
    assert await desk.mails() == []
    await desk.handle(held(known, 215), parked(event_id, known.tenant_id, NOW + 2 * SECOND))
    assert {cause for cause, _, is_open in await state_of(desk) if is_open} == {"unusual", "parked"}


async def test_each_cause_is_over_by_its_own_end(desk: Desk, known: Client) -> None:
    mine, nobodys = uuid4(), uuid4()
    await desk.handle(
        held(known),
        held(known, 215),
        parked(mine, known.tenant_id),
        parked(nobodys, UUID(int=0)),
        progressed(known, 1, "waiting"),
        progressed(known, 1, "waiting"),
    )
    assert sorted(await state_of(desk)) == [
        ("parked", 1, True),
        ("parked", 1, True),
        ("unusual", 2, True),
        ("waiting", 1, True),
    ]
    texts = [text_of(mail) for mail in await told(desk, "incident")]
    for said in (
        "la page du client",
        f"coffre events parked show quota {mine}",
        "ZeroDivisionError",
        "Client: -",
        "Destruction en attente",
        "/queue",
    ):
        assert any(said in text for text in texts), said
    subjects = [str(mail["subject"]) for mail in await told(desk, "incident")]
    assert not any(str(UUID(int=0)) in said for said in [*subjects, *texts])
    assert any("aucun client" in subject for subject in subjects), subjects
    await desk.handle(known.run(216), cleared(known, 214, 215), settled(mine), settled(nobodys))
    assert [one for one in await state_of(desk) if one[2]] == [("waiting", 1, True)]
    await desk.handle(progressed(known, 2, "held"))
    assert len(await told(desk, "closed")) == 4
    versions = [json.loads(row["payload"]) for row in await desk.published("incident.changed.v1")]
    assert [one["times"] for one in versions] == [2]
    assert len(await desk.published("incident.opened.v1")) == 4
    assert len(await desk.published("incident.closed.v1")) == 4


async def test_each_who_asks_for_help_is_told_in_one_thread(desk: Desk, known: Client) -> None:
    run = known.failed_run(217, log_tail="one\nthe last words")
    await desk.handle(run)
    await desk.handle(asked(known, run_id=run.run_id), asked(known, by="Anne"), asked(known))
    first, *others = await told(desk, "incident")
    assert len(others) == 2
    assert {parsed(mail)["References"] for mail in others} == {first["message_id"]}
    text = text_of(first)
    for said in ("Demande d’aide", "- Is this bad?", known.email, "Jeanne Martin", "chec"):
        assert said in text, said
    [attached] = parsed(first).iter_attachments()
    assert attached.get_filename() == "run.log.txt"
    assert "the last words" in attached.get_content()
    await desk.handle(known.run(218))
    [open_one] = [one for one in await incidents(desk) if one["closed_at"] is None]
    await desk.handle(decided(open_one, "close", note="explained by telephone"))
    [over] = await told(desk, "closed")
    assert "explained by telephone" in text_of(over)
    closed = await incidents(desk)
    await desk.handle(decided(open_one, "acknowledge"))
    assert await incidents(desk) == closed, "nobody decides what is over"
    assert len(await told(desk, "closed")) == 1


async def test_an_address_that_takes_mail_again_is_none_of_the_hotlines(
    desk: Desk, known: Client
) -> None:
    is_full = True

    def judge(to: str, _nth: int) -> Fault:
        return "person-unknown" if is_full and to == known.email else "none"

    async with FaultySMTP(judge) as smtp, desk.sending(smtp.port):
        await desk.handle(known.run(1))
        await desk.wait(lambda mails: any(m["kind"] == "incident" for m in mails))
        await desk.handle(known.run(2))
        await desk.wait(
            lambda mails: (
                [m["state"] for m in mails if m["kind"] == "report"] == ["undeliverable"] * 2
            )
        )
        is_full = False
        await desk.handle(known.run(3))
        await desk.wait(lambda mails: any(m["kind"] == "closed" for m in mails))
    assert await state_of(desk) == [("undeliverable", 2, False)]
    assert len(await told(desk, "incident")) == 1, "the second refusal is counted"


async def test_what_nobody_takes_in_hand_is_told_again_after_days(
    desk: Desk, known: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.handle(damaged(known), held(known))
    [holding] = [one for one in await incidents(desk) if one["cause"] == "unusual"]
    await desk.handle(decided(holding, "acknowledge"))
    for days, mails in ((2.9, 2), (3, 3), (4, 3)):
        monkeypatch.setattr(clock, "now", lambda days=days: NOW + timedelta(days=days))
        await actions.hotline.escalate_old(desk.pool, desk.office)
        assert len(await told(desk, "incident")) == mails
    again = (await told(desk, "incident"))[-1]
    assert "toujours ouvert" in again["subject"]
    assert parsed(again)["References"]


async def test_the_end_of_a_subscription_ends_what_is_about_runs(desk: Desk, known: Client) -> None:
    await desk.handle(known.failed_run(1), damaged(known))
    written = len(await desk.mails())
    await desk.handle(known.tenant(version=2, subscription="ended"))
    assert [cause for cause, _, is_open in await state_of(desk) if is_open] == ["damage"]
    assert len(await desk.mails()) == written, "and writes nothing"


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_every_cause_is_said_in_both_languages(locale: Locale) -> None:
    client, tongue = Client(), speak(locale)
    mail = Mail(
        mail_id=uuid4(),
        tenant_id=client.tenant_id,
        kind="password",
        subject_id=uuid4(),
        plan_id=None,
        recipient="a@b.example",
        message_id="<m>",
        subject="Votre mot de passe",
        body=b"",
        secret=True,
        give_up_at=NOW,
        tries=1,
        locale=locale,
    )
    about: list[matters.About] = [
        damaged(client, plan_id=None, files=0, paths=(), missing=True, chunks=0),
        held(client),
        parked(uuid4(), client.tenant_id),
        progressed(client, 1, "waiting"),
        Undelivered(mail, "550 no such user"),
        Undelivered(mail, ""),
        HelpWanted(asked(client), client.failed_run()),
        HelpWanted(asked(client, message=""), None),
        None,
    ]
    for one in about:
        told_of = matters.tell(tongue, one, 10)
        assert told_of.cause
        assert told_of.step
    said = {"fr": "a disparu", "en": "is missing"}[locale]
    assert said in matters.tell(tongue, about[0], 10).cause
