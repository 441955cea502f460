"""Whoever writes to the database changes what restore points show: nothing of it is given out.

The keys that prove restore points are in the bucket alone (docs/decisions/0037).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
import pytest

from libs.shared import attributes, bucket, clock, database
from libs.shared.proofs import Unproven
from services.portal.actions.files import browsing, proving
from services.portal.actions.files.browsing import AskedPlace
from services.portal.actions.files.spans import open_reader
from services.portal.rules.log.chain import Actor
from services.retention import actions
from services.retention.actions.resources import Resources
from tests.hostile.counting import Campaign
from tests.portal.builder import Client, File, folder, link, open_client, text
from tests.portal.conftest import Portal, portal
from tests.portal.test_archives import read_manifest
from tests.world.files import add_folders

__all__ = ["portal"]

FIRST = {
    b"a": text(b"the letter a"),
    b"b": text(b"the letter b"),
    b"link": link(b"a"),
    b"sub/c": File([b"the letter c"], attributes=attributes.write({b"user.letter": b"c"})),
    b"sub/deep/d": text(b"the letter d"),
    b"sub/hollow": folder(),
}
SECOND = {b"a": text(b"a letter, later"), b"sub/e": text(b"the letter e")}
TABLES = (
    *("plans", "runs", "folders", "attribute_sets", "versions", "folder_digests"),
    *("chunks", "packs"),
)
AT = "/api/v1/plans/documents"
Tree = dict[bytes, File]


@dataclass
class Scene:
    """A client with three restore points, whose rows can be put back as they were."""

    portal: Portal
    client: Client
    keeper: Resources
    trees: dict[int, Tree]

    async def put_back(self) -> None:
        """Makes the catalogue what it was."""
        forget = [f"DELETE FROM catalogue.{table}" for table in reversed(TABLES)]
        bring = [
            f"INSERT INTO catalogue.{table} OVERRIDING SYSTEM VALUE SELECT * FROM kept.{table}"
            for table in TABLES
        ]
        await self.portal.admin.execute(";".join(forget + bring))

    async def audit(self) -> set[str]:
        """The kinds of disagreements that the audit tells of."""
        now = clock.now()
        found = actions.audit.comparing.compare_tenant(self.keeper, self.client.tenant_id, now, now)
        return {one.kind async for one in found}

    async def lies(self, *runs: int) -> tuple[list[str], int]:
        """Restores everything in all ways; returns (what came out and isn't true, refusals).

        runs: all of them where none is named.
        """
        lies: list[str] = []
        refused = 0
        async with self.portal.client(self.client.token) as api:
            for run in runs or self.trees:
                tree = self.trees[run]
                for way in (self._manifest(api, run, tree), self._tar(api, run, tree)):
                    try:
                        lies += await way
                    except (httpx2.RemoteProtocolError, Refused):
                        refused += 1
                for path, file in tree.items():
                    if file.is_folder or file.target is not None:
                        continue
                    with suppress(httpx2.RemoteProtocolError):
                        answer = await api.get(f"{AT}/file?run={run}&path={path.decode()}")
                        if answer.status_code != 200:
                            refused += 1
                        elif answer.content != file.content:
                            lies.append(f"file {path!r} of run {run}")
        return lies, refused

    async def _manifest(self, api: httpx2.AsyncClient, run: int, tree: Tree) -> list[str]:
        answer = await api.get(f"{AT}/manifest?run={run}")
        if answer.status_code != 200:
            raise Refused
        key = (await self.client.keys()).chunk_key
        deltas, _ = read_manifest(answer.content)
        told = {_join(d.folder, e.name): e for d in deltas for e in d.upserts}
        true = {path: file.entry(path.rpartition(b"/")[2], key) for path, file in tree.items()}
        return [] if told == true else [f"manifest of run {run}"]

    async def _tar(self, api: httpx2.AsyncClient, run: int, tree: Tree) -> list[str]:
        answer = await api.get(f"{AT}/archive?format=tar&run={run}")
        if answer.status_code != 200:
            raise Refused
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
            told = {
                one.name.encode(): (one.mode, one.uid, one.linkname, _read(tar, one))
                for one in tar.getmembers()
            }
        true = {
            path: (file.mode, file.uid, (file.target or b"").decode(), file.content)
            for path, file in tree.items()
        }
        return [] if told == true else [f"archive of run {run}"]


class Refused(Exception):  # noqa: N818 - named after what happened
    """Nothing was given out."""


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = tar.extractfile(member) if member.isfile() else None
    return content.read() if content else b""


def _join(parent: bytes, name: bytes) -> bytes:
    return parent + b"/" + name if parent else name


@asynccontextmanager
async def open_house(served: Portal) -> AsyncIterator[Scene]:
    """Opens it; its rows are kept beside."""
    client = await open_client(served)
    first = dict(FIRST)
    await client.commit(first, 1)
    await client.commit(dict(SECOND), 2)
    await client.commit({}, 3, removed=[b"b"])
    add_folders(first)
    second = first | SECOND
    third = {path: file for path, file in second.items() if path != b"b"}
    await served.admin.execute("CREATE SCHEMA kept")
    for table in TABLES:
        await served.admin.execute(f"CREATE TABLE kept.{table} AS TABLE catalogue.{table}")
    dsn = served.ingest_dsn.replace("coffre_ingest", "coffre_retention")
    pool = await database.create_pool(dsn, "retention")
    parts = served.parts
    keeper = Resources(pool, parts.objects, parts.keys)
    try:
        yield Scene(served, client, keeper, {1: first, 2: second, 3: third})
    finally:
        await pool.close()


COLUMNS = {
    "name": "name || 'x'",
    "kind": "CASE kind WHEN 'f' THEN 'd' ELSE 'f' END::\"char\"",
    "mode": "mode # 511",
    "mtime_ns": "mtime_ns + 1",
    "uid": "uid + 1",
    "gid": "gid + 1",
    "size": "size + 1",
    "target": "target || 'x'",
    "attributes_id": "CASE WHEN attributes_id IS NULL THEN sha256('x') END",
    "chunk_ids": "chunk_ids || substr(chunk_ids || sha256('x'), 1, 32)",
    "first_run": "first_run + 1",
    "last_run": "coalesce(last_run + 1, 2)",
}
SWAPPED = """UPDATE catalogue.versions v SET ({0}) = (SELECT {0} FROM catalogue.versions o
    WHERE o.name = CASE v.name WHEN 'c' THEN 'd'::bytea ELSE 'c' END) WHERE name IN ('c', 'd')"""
FACTS = {
    "committed_at": "committed_at - interval '1 day'",
    "files_total": "1",
    "bytes_protected": "1",
    "run_id": "gen_random_uuid()",
}
ALTERATIONS = {
    "a set of attributes altered": "UPDATE catalogue.attribute_sets SET content = content || 'x'",
    "a set of attributes dropped": "DELETE FROM catalogue.attribute_sets",
    "two files' names swapped": SWAPPED.format("name"),
    "two files' contents swapped": SWAPPED.format("chunk_ids, size"),
    "all of two files swapped": SWAPPED.format("mode, mtime_ns, uid, gid, size, chunk_ids"),
    "a folder renamed": "UPDATE catalogue.folders SET name = 'dope' WHERE name = 'deep'",
    "a folder dropped": "DELETE FROM catalogue.folders WHERE name = 'deep'",
    "a folder moved": """UPDATE catalogue.folders SET parent_id = (SELECT parent_id
        FROM catalogue.folders WHERE name = 'sub') WHERE name = 'deep'""",
    "a version added": """INSERT INTO catalogue.versions (tenant_id, plan_id, folder_id, first_run,
        mode, kind, mtime_ns, uid, gid, size, crc32, received_at, name, target, chunk_ids)
        SELECT tenant_id, plan_id, folder_id, first_run, mode, kind, mtime_ns, uid, gid, size,
        crc32, received_at, 'stowaway', target, chunk_ids FROM catalogue.versions
        WHERE name = 'c'""",
    "an older version put back": """DELETE FROM catalogue.versions WHERE name = 'a'
        AND first_run = 2; UPDATE catalogue.versions SET last_run = NULL WHERE name = 'a'""",
    "an older state put back with its digests": """DELETE FROM catalogue.versions
        WHERE first_run = 2; UPDATE catalogue.versions SET last_run = NULL;
        DELETE FROM catalogue.folder_digests WHERE first_run > 1""",
    "an older restore point put in the place of a newer one": """DELETE FROM catalogue.versions
        WHERE first_run > 1; UPDATE catalogue.versions SET last_run = NULL;
        DELETE FROM catalogue.folder_digests WHERE first_run > 1;
        DELETE FROM catalogue.runs WHERE number > 1; UPDATE catalogue.runs SET number = 2""",
    "a seal of another run": """UPDATE catalogue.runs SET sealed = (SELECT sealed
        FROM catalogue.runs WHERE number = 1) WHERE number = 2""",
    "no seals": "UPDATE catalogue.runs SET sealed = NULL",
    "runs swapped": """UPDATE catalogue.runs SET number = number + 10 WHERE number < 3;
        UPDATE catalogue.runs SET number = 13 - number WHERE number > 3""",
}


async def list_alterations(admin: Any, rows: str, digests: str) -> list[tuple[str, str]]:
    """(kind, statement): every column of the rows that conditions choose, and more."""
    found = list(ALTERATIONS.items())
    for column, value in FACTS.items():
        statement = f"UPDATE catalogue.runs SET {column} = {value} WHERE number = 2"
        found.append(("a restore point's facts", statement))
    for row in await admin.fetch(
        f"SELECT folder_id, encode(name, 'hex') AS name, first_run FROM catalogue.versions {rows}"
    ):
        where = "WHERE (folder_id, name, first_run) = ({}, '\\x{}', {})".format(*row)
        found.append(("a version dropped", f"DELETE FROM catalogue.versions {where}"))
        for column, value in COLUMNS.items():
            statement = f"UPDATE catalogue.versions SET {column} = {value} {where}"
            found.append((f"a version's {column}", statement))
    for row in await admin.fetch(
        f"SELECT folder_id, first_run FROM catalogue.folder_digests {digests}"
    ):
        where = "WHERE (folder_id, first_run) = ({}, {})".format(*row)
        found.append(("a digest dropped", f"DELETE FROM catalogue.folder_digests {where}"))
        statement = (
            "UPDATE catalogue.folder_digests SET digest = (SELECT digest FROM"
            f" catalogue.folder_digests WHERE NOT {where.removeprefix('WHERE ')} LIMIT 1) {where}"
        )
        found.append(("a digest replaced", statement))
    return found


async def try_all(
    house: Scene, campaign: Campaign, rows: str = "", digests: str = "", *runs: int
) -> None:
    """Alters one thing after the other; the audit tells of each, and no way gives it out."""
    assert (await house.lies(), await house.audit()) == (([], 0), set())
    for kind, statement in await list_alterations(house.portal.admin, rows, digests):
        try:
            await house.portal.admin.execute(statement)
        except asyncpg.IntegrityConstraintViolationError:
            # A constraint that keeps it out is as good.
            campaign.tried("catalogue: refused by the database")
            continue
        campaign.tried(f"catalogue: {kind}")
        told = await house.audit()
        lies, refused = await house.lies(*runs)
        assert lies == [], (kind, statement)
        assert told, (kind, statement)
        elsewhere = runs and kind.endswith(("first_run", "last_run"))
        assert refused or elsewhere or "digest" in kind, (kind, statement)
        await house.put_back()
    assert (await house.lies(), await house.audit()) == (([], 0), set())


async def test_no_altered_row_gets_out(portal: Portal, campaign: Campaign) -> None:
    async with open_house(portal) as house:
        await try_all(house, campaign, "WHERE name = 'c'", "WHERE first_run = 2", 2)


@pytest.mark.long
async def test_no_row_altered_in_any_way_gets_out(portal: Portal, campaign: Campaign) -> None:
    async with open_house(portal) as house:
        await try_all(house, campaign)


async def test_a_later_commit_makes_nothing_good(portal: Portal, campaign: Campaign) -> None:
    async with open_house(portal) as house:
        admin, client = portal.admin, house.client
        await admin.execute(ALTERATIONS["an older state put back with its digests"])
        plan = str(client.plan_id)
        assert await client.agent.store(plan, {}) == 4
        assert await client.agent.store(plan, {b"new": text(b"new")}) == 5
        campaign.tried("catalogue: an older state put back before a commit")
        lies, _ = await house.lies()
        assert lies == []
        async with portal.client(client.token) as api:
            for run in (3, 4, 5):
                answer = await api.get(f"{AT}/manifest?run={run}")
                assert answer.json()["type"] == "urn:coffre:problem:restore-point-unproven"
        assert "restore-point-unproven" in await house.audit()


async def test_an_older_state_of_the_same_size_is_told(portal: Portal, campaign: Campaign) -> None:
    """Its totals are right and its digests fit: only the seal tells."""
    async with open_house(portal) as house:
        await house.client.commit({b"a": text(b"A LETTER, LATER")}, 4)
        await portal.admin.execute(
            """DELETE FROM catalogue.versions WHERE first_run = 4;
            UPDATE catalogue.versions SET last_run = NULL WHERE last_run = 3;
            DELETE FROM catalogue.folder_digests WHERE first_run = 4"""
        )
        campaign.tried("catalogue: an older state of the same size put back")
        assert "restore-point-unproven" in await house.audit()
        async with portal.client(house.client.token) as api:
            answer = await api.get(f"{AT}/manifest?run=4")
        assert answer.json()["type"] == "urn:coffre:problem:restore-point-unproven"


async def test_a_row_that_is_altered_while_it_is_found_does_not_get_out(
    portal: Portal, campaign: Campaign
) -> None:
    """Altered for the look, and put back for the proof."""
    async with open_house(portal) as house:
        parts, tenant_id = portal.parts, house.client.tenant_id
        asked = AskedPlace(Actor(tenant_id, None, "Camille", "127.0.0.1"), "documents", b"sub/c", 2)
        reader = await open_reader(parts, tenant_id)
        await proving.prove(reader, await browsing.find_place(parts.pool, asked))
        await portal.admin.execute(ALTERATIONS["two files' contents swapped"])
        place = await browsing.find_place(parts.pool, asked)
        await house.put_back()
        campaign.tried("catalogue: a row altered between two looks")
        with pytest.raises(Unproven):
            await proving.prove(reader, place)


async def test_the_newest_restore_point_is_missed(portal: Portal, campaign: Campaign) -> None:
    async with open_house(portal) as house:
        admin = portal.admin
        for number in (3, 2):
            await admin.execute("DELETE FROM catalogue.versions WHERE first_run = $1", number)
            await admin.execute(
                "UPDATE catalogue.versions SET last_run = NULL WHERE last_run = $1 - 1", number
            )
            await admin.execute("DELETE FROM catalogue.folder_digests WHERE first_run = $1", number)
            await admin.execute("DELETE FROM catalogue.runs WHERE number = $1", number)
            await admin.execute("UPDATE catalogue.plans SET last_run = $1 - 1", number)
            campaign.tried("catalogue: newest restore points taken away without a trace")
            async with portal.client(house.client.token) as api:
                for way in ("manifest?", "archive?", "file?path=a"):
                    answer = await api.get(f"{AT}/{way}")
                    assert answer.status_code == 409, way
                    assert answer.json()["type"] == "urn:coffre:problem:restore-points-missing"
                places = [{"plan": "documents", "path": "a", "run": number - 1}]
                for path in ("a", "sub"):
                    both = {"places": [*places, {"plan": "documents", "path": path}]}
                    answer = await api.post("/api/v1/archive", json=both)
                    assert answer.status_code == 409, "one of them is asked for as the newest"
                chosen = await api.get(f"{AT}/manifest?run={number - 1}")
                assert chosen.status_code == 200
            assert "restore-point-missing" in await house.audit()
            client = house.client
            end = bucket.key_of_end(client.tenant_id, client.plan_id, number)
            await portal.parts.objects.delete(end)
            assert "restore-point-missing" in await house.audit(), "the tally tells it alone"
