"""What a store can do to a destruction: keep versions, refuse, bring back, break off."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import minio
import pytest
from minio.commonconfig import COMPLIANCE
from minio.retention import Retention

from libs.shared import errors
from libs.shared.objects import ObjectStore, StoredVersion, VersionPage
from tests.destruction.firm import Firm, open_firm


@pytest.fixture
def sdk(servers: Any) -> minio.Minio:
    return minio.Minio(
        servers.s3_endpoint.removeprefix("http://"),
        servers.s3_access_key,
        servers.s3_secret_key,
        secure=False,
        region="us-east-1",
    )


@pytest.fixture
def locking_bucket(sdk: minio.Minio) -> str:
    """The name of a bucket that keeps versions, and in which objects can be locked."""
    name = f"locked-{uuid4().hex[:12]}"
    sdk.make_bucket(name, object_lock=True)
    return name


@pytest.fixture
async def locking(
    database: Any, servers: Any, locking_bucket: str, tmp_path: Path
) -> AsyncIterator[Firm]:
    """A firm on that bucket."""
    async with open_firm(database, servers, locking_bucket, tmp_path) as firm:
        yield firm


async def test_all_versions_go_and_markers_of_deletions_as_well(
    locking: Firm, locking_bucket: str, sdk: minio.Minio
) -> None:
    client = await locking.client()
    keys_at = f"keys/{client.tenant_id}"
    older = await locking.keeper.objects.get(keys_at)
    await locking.keeper.objects.put(keys_at, older)  # as a rotated master key does
    [pack] = [key for key in await locking.left(client.tenant_id) if "/packs/" in key]
    sdk.remove_object(locking_bucket, pack)  # leaves a marker, and what it was
    assert (await locking.left(client.tenant_id)).count(pack) == 2
    assert (await locking.left(client.tenant_id)).count(keys_at) == 2
    await locking.end(client.tenant_id)
    stored = await locking.left(client.tenant_id)
    locking.later(days=31)
    await locking.destroy()
    assert await locking.left(client.tenant_id) == []
    told = json.loads((await locking.get(f"tenants/{client.tenant_id}/certificate")).text)
    assert told["certificate"]["destroyed"]["objects"] == len(stored)


async def test_what_is_locked_is_told_and_nothing_certified_before(
    locking: Firm, locking_bucket: str, sdk: minio.Minio
) -> None:
    client = await locking.client()
    await locking.end(client.tenant_id)
    locking.later(days=31)
    until = (datetime.now(UTC) + timedelta(seconds=10)).replace(microsecond=0)
    sdk.put_object(
        locking_bucket, f"t/{client.tenant_id}/packs/locked", io.BytesIO(b"x"), 1,
        retention=Retention(COMPLIANCE, until),
    )  # fmt: skip
    await locking.destroy()
    shown = await locking.shown(client.tenant_id)
    assert shown["state"] == "waiting"
    [reason] = shown["reasons"]
    assert (reason["code"], reason["amount"]) == ("objects-locked", 1)
    assert reason["subject"] == f"{until:%Y-%m-%d %H:%M}"
    assert not shown["certificate"]
    assert len(await locking.left(client.tenant_id)) == 1, "all the rest is gone"
    told = await locking.fetch("SELECT body FROM reporting.mails WHERE kind = 'incident'")
    assert len(told) == 1
    confirmed = await locking.post(f"{client.tenant_id}/destruction/confirm", reason="let go")
    assert confirmed.status_code == 409, "no operator unlocks a store"
    left = until + timedelta(seconds=1) - datetime.now(UTC)
    await asyncio.sleep(max(left.total_seconds(), 0))
    locking.later(hours=1, minutes=1)
    await locking.destroy()
    assert (await locking.shown(client.tenant_id))["state"] == "completed"
    assert await locking.left(client.tenant_id) == []


async def test_an_object_that_comes_back_is_destroyed_and_the_hour_begins_anew(firm: Firm) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    firm.later(days=31)
    await firm.turns()
    assert await firm.step(client.tenant_id) == "looking"
    await firm.keeper.objects.put(f"t/{client.tenant_id}/packs/back", b"again")
    firm.later(hours=1, minutes=1)
    await firm.turns()
    assert await firm.left(client.tenant_id) == []
    assert await firm.step(client.tenant_id) == "looking", "seen empty once since then"
    firm.later(hours=1, minutes=1)
    await firm.turns()
    told = json.loads((await firm.get(f"tenants/{client.tenant_id}/certificate")).text)
    assert told["certificate"]["destroyed"]["appeared_later"] == 1


class Breaking(ObjectStore):
    """The real store, whose listings end after a few lines and then break off, once each time."""

    page = 2
    breaks = False

    async def list_versions(self, prefix: str, behind: tuple[str, str] = ("", "")) -> VersionPage:
        whole = await super().list_versions(prefix, behind)
        if behind[0] and self.breaks:
            self.breaks = False
            raise errors.Unavailable("storage")
        self.breaks = True
        if len(whole.versions) <= self.page:
            return whole
        short = whole.versions[: self.page]
        return VersionPage(short, (short[-1].key, short[-1].version_id))


async def test_a_listing_that_breaks_off_goes_on_where_it_was(
    firm: Firm, servers: Any, bucket: str
) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    stored = await firm.left(client.tenant_id)
    broken = Breaking.in_s3(
        servers.s3_endpoint, servers.s3_access_key, servers.s3_secret_key, bucket
    )
    firm.keeper = replace(firm.keeper, objects=broken)
    firm.later(days=31)
    outages = 0
    for _ in range(3):
        for _ in range(30):
            try:
                await firm.turn()
            except errors.Unavailable:
                outages += 1
        firm.later(hours=1, minutes=1)
    assert outages >= 3
    told = json.loads((await firm.get(f"tenants/{client.tenant_id}/certificate")).text)
    assert told["certificate"]["destroyed"]["objects"] == len(stored)
    assert await firm.left(client.tenant_id) == []
    await broken.close()


async def test_a_thousand_and_more_objects_go_in_batches(firm: Firm) -> None:
    client = await firm.client()
    name = f"t/{client.tenant_id}/packs"
    for number in range(1_203):
        await firm.keeper.objects.put(f"{name}/{number:04}", b"x")
    await firm.end(client.tenant_id)
    firm.later(days=31)
    await firm.destroy()
    told = json.loads((await firm.get(f"tenants/{client.tenant_id}/certificate")).text)
    assert told["certificate"]["destroyed"]["objects"] > 1_203
    assert await firm.left(client.tenant_id) == []


async def test_deleting_what_is_gone_is_no_failure(firm: Firm) -> None:
    gone = [StoredVersion("t/never", "null", 1), StoredVersion("t/é&<x>", "null", 1)]
    await firm.keeper.objects.put("t/é&<x>", b"x")
    assert await firm.keeper.objects.delete_versions(gone) == []
    assert await firm.keeper.objects.delete_versions(gone) == []
    assert (await firm.keeper.objects.list_versions("t/")).versions == []
