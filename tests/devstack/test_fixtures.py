"""The fixtures themselves: each test gets servers that work and a corner of its own."""

from __future__ import annotations

import smtplib

import aio_pika
import asyncpg
import pytest

from libs.shared.objects import ObjectStore


async def test_a_database_is_migrated_and_open_to_its_roles(database) -> None:
    for service in ("owner", "ingest", "quota", "reporting", "retention", "portal"):
        connection = await asyncpg.connect(database.dsn(service))
        assert await connection.fetchval("SELECT current_user") == f"coffre_{service}"
        await connection.close()


async def test_a_virtual_host_takes_messages(amqp_url: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("letters", durable=True)
        await channel.default_exchange.publish(aio_pika.Message(b"hello"), "letters")
        message = await queue.get(timeout=5)
        assert message is not None
        assert message.body == b"hello"


async def test_a_bucket_keeps_objects(object_store: ObjectStore) -> None:
    await object_store.put("a/b", b"bytes")
    assert await object_store.get("a/b") == b"bytes"


@pytest.mark.parametrize("count", [1, 3])
def test_the_sink_writes_one_file_a_mail(servers, mailbox, count: int) -> None:
    to = f"reader{count}@devstack.example"
    for number in range(count):
        with smtplib.SMTP(servers.smtp_host, servers.smtp_port) as client:
            text = f"Subject: mail {number}\r\n\r\nline\r\n.dotted\r\n"
            client.sendmail("sender@devstack.example", [to], text)
    mails = mailbox.wait(to=to, count=count)
    assert [mail["Subject"] for mail in mails] == [f"mail {number}" for number in range(count)]
    assert mails[0].get_content().splitlines() == ["line", ".dotted"]
