"""A run that is unusual: marked in its report, told to the hotline once, until it is cleared."""

from __future__ import annotations

import email
import email.policy
import json
from typing import Any

from libs.shared.events import Counted, RunFinished
from libs.shared.reasons import Reason
from tests.reporting.conftest import Client, Desk
from tests.reporting.test_matters import cleared, held, state_of


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
    [opened] = await desk.mails(kind="incident")
    assert opened["subject"].startswith("[Hotline] Sauvegarde inhabituelle - ")
    assert "Cause: unusual" in read(opened)
    assert "Part des fichiers modifiés : 96 % (d’habitude 0 %)" in read(opened)

    # A good night ends no such incident, and what retention finds of it is no second one.
    await desk.handle(held(client, 9), counted(client, 10))
    assert await state_of(desk) == [("unusual", 1, True)]
    assert len(await desk.mails(kind="incident")) == 1
    await desk.handle(held(client, 10), cleared(client, 9))
    assert await state_of(desk) == [("unusual", 2, True)], "a clear says nothing of later runs"

    clear = cleared(client, 9, 10)
    await desk.handle(clear, clear)
    assert await state_of(desk) == [("unusual", 2, False)]
    assert await desk.mails(kind="recovered") == []
    [closed] = await desk.mails(kind="closed")
    assert "moved on purpose" in read(closed)
    reference = email.message_from_bytes(closed["body"])["References"]
    assert opened["message_id"] in reference

    # What was meant once is usual the next night.
    await desk.handle(encrypted(client, 11))
    assert json.loads((await desk.published("run.judged.v1"))[-1]["payload"])["verdicts"] == []
    assert await state_of(desk) == [("unusual", 2, False)]


async def test_what_retention_finds_first_is_the_same_incident(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan())
    await desk.handle(*(counted(client, number) for number in range(1, 6)))
    await desk.handle(held(client, 6), encrypted(client, 6))
    assert await state_of(desk) == [("unusual", 1, True)]
    assert len(await desk.mails(kind="incident")) == 1


async def test_a_failed_run_is_judged_and_teaches_nothing(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan())
    await desk.handle(*(counted(client, number) for number in range(1, 6)))
    failing = encrypted(client, 6).model_copy(
        update={"outcome": "failed", "reason": Reason("dump-failed", "crm", 1)}
    )
    await desk.handle(failing)
    assert sorted(await state_of(desk)) == [("failed", 1, True), ("unusual", 1, True)]
    await desk.handle(client.run(7, outcome="failed", restore_point=False))
    assert len(await desk.published("run.judged.v1")) == 6, "no restore point, nothing to judge"


async def test_a_client_whose_subscription_ended_is_told_of_nothing(
    desk: Desk, client: Client
) -> None:
    await desk.handle(client.tenant(subscription="ended"), client.plan())
    await desk.handle(*(counted(client, number) for number in range(1, 6)), encrypted(client, 6))
    assert await state_of(desk) == []
