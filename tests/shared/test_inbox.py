"""Stored events: handled once, tried again with growing pauses, parked, replayed, dropped."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from libs.shared import bus, clock, database, inbox, outbox
from libs.shared.database import Connection
from libs.shared.errors import Unavailable
from libs.shared.events import PasswordIssued, RunFinished, VolumeChanged
from libs.shared.inbox import consumer, parked, worker
from tests.shared.conftest import TENANT, Side, Sides, until, volume


def delivery(
    event: Any,
    *,
    message_id: str = "",
    kind: str = "",
    body: bytes = b"",
    headers: dict[str, Any] | None = None,
) -> bus.Delivery:
    return bus.Delivery(
        tag=1,
        message_id=message_id or str(uuid4()),
        type=kind or event.type,
        body=body or event.model_dump_json().encode(),
        headers={
            "cloudEvents_source": "/services/ingest\0",
            "cloudEvents_sequence": "7",
            "traceparent": "nonsense",
            **(headers or {}),
        },
    )


async def store(side: Side, *deliveries: bus.Delivery) -> None:
    await consumer.store(side.pool, deliveries)


def workers(side: Side, handlers: inbox.Handlers) -> inbox.Workers:
    return inbox.Workers(side.service, side.pool, handlers)


async def make_due(side: Side) -> None:
    await side.pool.execute("UPDATE inbox SET next_at = received_at WHERE state = 'pending'")


async def test_effects_outbox_and_mark_are_one_transaction(side: Sides) -> None:
    quota = await side("quota")
    await store(quota, delivery(volume(1)))
    broken = True

    async def on_volume(conn: Connection, event: VolumeChanged) -> None:
        await outbox.add(conn, event)
        if broken:
            raise ArithmeticError("the handler is wrong")

    crew = workers(quota, {VolumeChanged: on_volume})
    assert await crew.work_one()
    assert await quota.value("SELECT count(*) FROM outbox") == 0
    row = await quota.pool.fetchrow("SELECT * FROM inbox")
    assert (row["state"], row["attempts"]) == ("pending", 1)
    assert row["next_at"] - row["received_at"] >= timedelta(seconds=0.9)
    assert "the handler is wrong" in row["error"]

    broken = False
    await make_due(quota)
    assert await crew.work_one()
    assert await quota.value("SELECT count(*) FROM outbox") == 1
    assert await quota.value("SELECT state FROM inbox") == "done"
    assert not await crew.work_one()


async def test_an_event_that_fails_twelve_times_is_parked_then_replayed(side: Sides) -> None:
    quota = await side("quota")
    await store(quota, delivery(volume(1)), delivery(volume(2)))
    healed = False

    async def on_volume(_conn: Connection, event: VolumeChanged) -> None:
        if event.sequence == 1 and not healed:
            raise ArithmeticError("never")

    crew = workers(quota, {VolumeChanged: on_volume})
    for _ in range(20):
        while await crew.work_one():
            pass
        await make_due(quota)
    rows = await quota.pool.fetch("SELECT state, attempts FROM inbox ORDER BY position")
    assert [tuple(row) for row in rows] == [("parked", 12), ("done", 0)]
    assert await inbox.backlog(quota.pool) == (0, 0.0, 1)

    async with database.transaction(quota.pool) as conn:
        [listed] = await parked.list_parked(conn)
        assert "12 tries" in parked.line(listed)
        assert "never" in parked.line(listed)
        found = await parked.find(conn, listed["event_id"])
        assert found is not None
        assert '"sequence": 1' in parked.page(found)
        assert await parked.replay(conn, [listed["event_id"]], clock.now()) == [listed["event_id"]]
    healed = True
    assert await crew.work_one()
    assert await quota.value("SELECT count(*) FROM inbox WHERE state = 'done'") == 2


async def test_a_dropped_event_is_not_handled_even_if_it_comes_again(side: Sides) -> None:
    quota = await side("quota")
    bad = delivery(volume(1))
    await store(quota, bad)
    await quota.pool.execute("UPDATE inbox SET state = 'parked', error = 'why'")
    async with database.transaction(quota.pool) as conn:
        assert await parked.drop(conn, [UUID(bad.message_id), uuid4()], clock.now()) == [
            UUID(bad.message_id)
        ]
    await store(quota, bad)
    assert not await workers(quota, {}).work_one()


@pytest.mark.parametrize(
    "bad",
    [
        delivery(volume(1), body=b"\xff\xfe not json"),
        delivery(volume(1), body=b'{"sequence": 1}'),
        delivery(volume(1), body=b"[]"),
        delivery(volume(1), kind="never.heard.of.v1"),
        delivery(volume(1), kind="nul\0in\0it"),
        delivery(volume(1), message_id="not a uuid"),
        delivery(volume(1), message_id="\udcff"),
        delivery(volume(1), headers={"cloudEvents_sequence": str(2**70)}),
        delivery(volume(1), headers={"cloudEvents_sequence": "first"}),
        delivery(volume(1), headers={"cloudEvents_time": "2026-11-22T02:14:00"}),
        delivery(volume(1), headers={"cloudEvents_time": "0001-01-01T00:00:00+14:00"}),
        delivery(volume(1), headers={"cloudEvents_time": 7}),
    ],
    ids=[
        "bytes",
        "members",
        "list",
        "type",
        "nul",
        "id",
        "surrogate",
        "huge sequence",
        "no sequence",
        "time without zone",
        "time before time",
        "time as number",
    ],
)
async def test_what_is_no_event_is_kept_raw_with_the_reason(side: Sides, bad: bus.Delivery) -> None:
    quota = await side("quota")
    await store(quota, bad, delivery(volume(2)))
    await store(quota, bad)
    rows = await quota.pool.fetch("SELECT * FROM inbox ORDER BY state")
    assert [row["state"] for row in rows] == ["parked", "pending"]
    assert rows[0]["raw"] == bad.body
    assert rows[0]["error"]
    async with database.transaction(quota.pool) as conn:
        assert await parked.replay(conn, [rows[0]["event_id"]], clock.now()) == []
        assert "as it came" in parked.page(rows[0])


async def test_a_hundred_bad_among_a_thousand_block_nothing(side: Sides) -> None:
    quota = await side("quota")
    deliveries = [
        delivery(volume(number), body=b"?" * (number + 1) if number % 20 == 0 else b"")
        for number in range(1000)
    ]
    await store(quota, *deliveries)

    async def on_volume(_conn: Connection, event: VolumeChanged) -> None:
        if event.sequence % 20 == 1:
            raise ArithmeticError("bad")

    quota.start(workers(quota, {VolumeChanged: on_volume}).run())
    await until(lambda: quota.handled(900), 90)
    assert await quota.value("SELECT count(*) FROM inbox WHERE state = 'parked'") == 50
    assert await quota.value("SELECT min(attempts) FROM inbox WHERE state = 'pending'") >= 1


async def test_an_event_without_a_handler_is_parked_and_says_so(side: Sides) -> None:
    quota = await side("quota")
    await store(quota, delivery(volume(1)))
    assert await workers(quota, {}).work_one()
    assert await quota.value("SELECT state FROM inbox") == "parked"
    assert "quota has no handler for volume.changed.v1" in await quota.value(
        "SELECT error FROM inbox"
    )


async def test_an_outage_costs_no_try(side: Sides) -> None:
    quota = await side("quota")
    await store(quota, delivery(volume(1)))

    async def on_volume(_conn: Connection, _event: VolumeChanged) -> None:
        raise Unavailable("database")

    for _ in range(20):
        await workers(quota, {VolumeChanged: on_volume}).work_one()
        await make_due(quota)
    row = await quota.pool.fetchrow("SELECT state, attempts FROM inbox")
    assert tuple(row) == ("pending", 0)


async def test_connections_killed_under_the_handlers_lose_and_double_nothing(
    side: Sides, database: Any
) -> None:
    quota = await side("quota")
    await store(quota, *(delivery(volume(number)) for number in range(300)))

    async def on_volume(conn: Connection, event: VolumeChanged) -> None:
        await outbox.add(conn, event)
        await conn.execute("SELECT pg_sleep(0.005)")

    quota.start(workers(quota, {VolumeChanged: on_volume}).run())
    admin = await asyncpg.connect(database.admin_dsn)
    for _ in range(4):
        await asyncio.sleep(0.3)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'coffre-quota' AND datname = current_database()"
        )
    await admin.close()
    await until(lambda: quota.handled(300), 30)
    said = await quota.value(
        "SELECT array_agg((payload::json->>'sequence')::int ORDER BY 1) FROM outbox"
    )
    assert sorted(said) == list(range(300))
    assert await quota.value("SELECT max(attempts) FROM inbox") == 0


async def test_several_workers_never_take_the_same_event(side: Sides) -> None:
    quota = await side("quota")
    await store(quota, *(delivery(volume(number)) for number in range(100)))
    at_once = most = 0
    sequences = []

    async def on_volume(_conn: Connection, event: VolumeChanged) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        sequences.append(event.sequence)
        at_once -= 1

    quota.start(workers(quota, {VolumeChanged: on_volume}).run())
    await until(lambda: quota.handled(100))
    assert most == 4
    assert sorted(sequences) == list(range(100))


async def test_a_secret_is_gone_once_it_was_used(side: Sides) -> None:
    portal, reporting = await side("portal"), await side("reporting")
    read: list[str] = []

    async def on_password(_conn: Connection, event: PasswordIssued) -> None:
        read.append(event.sealed_password)

    portal.relay()
    reporting.listen({PasswordIssued: on_password})
    await portal.say(
        PasswordIssued(
            tenant_id=TENANT,
            password_id=uuid4(),
            user_id=uuid4(),
            name="Jeanne",
            email="jeanne@example.org",
            locale="fr",
            sealed_password="c2VhbGVk",
            expires_at=clock.now(),
            first=True,
        )
    )
    await until(lambda: reporting.handled(1))
    assert read == ["c2VhbGVk"]
    for place in (
        portal.value("SELECT payload FROM outbox"),
        reporting.value("SELECT payload FROM inbox"),
    ):
        payload = json.loads(await place)
        assert payload["sealed_password"] == ""
        assert payload["name"] == "Jeanne"


async def test_text_that_jsonb_would_refuse_passes_unharmed(side: Sides) -> None:
    ingest, portal = await side("ingest"), await side("portal")
    logs: list[str] = []

    async def on_run(_conn: Connection, event: RunFinished) -> None:
        logs.append(event.log_tail)

    ingest.relay()
    portal.listen({RunFinished: on_run})
    await ingest.say(_run_finished("a NUL \0 and \U0001f4be, large: " + "x" * 300_000))
    await until(lambda: portal.handled(1))
    assert logs[0].startswith("a NUL \0 and \U0001f4be")
    assert len(logs[0]) > 300_000


async def test_what_waits_beyond_any_pause_is_brought_back(side: Sides) -> None:
    """As when the installation's clock was set back by a year."""
    quota = await side("quota")
    await store(quota, delivery(volume(1)))
    await quota.pool.execute("UPDATE inbox SET next_at = $1", clock.now() + timedelta(days=365))

    async def on_volume(_conn: Connection, _event: VolumeChanged) -> None:
        pass

    quota.start(workers(quota, {VolumeChanged: on_volume}).run())
    await until(lambda: quota.handled(1))


