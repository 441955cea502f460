"""The process as it runs: killed at the worst moments, restarted, stopped; nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.conftest import MAIL_KEY, Client, Desk, is_finished
from tests.reporting.faulty_smtp import FaultySMTP
from tests.reporting.process import Reporting
from tests.world.files import write_secret
from tests.world.house import place_on

CONNECTIONS = 3
Start = Callable[[FaultySMTP], Reporting]


@pytest.fixture
def start(
    desk: Desk, servers: Any, database: Any, bucket: str, amqp_url: str, tmp_path: Path
) -> Start:
    vhost = amqp_url.rpartition("/")[2]
    place = place_on(servers, tmp_path / "house", database.name, bucket, vhost)
    write_secret(place.folder / "secrets" / "mail-key", MAIL_KEY.hex())
    return lambda smtp: Reporting(
        place, {"COFFRE_SMTP_PORT": str(smtp.port), "COFFRE_HOTLINE": desk.office.hotline[0]}
    )


async def wait_sent(desk: Desk, count: int) -> list[dict[str, Any]]:
    await desk.wait(lambda mails: len(mails) == count and is_finished(mails), seconds=60)
    return await desk.mails()


async def test_a_run_is_reported_within_a_second(desk: Desk, client: Client, start: Start) -> None:
    async with FaultySMTP() as smtp:
        reporting = start(smtp)
        with reporting.running():
            await reporting.publish(client.tenant(), client.plan(), client.run(1))
            await smtp.wait_taken(1, seconds=60)
            seconds: list[float] = []
            while min(seconds, default=1) >= 1:  # the others may have waited for a busy machine
                assert len(seconds) < 30, seconds
                number, begun = len(seconds) + 2, time.monotonic()
                await reporting.publish(client.run(number))
                await smtp.wait_taken(number)
                seconds.append(time.monotonic() - begun)


@pytest.mark.parametrize(
    ("crashpoint", "copies"),
    [
        ("inbox.before_commit", 1),
        ("inbox.before_ack", 1),
        ("reporting.claimed", 1),
        ("reporting.in_data", 1),
        ("reporting.after_data", 2),
    ],
)
async def test_a_crash_loses_no_mail(
    desk: Desk, client: Client, start: Start, crashpoint: str, copies: int
) -> None:
    async with FaultySMTP() as smtp:
        reporting = start(smtp)
        await reporting.publish(client.tenant(), client.plan(), client.run())
        with reporting.running(crashpoint) as process:
            async with asyncio.timeout(60):
                assert await asyncio.to_thread(process.wait) == 137
        with reporting.running():
            [mail] = await wait_sent(desk, 1)
    assert [taken.message_id for taken in smtp.taken] == [mail["message_id"]] * copies
    assert mail["possible_duplicates"] == int("reporting" in crashpoint)


async def test_a_kill_in_the_midst_of_many_doubles_only_what_was_under_way(
    desk: Desk, client: Client, start: Start
) -> None:
    async with FaultySMTP() as smtp:
        reporting = start(smtp)
        reporting.environ["COFFRE_SMTP_CONNECTIONS"] = str(CONNECTIONS)
        await desk.handle(client.tenant(), client.plan())
        await desk.handle(*(client.run(number) for number in range(1, 41)))
        with reporting.running("reporting.after_data:12") as process:
            async with asyncio.timeout(60):
                assert await asyncio.to_thread(process.wait) == 137
        under_way = {mail["message_id"] for mail in await desk.mails(state="sending")}
        assert len(under_way) <= CONNECTIONS, "a connection has one at a time"
        with reporting.running():
            mails = await wait_sent(desk, 40)
    taken = Counter(item.message_id for item in smtp.taken)
    doubled = {message_id for message_id, times in taken.items() if times > 1}
    assert set(taken) == {mail["message_id"] for mail in mails}
    assert max(taken.values()) == 2, "it died when one was taken that nobody had written down"
    assert doubled <= under_way
    counted = {mail["message_id"]: mail["possible_duplicates"] for mail in mails}
    assert counted == {message_id: int(message_id in under_way) for message_id in taken}


async def test_sigterm_ends_it_cleanly(desk: Desk, client: Client, start: Start) -> None:
    async with FaultySMTP() as smtp:
        reporting = start(smtp)
        with reporting.running() as process:
            await reporting.publish(client.tenant(), client.plan(), client.run())
            await wait_sent(desk, 1)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                assert await asyncio.to_thread(process.wait) == 0


async def test_the_password_is_in_no_log_and_no_table_afterwards(
    desk: Desk, client: Client, start: Start
) -> None:
    async with FaultySMTP() as smtp:
        reporting = start(smtp)
        with reporting.running():
            event = client.password("Qz7-secret-3")
            await reporting.publish(event)
            await wait_sent(desk, 1)
        assert "Qz7-secret-3" in smtp.taken[0].message.get_body(("plain",)).get_content()
    log = reporting.log("reporting").read_text()
    assert "mail.accepted" in log
    assert "Qz7-secret-3" not in log
    async with desk.pool.acquire() as conn:
        rows = [
            str(dict(row))
            for table in ("mails", "inbox", "outbox")
            for row in await conn.fetch(f"SELECT * FROM {table}")
        ]
    assert event.sealed_password not in "".join(rows)
    assert "Qz7-secret-3" not in "".join(rows)
