"""Whoever writes to the bucket takes away or swaps what is told of runs: it is missed, or told.

A rebuild from it tells what came back as another, and what it lacks (docs/decisions/0037).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from libs.shared import bucket, clock, database
from libs.shared.objects import ObjectStore
from services.ingest.actions import rebuild
from services.ingest.actions.resources import Resources as IngestResources
from services.retention import actions
from services.retention.actions.resources import Resources
from tests.conftest import Database
from tests.databases import cloned_database
from tests.hostile.counting import Campaign
from tests.portal.builder import Client, open_client, text
from tests.portal.conftest import Portal, portal

__all__ = ["portal"]

Objects = dict[str, bytes]


@dataclass
class Scene:
    """A client with two plans, its objects as they were, and an empty database beside."""

    portal: Portal
    client: Client
    keeper: Resources
    ingest: IngestResources
    admin: asyncpg.Connection[asyncpg.Record]
    kept: Objects
    fingerprint: str

    @property
    def objects(self) -> ObjectStore:
        """The bucket."""
        return self.portal.parts.objects

    async def put_back(self) -> None:
        """Makes the bucket what it was, and the other database empty."""
        for key, body in self.kept.items():
            await self.objects.put(key, body)
        async for key, _ in self.objects.list(bucket.folder_of(self.client.tenant_id)):
            if key not in self.kept:
                await self.objects.delete(key)
        await self.admin.execute(
            "TRUNCATE catalogue.plans, catalogue.runs, catalogue.folders, catalogue.versions,"
            " catalogue.folder_digests, catalogue.packs, catalogue.chunks, catalogue.volumes,"
            " ingest.runs, ingest.plans, ingest.agents, ingest.names_due, ingest.rebuilds,"
            " ingest.tallies, ingest.outbox CASCADE"
        )

    async def audit(self) -> set[str]:
        """The kinds of disagreements that the audit tells of, once nothing is under way."""
        later = clock.now() + timedelta(days=2)
        found = actions.audit.comparing.compare_tenant(
            self.keeper, self.client.tenant_id, later, later
        )
        return {one.kind async for one in found}

    async def rebuild(self) -> tuple[list[str], bool]:
        """Rebuilds into the empty database; returns (its troubles, whether all came back)."""
        tenant_id = self.client.tenant_id
        [rebuilt] = await rebuild.rebuilding.rebuild(
            self.ingest, tenant_id, verify=False, say=lambda _line: None
        )
        taken = await rebuild.fingerprints.take_fingerprint(self.ingest.pool, tenant_id)
        return rebuilt.troubles, str(taken) == self.fingerprint


@pytest.fixture
def beside(servers: Any, database_template: str) -> Iterator[Database]:
    """An empty migrated database."""
    with cloned_database(servers, database_template) as name:
        yield Database(name, servers.postgres_port, servers.postgres_admin_dsn)


@pytest.fixture
async def house(portal: Portal, beside: Database) -> AsyncIterator[Scene]:
    """Opens it."""
    client = await open_client(portal)
    agent, tenant_id = client.agent, client.tenant_id
    other = await agent.declare("other", folders=["/srv/data"])
    await agent.store(other, {b"c": text(b"c")})
    await agent.store(other, {b"d": text(b"d")})
    for tree in ({b"a": text(b"a1"), b"b": text(b"b")}, {b"a": text(b"a2")}, {}):
        await agent.store(str(client.plan_id), tree)
    parts, inside = portal.parts, await portal.ingest()
    kept = {
        key: await parts.objects.get(key)
        async for key, _ in parts.objects.list(bucket.folder_of(tenant_id))
    }
    taken = await rebuild.fingerprints.take_fingerprint(inside.parts.pool, tenant_id)
    keeper_dsn = portal.ingest_dsn.replace("coffre_ingest", "coffre_retention")
    admin = await asyncpg.connect(beside.admin_dsn.rsplit("/", 1)[0] + f"/{beside.name}")
    async with (
        await database.create_pool(keeper_dsn, "retention") as keeping,
        await database.create_pool(beside.dsn("ingest"), "ingest") as rebuilding,
    ):
        keeper = Resources(keeping, parts.objects, parts.keys)
        ingest = IngestResources(rebuilding, parts.objects, parts.keys, timedelta())
        yield Scene(portal, client, keeper, ingest, admin, kept, str(taken))
        ingest.close()
    await admin.close()


def runs_among(objects: Objects) -> list[str]:
    """The keys of what is told of runs."""
    return [key for key in objects if isinstance(bucket.parse_key(key), bucket.RunObject)]


async def test_what_is_gone_or_damaged_is_told(house: Scene, campaign: Campaign) -> None:
    assert (await house.audit(), await house.rebuild()) == (set(), ([], True))
    for key in house.kept:
        for what, body in (("taken away", None), ("damaged", house.kept[key][:-1] + b"?")):
            await house.put_back()
            if body is None:
                await house.objects.delete(key)
            else:
                await house.objects.put(key, body)
            campaign.tried(f"bucket: an object {what}")
            told = await house.audit()
            troubles, is_whole = await house.rebuild()
            assert told or (troubles and body is not None), (what, key)
            # An end that is gone is known by the heads that came later, and changes nothing.
            assert troubles or is_whole, (what, key)


async def test_what_was_swapped_is_told(house: Scene, campaign: Campaign) -> None:
    names = runs_among(house.kept)
    for one, other in zip(names, [*names[1:], names[0]], strict=True):
        await house.put_back()
        await house.objects.put(one, house.kept[other])
        await house.objects.put(other, house.kept[one])
        campaign.tried("bucket: two objects of runs swapped")
        told = await house.audit()
        troubles, _ = await house.rebuild()
        assert troubles, (one, other)
        assert told or ".0." in one + other, (one, other)


async def test_a_newest_run_taken_away_is_missed(house: Scene, campaign: Campaign) -> None:
    newest = f"{bucket.runs_of(house.client.tenant_id, house.client.plan_id)}3."
    tallies = bucket.tallies_of(house.client.tenant_id)
    for gone in ([newest], [newest, tallies]):
        await house.put_back()
        for key in house.kept:
            if key.startswith(tuple(gone)):
                await house.objects.delete(key)
        campaign.tried("bucket: the newest run of a plan taken away whole")
        assert "run-object-missing" in await house.audit()
        troubles, is_whole = await house.rebuild()
        assert not is_whole
        assert any("restore point" in trouble for trouble in troubles), troubles


async def test_a_whole_plan_taken_away_is_missed(house: Scene, campaign: Campaign) -> None:
    plan = bucket.runs_of(house.client.tenant_id, house.client.plan_id)
    for key in house.kept:
        if key.startswith(plan):
            await house.objects.delete(key)
    campaign.tried("bucket: a plan taken away whole")
    assert "run-object-missing" in await house.audit()
    troubles, _ = await house.rebuild()
    assert any(str(house.client.plan_id) in trouble for trouble in troubles)


async def test_an_older_bucket_is_missed_by_the_catalogue(house: Scene, campaign: Campaign) -> None:
    """Nothing in the bucket can tell that all of it is older: the catalogue does."""
    client = house.client
    assert await client.agent.store(str(client.plan_id), {b"e": text(b"e")}) == 4
    await house.put_back()
    campaign.tried("bucket: all of it put back as it was before the newest run")
    assert "run-object-missing" in await house.audit()
    assert await house.rebuild() == ([], True)
