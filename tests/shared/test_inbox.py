"""Stored events: handled once, tried again with growing pauses, forgotten in the end."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from libs.shared import clock, inbox, outbox
from libs.shared.database import Connection
from libs.shared.errors import Unavailable
from libs.shared.events import PasswordIssued, RunFinished, VolumeChanged
from libs.shared.inbox import worker
from tests.shared.conftest import TENANT, Sides, until, volume
from tests.shared.deliveries import delivery, make_due, store, workers


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
    await until(lambda: quota.handled(300))
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
    """From the inbox; from the outbox once its readers have it (test_receipts)."""
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
    payload = json.loads(await reporting.value("SELECT payload FROM inbox"))
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
        "UPDATE inbox SET state = 'done', done_at = $1 WHERE payload::json->>'sequence' < '2'",
        clock.now() - timedelta(days=36),
    )
    assert await inbox.prune(quota.pool) == 0, "their own time is young: they could come again"
    await quota.pool.execute(
        "UPDATE inbox SET occurred_at = done_at WHERE payload::json->>'sequence' = '0'"
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