def test_pauses_double_up_to_an_hour() -> None:
    pauses = [worker.pause_seconds(attempts) for attempts in range(1, 40)]
    for attempts, pause in enumerate(pauses, 1):
        assert pause == pytest.approx(min(2 ** (attempts - 1), 3600), rel=0.11)


async def test_handled_events_are_forgotten_after_the_days_of_replay(side: Sides) -> None:
    quota = await side("quota")
    await store(quota, *(delivery(volume(number)) for number in range(3)))
    await quota.pool.execute(
        "UPDATE inbox SET state = 'done', done_at = $1 WHERE payload::json->>'sequence' = '0'",
        clock.now() - timedelta(days=36),
    )
    assert await inbox.prune(quota.pool) == 1
    assert await quota.value("SELECT count(*) FROM inbox") == 2


def _run_finished(log_tail: str) -> RunFinished:
    return RunFinished(
        tenant_id=TENANT,
        run_id=uuid4(),
        plan_id=uuid4(),
        plan_name="files",
        agent_id=uuid4(),
        hostname="srv",
        number=1,
        outcome="succeeded",
        started_at=clock.now(),
        finished_at=clock.now(),
        files_total=1,
        files_new=1,
        files_changed=0,
        files_removed=0,
        files_not_copied=0,
        bytes_protected=1,
        bytes_sent=1,
        stored_bytes=1,
        restore_point=True,
        log_tail=log_tail,
    )
