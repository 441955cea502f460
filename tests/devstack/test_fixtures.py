"""The fixtures themselves: each test gets servers that work and a corner of its own."""

from __future__ import annotations

import os
import smtplib
import urllib.error
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from libs.shared.objects import ObjectStore
from tests.databases import cloned_database, drop_idle
from tests.servers import free_port, in_thread
from tests.world.house import take_place

LOOK = """
SELECT (SELECT count(*) FROM quota.seen_time), (SELECT count(*) FROM retention.inbox),
       (SELECT last_value FROM pg_sequences
         WHERE schemaname = 'retention' AND sequencename = 'inbox_position_seq'),
       (SELECT string_agg(c::text, ',') FROM quota.outbox_counter c),
       (SELECT string_agg(p::text, ',') FROM portal.price_lists p)
"""


async def test_a_database_is_migrated_and_open_to_its_roles(database) -> None:
    for service in ("owner", "ingest", "quota", "reporting", "retention", "portal"):
        connection = await asyncpg.connect(database.dsn(service))
        assert await connection.fetchval("SELECT current_user") == f"coffre_{service}"
        await connection.close()


def test_the_next_test_finds_what_migrations_wrote_and_nothing_else(
    servers, database_template: str
) -> None:
    def given(*statements: str) -> tuple[str, list[asyncpg.Record]]:
        """A database's name and what lies in it, before these are done to it."""
        with cloned_database(servers, database_template) as name:
            dsn = servers.postgres_admin_dsn.rpartition("/")[0] + f"/{name}"
            found: list[asyncpg.Record] = []

            async def use() -> None:
                connection = await asyncpg.connect(dsn)
                found.extend(await connection.fetch(LOOK))
                for statement in statements:
                    await connection.execute(statement)
                await connection.close()

            in_thread(use)
        return name, found

    drop_idle(servers)
    name, fresh = given(
        "INSERT INTO quota.seen_time (seen_at) VALUES (now())",
        "INSERT INTO retention.inbox (event_id, source, type, received_at, state, next_at)"
        " VALUES (gen_random_uuid(), '', '', now(), 'done', now())",
        "UPDATE quota.outbox_counter SET last_sequence = 9",
        "DELETE FROM portal.price_lists",
    )
    for change in (
        "GRANT DELETE ON quota.outbox TO coffre_ingest",
        "ALTER TABLE quota.inbox ADD mine int",
        "CREATE FUNCTION quota.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP INDEX portal.users_tenant",
    ):
        again, found = given(change)
        assert (again, found) == (name, fresh), "emptied, and given again"
        name, found = given()
        assert (name != again, found) == (True, fresh), f"given again after {change}"


async def test_a_virtual_host_takes_messages(amqp_url: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("letters", durable=True)
        await channel.default_exchange.publish(aio_pika.Message(b"hello"), "letters")
        message = await queue.get(timeout=60)
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


def test_what_the_broker_refuses_it_says_why(servers) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        servers.broker.call("POST", "definitions", {"users": [{"name": "nobody"}]})
    [note] = refused.value.__notes__
    assert note.startswith("POST definitions: ")
    assert "tags_not_present" in note


@pytest.mark.xdist_group("costly")
def test_a_test_of_a_group_is_known_as_such_to_who_distributes(request) -> None:
    """By its name: without it each worker starts for itself what a group shares."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@costly")


def test_a_place_keeps_the_ports_of_services_that_start_later(
    servers, database_template: str, tmp_path: Path
) -> None:
    with take_place(servers, database_template, tmp_path / "place") as place:
        kept = {*place.listens.values(), *place.monitors.values()}
        given = [free_port()]
        while len(given) < 2 or given[-1] != given[0]:  # all that the process has
            given.append(free_port())
        assert len(kept) == 10
        assert kept.isdisjoint(given)
    assert kept & {free_port() for _ in given + list(kept)}, "they are given again"
