"""Webhooks are told beside the mails: nothing is lost, nothing waits for them, no address shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from libs.shared import database
from services.reporting import actions, rules
from services.reporting.rules.incidents import CAUSES
from services.reporting.rules.webhooks import Webhook, read_webhooks
from tests.reporting.conftest import Client, Desk
from tests.reporting.faulty_smtp import FaultySMTP
from tests.reporting.test_incidents import MONDAY, decided, incidents, text_of, told
from tests.reporting.test_matters import damaged, mended


class Sink:
    """An HTTP server that keeps what it is sent, as long as it takes it."""

    def __init__(self) -> None:
        self.status = 200
        self.taken: list[dict[str, Any]] = []
        self.asked = 0
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sink]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split()[0])
        body = json.loads(await reader.readexactly(length))
        self.asked += 1
        if self.status == 200:
            self.taken.append(body)
        writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


async def call(desk: Desk) -> int:
    with ThreadPoolExecutor(2) as threads:
        return await actions.webhooks.call_all(desk.pool, desk.office, threads)


async def waiting(desk: Desk) -> list[tuple[int, str]]:
    """(tries, last error) of each call that waits."""
    async with database.acquire(desk.pool) as conn:
        rows = await conn.fetch("SELECT tries, last_error FROM webhook_calls ORDER BY created_at")
    return [(row[0], row[1]) for row in rows]


async def make_due(desk: Desk) -> None:
    async with database.acquire(desk.pool) as conn:
        await conn.execute("UPDATE webhook_calls SET due_at = created_at")


async def test_a_chat_and_a_mailbox_hear_of_each_step_of_what_they_want(
    desk: Desk, client: Client
) -> None:
    async with Sink().open() as sink, FaultySMTP() as smtp:
        desk.office = replace(
            desk.office,
            webhooks=read_webhooks(
                [
                    "# who else hears of incidents",
                    f"json://127.0.0.1:{sink.port}/hook/s3cret damage,failed",
                    f"mailto://127.0.0.1:{smtp.port}/?from=c@p.example&to=t@p.example damage",
                ],
                CAUSES,
            ),
        )
        desk.handlers = type(desk)(desk.pool, desk.dsn, desk.office).handlers
        await desk.handle(client.tenant(), client.plan(), client.failed_run(1), damaged(client))
        assert len(await waiting(desk)) == 3
        assert await call(desk) == 3
        assert len(smtp.taken) == 1
        assert "damage" in smtp.taken[0].message.as_string()
        await desk.handle(client.run(2), mended(client))

        sink.status = 503
        assert await call(desk) == 1, "of the mailbox"
        assert await waiting(desk) == [(1, "answered 503")] * 2
        assert await call(desk) == 0, "it is left alone for a while"
        assert sink.asked == 4
        sink.status = 200
        await make_due(desk)
        assert await call(desk) == 2
        assert await waiting(desk) == []
    titles = sorted(one["title"].replace("\u00a0", " ") for one in sink.taken)
    assert titles == [
        "[Hotline] Boulangerie Martin, documents : des données stockées sont endommagées",
        "[Hotline] Boulangerie Martin, documents : les sauvegardes échouent",
        "[Hotline] Clos - Boulangerie Martin, documents : des données stockées sont endommagées",
        "[Hotline] Clos - Boulangerie Martin, documents : les sauvegardes échouent",
    ]
    assert all(f"/clients/{client.tenant_id}" in one["message"] for one in sink.taken)


async def test_one_that_fails_is_told_in_the_morning_without_its_address(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sink().open() as sink:
        sink.status = 404
        desk.office = replace(
            desk.office, webhooks=(Webhook(f"json://127.0.0.1:{sink.port}/hook/s3cret"),)
        )
        desk.handlers = type(desk)(desk.pool, desk.dsn, desk.office).handlers
        await desk.handle(client.tenant(), client.plan(), client.failed_run(1))
        mails = len(await desk.mails())
        await call(desk)
        [incident] = await incidents(desk)
        await desk.handle(decided(incident, "close"))
        assert len(await desk.mails()) == mails + 1, "no mail waits for it"
        monkeypatch.setattr(actions.hotline.clock, "now", lambda: MONDAY)
        await actions.hotline.write_morning(desk.pool, desk.office)
    [mail] = await told(desk, "morning")
    text = text_of(mail)
    assert "Le webhook json ne reçoit rien" in text
    assert "answered 404" in text
    assert "s3cret" not in text

    # Whose webhook is no more is not called any more.
    desk.office = replace(desk.office, webhooks=())
    await call(desk)
    assert await waiting(desk) == []


async def test_a_crash_between_saying_and_keeping_says_it_again(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sink().open() as sink:
        desk.office = replace(desk.office, webhooks=(Webhook(f"json://127.0.0.1:{sink.port}/"),))
        desk.handlers = type(desk)(desk.pool, desk.dsn, desk.office).handlers
        await desk.handle(client.tenant(), client.plan(), client.failed_run(1))

        class Died(BaseException):
            pass

        def die_at(point: str) -> None:
            def die(name: str) -> None:
                if name == point:
                    raise Died

            monkeypatch.setattr(actions.webhooks, "crashpoint", die)

        for point, said in (("reporting.before_webhook", 0), ("reporting.after_webhook", 1)):
            die_at(point)
            with pytest.raises(Died):
                await call(desk)
            assert len(sink.taken) == said
            assert len(await waiting(desk)) == 1
        die_at("")
        assert await call(desk) == 1
        assert len(sink.taken) == 2
        assert await waiting(desk) == []


def test_only_known_causes_are_read_and_no_address_is_said() -> None:
    [one, two] = read_webhooks(["json://x/s3cret damage, missed", "", "slack://a/b/c"], CAUSES)
    assert one.wants("missed")
    assert not one.wants("failed")
    assert two.wants("failed")
    assert "s3cret" not in repr(one) + one.name + one.kind
    for wrong in ("json://x/s3cret everything", "s3cret"):
        with pytest.raises(ValueError, match="line 1 must be") as refusal:
            read_webhooks([wrong], CAUSES)
        assert "s3cret" not in str(refusal.value)
    with pytest.raises(ValueError, match="20 at most"):
        read_webhooks(["json://x/"] * (rules.webhooks.MOST + 1), CAUSES)
