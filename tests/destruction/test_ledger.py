"""A database from before doesn't bring a client back: the bucket remembers what was erased."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from libs.shared import bucket as places
from libs.shared.certificates import Notary
from services.retention import actions
from tests.destruction.firm import NOTARY, Firm, open_firm
from tests.servers import execute


def dump(database: Any, to: Path) -> None:
    subprocess.run(["pg_dump", "-Fc", "-f", str(to), database.admin_dsn], check=True)


@asynccontextmanager
async def restored(
    database: Any, servers: Any, bucket: str, dumped: Path, folder: Path
) -> AsyncIterator[Firm]:
    """A firm on what was dumped, and on the bucket as it is now."""
    name = f"restored_{os.urandom(5).hex()}"
    await asyncio.to_thread(execute, servers, f"CREATE DATABASE {name} OWNER coffre_owner")
    dsn = servers.postgres_admin_dsn.rpartition("/")[0] + f"/{name}"
    try:
        await asyncio.to_thread(subprocess.run, ["pg_restore", "-d", dsn, str(dumped)], check=True)
        folder.mkdir()
        place = replace(database, name=name, admin_dsn=dsn)
        async with open_firm(place, servers, bucket, folder) as firm:
            yield firm
    finally:
        await asyncio.to_thread(execute, servers, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_restored_database_is_erased_again_and_the_certificate_is_the_same(
    firm: Firm, database: Any, servers: Any, bucket: str, tmp_path: Path
) -> None:
    client = await firm.client()
    other = await firm.client("lea@martin.example")
    await asyncio.to_thread(dump, database, tmp_path / "before")
    await firm.end(client.tenant_id)
    firm.later(days=31)
    await firm.destroy()
    certificate = (await firm.get(f"tenants/{client.tenant_id}/certificate")).text
    async with restored(database, servers, bucket, tmp_path / "before", tmp_path / "x") as back:
        states = dict(await back.fetch("SELECT tenant_id, subscription FROM portal.tenants"))
        assert states[client.tenant_id] == "active", "the old database knows no better"
        mailed = await back.fetch("SELECT count(*) FROM reporting.mails")
        assert await actions.destruction.ledger.replay(back.keeper) == 1
        assert await actions.destruction.ledger.replay(back.keeper) == 0
        back.now = firm.now
        await back.turns()
        assert (await back.shown(client.tenant_id))["state"] == "completed", "without an hour"
        again = (await back.get(f"tenants/{client.tenant_id}/certificate")).text
        assert again == certificate
        states = dict(await back.fetch("SELECT tenant_id, subscription FROM portal.tenants"))
        assert states == {client.tenant_id: "destroyed", other.tenant_id: "active"}
        for name in ("portal.users", "ingest.agents", "quota.allowances", "catalogue.versions"):
            rows = await back.fetch(f"SELECT DISTINCT tenant_id FROM {name}")
            assert (client.tenant_id,) not in rows, name
        assert mailed != [(0,)]
        new = await back.fetch("SELECT count(*) FROM reporting.mails WHERE kind = 'certificate'")
        assert new == [(0,)], "it was mailed before"


async def test_a_destruction_that_was_cut_by_the_restore_goes_on(
    firm: Firm, database: Any, servers: Any, bucket: str, tmp_path: Path
) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    stored = await firm.left(client.tenant_id)
    await asyncio.to_thread(dump, database, tmp_path / "before")
    firm.later(days=31)
    while await firm.step(client.tenant_id) != "objects":
        await firm.turn()
    assert f"keys/{client.tenant_id}" not in await firm.left(client.tenant_id)
    async with restored(database, servers, bucket, tmp_path / "before", tmp_path / "x") as back:
        assert await actions.destruction.ledger.replay(back.keeper) == 1
        back.now = firm.now
        await back.destroy()
        answer = await back.get(f"tenants/{client.tenant_id}/certificate")
        assert f'"objects":{len(stored)}' in answer.text, "as the ledger says"
        assert await back.left(client.tenant_id) == []


async def test_an_entry_that_retention_has_not_signed_erases_nobody(firm: Firm) -> None:
    client = await firm.client()
    victim = await firm.client("lea@martin.example")
    await firm.end(client.tenant_id)
    firm.later(days=31)
    await firm.destroy()
    genuine = await firm.keeper.objects.get(places.key_of_erased(client.tenant_id))
    at = places.key_of_erased(victim.tenant_id)
    forged = Notary(bytes([9] * 32)).sign({"tenant_id": str(victim.tenant_id)}, "erased")
    as_certificate = NOTARY.sign({"tenant_id": str(victim.tenant_id)})
    for body in (
        genuine,
        genuine.replace(str(client.tenant_id).encode(), str(victim.tenant_id).encode()),
        forged.encode(),
        as_certificate.encode(),
        b"{}",
        b"",
        b"\xff",
    ):
        await firm.keeper.objects.put(at, body)
        assert await actions.destruction.ledger.replay(firm.keeper) == 0
    await firm.keeper.objects.put("erased/nonsense", genuine)
    assert await actions.destruction.ledger.replay(firm.keeper) == 0
    await firm.destroy()
    assert f"keys/{victim.tenant_id}" in await firm.left(victim.tenant_id)
