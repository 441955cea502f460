"""What an operator who set something wrong is told: in one sentence, and before anything is done.

How a process waits meanwhile, and is not ready, is told in test_runtime_starts.py.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from libs.shared import bus, own_bucket, tracing
from libs.shared import database as databases
from libs.shared.bus.connections import connect
from libs.shared.errors import Unavailable
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from libs.shared.settings import InvalidSettings
from tests.agent.wires import self_signed

SECRET = "not-this-one"


async def test_a_database_that_lets_nobody_in_says_which_setting_is_wrong(database: Any) -> None:
    right = database.dsn("quota")
    for dsn, told in (
        (right.replace("coffre_quota@", f"{SECRET}@"), "must have the password"),
        (right.rpartition("/")[0] + "/another", "correct COFFRE_DATABASE_URL"),
        (f"hello:{SECRET}@", "can't be read as postgresql://"),
    ):
        with pytest.raises(databases.NotReady, match=told) as refused:
            await databases.create_pool(dsn, "quota")
        assert SECRET not in str(refused.value)
        assert databases.reason(refused.value) == str(refused.value)


async def test_a_database_with_a_certificate_of_somebody_else_is_told_as_that(
    tmp_path: Path,
) -> None:
    for place in ("ours", "theirs"):
        (tmp_path / place).mkdir()
    context, _ = self_signed(tmp_path / "theirs")
    _, trusted = self_signed(tmp_path / "ours")

    async def offer_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # PostgreSQL's SSLRequest
        writer.write(b"S")
        with suppress(ssl.SSLError, OSError):
            await writer.start_tls(context)
        writer.close()

    server = await asyncio.start_server(offer_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    dsn = f"postgresql://coffre_quota:{SECRET}@127.0.0.1:{port}/coffre"
    dsn += f"?sslmode=verify-full&sslrootcert={trusted}"
    with pytest.raises(databases.NotReady, match="certificate is not believed") as refused:
        await databases.create_pool(dsn, "quota")
    assert SECRET not in str(refused.value)
    command = [sys.executable, "-m", "services.quota", "clock"]
    environ = {**os.environ, "COFFRE_DATABASE_URL": dsn}
    process = await asyncio.create_subprocess_exec(*command, env=environ, stderr=subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode() == f"{refused.value}\n"
    server.close()
    await server.wait_closed()


async def test_an_older_database_is_awaited_and_a_newer_one_is_served(database: Any) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    pool = await databases.create_pool(database.dsn("ingest"), "ingest")
    assert await databases.check_migrated(pool, "ingest") == []
    await owner.execute("INSERT INTO ingest.migrations VALUES ('9999_later', '', now())")
    assert await databases.check_migrated(pool, "ingest") == ["ingest.9999_later"]
    for schema, name in (
        ("catalogue", "0006_reductions"),
        ("ingest", "shared/0007_receipts"),
    ):
        await owner.execute(f"DELETE FROM {schema}.migrations WHERE name = $1", name)
        with pytest.raises(databases.NotReady, match=f"{schema}.{name} is the first of 1"):
            await databases.check_migrated(pool, "ingest")
        await owner.execute(f"INSERT INTO {schema}.migrations VALUES ($1, '', now())", name)
    await owner.execute("DROP TABLE ingest.migrations")
    with pytest.raises(databases.NotReady, match=r"run `python -m services\.ingest migrate`"):
        await databases.check_migrated(pool, "ingest")
    await pool.close()
    await owner.close()


async def test_a_broker_that_lets_nobody_in_says_which_setting_is_wrong(
    servers: Any, amqp_url: str
) -> None:
    for url, told in (
        (amqp_url.replace(servers.amqp_password, SECRET), "account and the password"),
        (amqp_url.rpartition("/")[0] + "/nowhere", "no such virtual host"),
        (f"hello:{SECRET}", "can't be read as amqp://"),
    ):
        with pytest.raises(bus.BusDown, match=told) as refused:
            await connect(url, "quota")
        assert SECRET not in str(refused.value)


async def test_a_bucket_of_another_installation_is_left_alone(object_store: ObjectStore) -> None:
    await object_store.ensure_bucket()
    ours, theirs, before = bytes(32), bytes(31) + b"1", bytes(31) + b"2"
    async with own_bucket.begun(object_store, KeyRing(object_store, ours)) as empty:
        await empty.check()
    await KeyRing(object_store, ours).create(uuid4())
    stranger = KeyRing(object_store, theirs)
    with pytest.raises(InvalidSettings, match=r"COFFRE_S3_BUCKET is another.*MASTER_KEY_FILE"):
        async with own_bucket.begun(object_store, stranger):
            pass
    with pytest.raises(own_bucket.BucketForeign):
        await own_bucket.OwnBucket(object_store, stranger).check()
    # While the master key is being changed some keys are under the one before.
    await own_bucket.OwnBucket(object_store, KeyRing(object_store, before, ours)).check()
    # One damaged object makes no bucket a stranger's.
    await object_store.put("keys/00000000-0000-0000-0000-000000000000", b"damaged")
    await own_bucket.OwnBucket(object_store, KeyRing(object_store, ours)).check()


async def test_a_store_that_is_away_is_asked_again(servers: Any) -> None:
    away = ObjectStore.in_s3("http://127.0.0.1:1", servers.s3_access_key, SECRET, "none")
    async with own_bucket.begun(away, KeyRing(away, bytes(32))) as own:
        with pytest.raises(Unavailable):
            await own.check()
    await away.close()


def test_tracing_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    tracing.configure("quota", "")
    with pytest.raises(InvalidSettings, match=r"install coffre\[server,tracing\]"):
        tracing.configure("quota", "http://collector:4318")
    assert not tracing.is_on()
