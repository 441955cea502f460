"""What tests take of the servers they share: a database, a bucket, a port of their own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import IO, Any

import asyncpg
import minio

from devstack import ports
from libs.shared import bus, database

AMQP_PASSWORDS = {service: bus.account_of(service) for service in database.SERVICES}
"""All virtual hosts of a broker share its accounts."""

_PORTS = range(12_000, ports.FIRST)  # below those of stacks, and what systems choose themselves
_SHARE = 200


def free_port() -> int:
    """A port that nobody listens on and no other process is given: it may be long until it is used.

    One is given again after all others of the process's share, unless somebody keeps it.
    """
    for port in _own_ports():
        if port in _kept:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a cycle has no end")


@contextmanager
def kept_ports(ports: Set[int]) -> Iterator[None]:
    """Has these given to nobody else, however many are asked for before they are used."""
    _kept.update(ports)
    try:
        yield
    finally:
        _kept.difference_update(ports)


_kept: set[int] = set()


@cache
def _own_ports() -> Iterator[int]:
    """The share of ports that this process has for as long as it lives, over and over."""
    folder = Path(tempfile.gettempdir()) / f"coffre-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    for first in _PORTS[::_SHARE]:
        door = (folder / str(first)).open("a")
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            door.close()
            continue
        _held.append(door)
        return cycle(range(first, first + _SHARE))
    raise RuntimeError(f"{len(_PORTS) // _SHARE} processes have all ports of tests")


_held: list[IO[str]] = []


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
    with (servers.folder / "accounts.lock").open("a") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
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
