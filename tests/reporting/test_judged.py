"""A run that is unusual: marked in its report, told to the hotline once, until it is cleared."""

from __future__ import annotations

import email
import email.policy
import json
from typing import Any

from libs.shared import clock
from libs.shared.events import Counted, ExpiryCleared, ExpiryHeld, RunFinished
from libs.shared.reasons import Reason
from tests.reporting.conftest import Client, Desk


def counted(client: Client, number: int, **changes: Any) -> RunFinished:
    """A night like others, but for these figures."""
    figures: dict[str, Any] = {
        "files_total": 47_900,
        "files_new": 0 if number > 1 else 47_900,
        "files_changed": 112,
        "files_removed": 0,
        "bytes_protected": 182_000_000_000,
        "bytes_replaced": 400_000_000,
        "new_bytes": 400_000_000,
        "packed_bytes": 300_000_000,
    }
    return client.run(number, counted=Counted.model_validate(figures | changes))


def encrypted(client: Client, number: int) -> RunFinished:
    return counted(
        client,
        number,
        files_changed=46_000,
        bytes_replaced=180_000_000_000,
        new_bytes=180_000_000_000,
        packed_bytes=179_900_000_000,
    )


def read(mail: dict[str, Any]) -> str:
    body = email.message_from_bytes(mail["body"], policy=email.policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\u00a0", " ")


async def test_an_unusual_run_is_an_incident_until_somebody_says_that_it_was_meant(
    desk: Desk, client: Client
) -> None:
    nights = [counted(client, number) for number in range(1, 9)]
    await desk.handle(client.tenant(), client.plan(), client.recipients(client.email), *nights)
    judged = [json.loads(one["payload"]) for one in await desk.published("run.judged.v1")]
    assert [one["verdicts"] for one in judged] == [[]] * 8

    await desk.handle(encrypted(client, 9))
    told = (await desk.published("run.judged.v1"))[-1]
    [verdict] = json.loads(told["payload"])["verdicts"]
    assert (verdict["code"], verdict["amount"], verdict["limit"]) == ("mass-change", 46_000, 47_900)
    report = (await desk.mails(kind="report"))[-1]
    assert report["subject"].startswith("[REUSSIE, INHABITUELLE] ")
    assert "Part des fichiers modifiés : 96 % (d’habitude : 0 %)" in read(report)
    assert "C’est l’aspect de fichiers chiffrés." in read(report)
    [opened] = await desk.mails(kind="hotline")
    assert opened["subject"].startswith("[Hotline] INHABITUELLE")
    assert "Cause: unusual" in read(opened)

    # A good night ends no such incident, and what retention finds of it is no second one.
    held = ExpiryHeld(
        tenant_id=client.tenant_id,
        plan_id=client.plan_id,
        number=9,
        since=8,
        reason=Reason("files-lost", "2026-11-22", 46_000, 47_900),
        held_at=clock.now(),
    )
    await desk.handle(held, counted(client, 10))
    assert await desk.mails(kind="held") == []
    assert await desk.mails(kind="recovered") == []
    assert await desk.mails(kind="cleared") == []

    cleared = ExpiryCleared(
        tenant_id=client.tenant_id,
        plan_id=client.plan_id,
        through=9,
        reason="nouvelle suite bureautique",
        cleared_at=clock.now(),
    )
    await desk.handle(cleared, cleared)
    [closed] = await desk.mails(kind="cleared")
    assert closed["subject"].startswith("[Hotline] LEVEE - ")
    assert "Ce qu’a dit l’opérateur : nouvelle suite bureautique" in read(closed)
    reference = email.message_from_bytes(closed["body"])["References"]
    assert opened["message_id"] in reference

    # What was meant once is usual the next night.
    await desk.handle(encrypted(client, 11))
    assert json.loads((await desk.published("run.judged.v1"))[-1]["payload"])["verdicts"] == []
    assert len(await desk.mails(kind="hotline")) == 1


async def test_a_failed_run_is_judged_and_teaches_nothing(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan())
    await desk.handle(*(counted(client, number) for number in range(1, 6)))
    failing = encrypted(client, 6).model_copy(
        update={"outcome": "failed", "reason": Reason("dump-failed", "crm", 1)}
    )
    await desk.handle(failing)
    causes = {"failed", "unusual"}
    mails = await desk.mails(kind="hotline")
    assert {
        cause for cause in causes for mail in mails if f"Cause: {cause}" in read(mail)
    } == causes
    await desk.handle(client.run(7, outcome="failed", restore_point=False))
    assert len(await desk.published("run.judged.v1")) == 6, "no restore point, nothing to judge"


async def test_a_client_whose_subscription_ended_is_told_of_nothing(
    desk: Desk, client: Client
) -> None:
    await desk.handle(client.tenant(subscription="ended"), client.plan())
    await desk.handle(*(counted(client, number) for number in range(1, 6)), encrypted(client, 6))
    assert await desk.mails(kind="hotline") == []
