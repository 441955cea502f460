"""What servers are told before services start: roles, schemas, accounts, queues, the bucket."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg

from installing import secrets
from libs.shared import database, errors, secret_files
from libs.shared.bus.accounts import definitions
from libs.shared.objects import ObjectStore
from libs.shared.objects.s3 import Addressing

PAUSE_SECONDS = 1
T = TypeVar("T")
_NOT_YET = (OSError, asyncpg.CannotConnectNowError, urllib.error.URLError, errors.Unavailable)


class NotPrepared(Exception):  # noqa: N818 - read as a sentence
    """A server was not there in time, or refused; the text says which, and why."""


@dataclass(frozen=True)
class Store:
    """An S3 store and the bucket to make there, with the key of who may make it."""

    endpoint: str
    bucket: str
    access_key: str
    region: str | None
    addressing: Addressing


async def prepare(
    folder: Path, name: str, store: Store | None, seconds: float, say: Callable[[str], None]
) -> None:
    """Brings database, broker and store to where services can start; the same again is harmless.

    name: of the database. store: None where objects lie in a folder. seconds: how long each server
    is waited for. Raises NotPrepared.
    """
    steps: list[tuple[str, Callable[[], Awaitable[None]]]] = [
        ("PostgreSQL", lambda: _prepare_database(folder, name)),
        ("RabbitMQ", lambda: asyncio.to_thread(_prepare_broker, folder)),
    ]
    if store:
        steps.append(("S3", lambda: _prepare_bucket(folder, store)))
    for server, step in steps:
        say(f"{server}…")
        await _patiently(server, step, seconds)
    say("Ready for the services.")


async def _patiently(server: str, step: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Tries again while the server isn't there yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await step()
        except database.MigrationRefused as refused:
            raise NotPrepared(str(refused)) from refused
        except _NOT_YET as trouble:
            if time.monotonic() > deadline:
                raise NotPrepared(
                    f"{server} did not answer within {seconds:.0f} s: {trouble}"
                ) from trouble
        except asyncpg.PostgresError as trouble:
            raise NotPrepared(f"{server} refused: {trouble}") from trouble
        await asyncio.sleep(PAUSE_SECONDS)


async def _prepare_database(folder: Path, name: str) -> None:
    url = secret_files.read(folder / "admin" / "database-url")
    await database.bootstrap(url, name, secrets.read_roles(folder))
    owner = secret_files.read(folder / "admin" / "owner-database-url")
    for service in database.SERVICES:
        await database.migrate(owner, service)


def _prepare_broker(folder: Path) -> None:
    parts = urlsplit(secret_files.read(folder / "admin" / "broker-url"))
    token = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - the administrator's own address
        f"{parts.scheme}://{parts.hostname}:{parts.port}/api/definitions",
        method="POST",
        data=json.dumps(definitions(secrets.read_accounts(folder))).encode(),
        headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - the address of our own broker
            return
    except urllib.error.HTTPError as refused:
        with refused:
            told = refused.read(500).decode(errors="replace")
            hint = (
                "is the password in admin/broker-url its administrator's?"
                if refused.code in (401, 403)
                else told
            )
            raise NotPrepared(
                f"RabbitMQ refused the definitions ({refused.code}): {hint}"
            ) from refused


async def _prepare_bucket(folder: Path, store: Store) -> None:
    key = secret_files.read(folder / "admin" / "s3-secret-key")
    objects = ObjectStore.in_s3(
        store.endpoint,
        store.access_key,
        key,
        store.bucket,
        threads=1,
        region=store.region,
        addressing=store.addressing,
    )
    try:
        await objects.ensure_bucket()
    finally:
        await objects.close()
