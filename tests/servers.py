"""What tests take of the servers they share: a database, a bucket, a port of their own."""

from __future__ import annotations

import asyncio
import secrets
import socket
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
import minio

from libs.shared import bus, database

AMQP_PASSWORDS = {service: bus.account_of(service) for service in database.SERVICES}
"""All virtual hosts of a broker share its accounts."""

_PORTS = range(12_000, 32_000)  # no system gives these to connections of its own choice
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that is given once: it may be long until it is used."""
    while True:
        port = secrets.choice(_PORTS)
        if port in _given:
            continue
        _given.add(port)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def in_thread(work: Callable[[], Awaitable[None]]) -> None:
    """Runs the coroutine to its end beside whatever loop the test has."""

    async def run() -> None:
        await work()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run()).result()


def execute(servers: Any, *statements: str) -> None:
    """Runs statements as PostgreSQL's administrator."""

    async def run() -> None:
        admin = await asyncpg.connect(servers.postgres_admin_dsn)
        try:
            for statement in statements:
                await admin.execute(statement)
        finally:
            await admin.close()

    in_thread(run)


@contextmanager
def made_vhost(servers: Any) -> Iterator[str]:
    """The name of a virtual host of the caller's own, with queues, which goes at the end."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    servers.broker.create_vhost(name)
    servers.broker.define(AMQP_PASSWORDS, name)
    try:
        yield name
    finally:
        servers.broker.delete_vhost(name)


def make_bucket(servers: Any) -> str:
    """The name of an empty bucket; it goes with the servers."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    minio.Minio(
        servers.s3_endpoint.removeprefix("http://"),
        servers.s3_access_key,
        servers.s3_secret_key,
        secure=False,
        region="us-east-1",
    ).make_bucket(name)
    return name
