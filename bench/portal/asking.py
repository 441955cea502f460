"""An installation of its own is filled, and its portal asked for everything, kind after kind."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from bench import coffre, measuring
from bench.coffre import Installation
from bench.portal import people, provider, signing
from bench.portal.contents import FILE_BYTES, Contents
from bench.portal.driving import drive, open_http
from bench.portal.provider import Size
from libs.shared.database import Connection
from services.ingest import store

A_SECOND = 20
OPERATORS_A_SECOND = 5
_NAMES_SECONDS = 1_200


@dataclass(frozen=True)
class Wish:
    """How much is filled in and asked for."""

    size: Size = field(default_factory=Size)
    seconds: float = 90
    """Of the clients' pages; the others are asked for a part of it."""
    file_bytes: int = FILE_BYTES
    zip_bytes: int = 5_000_000_000
    rounds: int = 3


SMALL = Wish(Size(30, 60, 60_000), 6, 20_000_000, 200_000_000, 1)


def measure(folder: Path, wish: Wish, say: Callable[[str], None]) -> dict[str, Any]:
    """All that `page` shows."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for each in (folder.parent, folder):
        each.chmod(0o711)
    os.environ["COFFRE_TRUSTED_PROXIES"] = "127.0.0.1/32"
    try:
        with coffre.install(folder / "stack") as installation:
            say("a client copies what is downloaded later")
            held = Contents(installation, folder / "work", wish.file_bytes, wish.zip_bytes)
            return asyncio.run(_measure(installation, held, wish, say))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(
    installation: Installation, held: Contents, wish: Wish, say: Callable[[str], None]
) -> dict[str, Any]:
    admin = await asyncpg.connect(installation.described["postgres"]["dsn"])
    say(f"{wish.size.clients:,} clients and {wish.size.versions:,} versions are written")
    begun = time.perf_counter()
    large_id = await provider.fill(admin, wish.size)
    await make_findable(admin, large_id)
    say(f"that took {time.perf_counter() - begun:.0f} s")
    try:
        return await ask_all(installation, admin, large_id, held, wish, say)
    finally:
        await admin.close()


async def make_findable(admin: Connection, tenant_id: UUID) -> None:
    """Has ingest, which runs, make the names of a client findable, and waits until it has."""
    plan_ids = await admin.fetch(
        "SELECT plan_id FROM catalogue.plans WHERE tenant_id = $1", tenant_id
    )
    await admin.execute("SET search_path = ingest, public")
    for row in plan_ids:
        place = store.plans.CommitPlace(tenant_id, row["plan_id"], 0)
        await store.rebuild.note_all_names(admin, place)
    deadline = time.monotonic() + _NAMES_SECONDS
    while await admin.fetchval("SELECT EXISTS (SELECT FROM ingest.names_due)"):
        if time.monotonic() > deadline:
            raise measuring.ProgramFailed("the names were not made findable in time")
        await asyncio.sleep(0.5)
    await admin.execute("VACUUM ANALYZE catalogue.bundles, catalogue.terms", timeout=600)


async def ask_all(
    installation: Installation,
    admin: Connection,
    large_id: UUID,
    held: Contents | None,
    wish: Wish,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Asks for everything, one kind of load after the other."""
    clients = wish.size.clients
    counted = await _count(admin)
    async with open_http(installation.described["portal"]["url"]) as http:
        sessions = await people.sign_all_in(http, clients)
        visits = people.Visits(http, sessions, await people.sample_paths(admin, large_id))
        operator = installation.described["operator"]
        staff = await people.sign_in(http, operator["email"], operator["password"], "10.3.0.1")
        client_ids = [row[0] for row in await admin.fetch("SELECT tenant_id FROM portal.tenants")]
        say("clients open their pages")
        await drive(visits.by_kind(), A_SECOND, 10)
        asked = await drive(visits.by_kind(), A_SECOND, wish.seconds)
        say("operators open theirs")
        rounds = people.rounds_of_operator(http, staff, client_ids)
        await drive(rounds, OPERATORS_A_SECOND, 3)
        watched = await drive(rounds, OPERATORS_A_SECOND, wish.seconds / 2)
        say("people sign in meanwhile")
        signed = await signing.measure(http, sessions, clients, wish.seconds / 6)
        recovered = None
        if held is not None:
            say("files and an archive are downloaded")
            token = await people.sign_in(http, held.client.email, coffre.PASSWORD, "10.3.0.2")
            recovered = await held.measure(http, token, wish.rounds)
    return {
        "load": os.getloadavg()[1],
        "filled": counted,
        "a_second": A_SECOND,
        "operators_a_second": OPERATORS_A_SECOND,
        "clients": {kind: seen.tell() for kind, seen in asked.items()},
        "operators": {kind: seen.tell() for kind, seen in watched.items()},
        "signing": signed,
        "contents": recovered,
    }


async def _count(admin: Connection) -> dict[str, int]:
    tables = {
        "clients": "portal.tenants",
        "runs": "portal.runs",
        "versions": "catalogue.versions",
        "volume_days": "portal.volume_days",
    }
    return {
        name: int(await admin.fetchval(f"SELECT count(*) FROM {table}"))
        for name, table in tables.items()
    }
