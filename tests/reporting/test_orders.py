"""Events in any order, repeated: the same mails."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from libs.shared.events import Event
from tests.reporting.conftest import Client, Desk


def story(client: Client) -> list[Event]:
    return [
        client.tenant(),
        client.plan(),
        client.run(1),
        client.failed_run(2),
        client.password(),
    ]


async def outline(desk: Desk, client: Client) -> list[tuple[str, str, bool]]:
    mails = await desk.mails(tenant_id=client.tenant_id)
    return sorted(
        (mail["kind"], mail["subject"], mail["recipient"] == client.email) for mail in mails
    )


async def test_any_order_and_repetition_ends_in_the_same_mails(desk: Desk) -> None:
    first = Client()
    await desk.handle(*story(first))
    expected = await outline(desk, first)
    assert [kind for kind, _, _ in expected] == ["hotline", "password", "report", "report"]

    orders = list(itertools.permutations(range(5)))
    for order in random.Random(3).sample(orders, 40):
        client = Client()
        events = story(client)
        again = random.Random(4).choices(events, k=5)
        await desk.handle(*(events[place] for place in order), *again)
        assert await outline(desk, client) == expected, order


async def test_a_run_and_its_plan_at_the_same_moment_miss_each_other_never(desk: Desk) -> None:
    for _ in range(15):
        client = Client()
        await asyncio.gather(
            desk.handle(client.run()), desk.handle(client.plan()), desk.handle(client.tenant())
        )
        assert len(await desk.mails(tenant_id=client.tenant_id)) == 1


async def test_older_words_change_nothing(desk: Desk, client: Client) -> None:
    await desk.handle(
        client.tenant(version=5, name="New"),
        client.tenant(version=4, name="Old"),
        client.plan(version=7),
        client.plan(version=6, reports=False),
        client.recipients("new@x.example", version=7),
        client.recipients("old@x.example", version=6),
        client.run(),
    )
    [mail] = await desk.mails()
    assert mail["recipient"] == "new@x.example"
    assert "New" in mail["subject"]


async def test_without_recipients_the_administrators_are_written_to(
    desk: Desk, client: Client
) -> None:
    await desk.handle(client.tenant(), client.plan(recipients=()), client.run())
    assert [mail["recipient"] for mail in await desk.mails()] == [client.email]


async def test_a_client_that_declined_reports_gets_none_but_failures_are_told(
    desk: Desk, client: Client
) -> None:
    await desk.handle(
        client.tenant(), client.plan(reports=False), client.run(1), client.failed_run(2)
    )
    assert [mail["kind"] for mail in await desk.mails()] == ["hotline"]


@pytest.mark.parametrize("stranger_first", [False, True])
async def test_a_stranger_with_the_same_run_id_changes_nothing(
    desk: Desk, client: Client, stranger_first: bool
) -> None:
    stranger = Client(plan_id=client.plan_id, name="Stranger")
    run = client.run()
    theirs = run.model_copy(update={"tenant_id": stranger.tenant_id})
    await desk.handle(client.tenant(), client.plan(), stranger.tenant(), stranger.plan())
    await desk.handle(*((theirs, run) if stranger_first else (run, theirs)))
    [mine] = await desk.mails(tenant_id=client.tenant_id)
    assert mine["recipient"] == client.email
    assert "Stranger" not in mine["subject"]
    [other] = await desk.mails(tenant_id=stranger.tenant_id)
    assert other["recipient"] == stranger.email
