"""A catalogue of ten million versions: folders, histories and searches, as the portal asks.

`python -m bench.catalogue` builds it in a PostgreSQL of its own, some 5 GB, and prints times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from bench import versions as content
from devstack import postgresql
from devstack.ports import Ports
from devstack.processes import Processes
from libs.shared import catalogue, database
from libs.shared.catalogue import Search, terms
from libs.shared.database import Connection
from services.ingest import store
from services.ingest.actions import names

VERSIONS = 10_000_000
ROUNDS = 300
_CHUNKS_ASKED = 4_096
_PAGE = 100

Say = Callable[[str], None]
Question = Callable[[Connection], Awaitable[object]]


def main() -> int:
    """Builds, measures, prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.catalogue", description=__doc__)
    default = Path(tempfile.gettempdir()) / "coffre-bench"
    parser.add_argument("--dir", type=Path, default=default, help=f"where to work ({default})")
    parser.add_argument("--versions", type=int, default=VERSIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="questions of each kind")
    options = parser.parse_args()

    def say(text: str) -> None:
        print(text, flush=True)

    print(json.dumps(measure(options.dir.resolve(), say, options.versions, options.rounds)))
    return 0


def measure(
    folder: Path, say: Say, versions: int = VERSIONS, rounds: int = ROUNDS
) -> dict[str, Any]:
    """What `results` shows; `times_ms` has (p50, p99) for each kind of question."""
    with open_server(folder / "catalogue") as admin_dsn:
        return asyncio.run(_measure(admin_dsn, say, versions, rounds))


@contextmanager
def open_server(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own, gone afterwards; yields its administrator's address."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for each in (folder.parent, folder):
        each.chmod(0o711)
    processes, ports = Processes(folder), Ports(folder)
    place = folder / "postgresql"
    try:
        password = secrets.token_hex(16)
        yield postgresql.start(processes, place, password, ports, durable=False).dsn()
    finally:
        processes.close(at_once=True)
        ports.close()
        shutil.rmtree(place.resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


async def open_database(admin_dsn: str, services: Sequence[str]) -> Callable[[str], str]:
    """Makes the database with what these services need; returns what gives a role's address."""
    passwords = {role: secrets.token_hex(16) for role in database.ROLES}
    await database.bootstrap(admin_dsn, "coffre", passwords)
    server = admin_dsn.rpartition("@")[2].partition("/")[0]

    def dsn(role: str) -> str:
        return f"postgresql://{role}:{passwords[role]}@{server}/coffre"

    for service in services:
        await database.migrate(dsn("coffre_owner"), service)
    return dsn


async def _measure(admin_dsn: str, say: Say, versions: int, rounds: int) -> dict[str, Any]:
    dsn = await open_database(admin_dsn, ("ingest",))
    admin = await asyncpg.connect(admin_dsn.rpartition("/")[0] + "/coffre")
    tenant_id = uuid4()
    begun = time.perf_counter()
    paths = await content.fill(admin, tenant_id, versions)
    count = await admin.fetchval("SELECT count(*) FROM catalogue.versions")
    say(f"{count:,} versions of {paths:,} paths written in {time.perf_counter() - begun:.0f} s")
    seconds = await _index(admin, dsn("coffre_ingest"))
    say(f"their names made findable in {seconds:.0f} s")
    kinds = _Questions(tenant_id, await _samples(admin)).by_kind()
    portal = dsn("coffre_portal")
    unknown = await _time(portal, tenant_id, kinds, 5)
    await admin.execute("VACUUM ANALYZE", timeout=900)
    times = await _time(portal, tenant_id, kinds, rounds)
    for kind, (p50, p99) in times.items():
        say(
            f"{kind:40} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms, {unknown[kind][1]:6.1f} ms unanalysed"
        )
    names, all_versions = [
        await admin.fetchval(
            "SELECT sum(pg_total_relation_size('catalogue.' || name)) FROM unnest($1::text[]) name",
            tables,
        )
        for tables in (["bundles", "terms"], ["versions"])
    ]
    await admin.close()
    return {
        "versions": count,
        "paths": paths,
        "names_per_second": round(paths / seconds),
        "name_bytes_per_version": round(float(names) / count, 1),
        "bytes_per_version": round(float(all_versions) / count, 1),
        "times_ms": times,
    }


async def _index(admin: Connection, ingest_dsn: str) -> float:
    """Has ingest's own job make all names findable; returns how long it took."""
    pool = await database.create_pool(ingest_dsn, "ingest", max_size=1)
    begun = time.perf_counter()
    async with database.transaction(pool) as conn:
        for plan in await conn.fetch("SELECT tenant_id, plan_id FROM catalogue.plans"):
            await store.rebuild.note_all_names(
                conn, store.plans.CommitPlace(plan["tenant_id"], plan["plan_id"], 0)
            )
    while await names.add_due_names(pool):
        pass
    seconds = time.perf_counter() - begun
    await pool.close()
    return seconds


async def _samples(admin: Connection) -> dict[str, list[Any]]:
    """Paths (plan, folder's path, name) and chunk ids to ask for."""
    rows = await admin.fetch(
        "SELECT v.tenant_id, v.plan_id, v.folder_id, v.name FROM catalogue.versions v"
        " TABLESAMPLE SYSTEM (0.1) WHERE v.kind = 'f' LIMIT 5000"
    )
    folders = await catalogue.find_paths(
        admin, rows[0]["tenant_id"], list({row["folder_id"] for row in rows})
    )
    chunks = await admin.fetch("SELECT chunk_id FROM catalogue.chunks TABLESAMPLE SYSTEM (10)")
    return {
        "paths": [(row["plan_id"], folders[row["folder_id"]], row["name"]) for row in rows],
        "chunks": [row["chunk_id"] for row in chunks],
    }


class _Questions:
    """What is asked, by kind: each time another folder, path, run or part of a name."""

    def __init__(self, tenant_id: UUID, samples: dict[str, list[Any]]) -> None:
        self._tenant_id = tenant_id
        self._samples = samples
        self._chance = random.Random(11)
        self._words = content.list_words()

    def by_kind(self) -> dict[str, Question]:
        """Each kind's name, and what asks it once."""
        word, common = self._word, self._common
        return {
            "a folder of a restore point": self._list_folder,
            "a folder with deleted entries": self._list_deleted,
            "one entry": self._find_entry,
            "the versions of a path": self._list_versions,
            "the first slice of a walk": self._walk,
            f"{_CHUNKS_ASKED:,} chunks": self._locate,
            "search: a frequent word": self._search(lambda: Search(common()), 50),
            "search: any word": self._search(lambda: Search(word())),
            "search: two words": self._search(lambda: Search(f"{common()}-{common()}")),
            "search: two words in any order": self._search(
                lambda: Search(f"{common()} {common()}")
            ),
            "search: part of one name": self._search(self._part, 1),
            "search: a whole name": self._search(lambda: Search(self._name()), 1),
            "search: a beginning of two letters": self._search(lambda: Search(word()[:2])),
            "search: in a plan": self._search(lambda: Search(word(), self._path()[0])),
            "search: below a folder": self._search(self._below),
            "search: deleted only": self._search(lambda: Search(common(), deleted=True)),
            "search: nothing has it": self._search(lambda: Search(word() + "qqx")),
            "search: nothing has it, all of it frequent": self._search(
                lambda: Search(f"{common()}-{common()}-")
            ),
        }

    def _path(self) -> tuple[UUID, bytes, bytes]:
        """(plan, folder, name) of some path."""
        plan_id, folder, name = self._chance.choice(self._samples["paths"])
        return plan_id, folder, name

    def _run(self) -> int:
        return self._chance.randint(1, content.RUNS)

    def _name(self) -> str:
        return terms.fold(self._path()[2])

    def _part(self) -> Search:
        """Nine characters around a name's number."""
        text = self._name()
        begin = text.index("_") - 4
        return Search(text[begin : begin + 9])

    def _below(self) -> Search:
        plan_id, folder, _ = self._path()
        return Search(self._common(), plan_id, folder)

    def _word(self) -> str:
        return terms.fold(self._chance.choice(self._words).encode())

    def _common(self) -> str:
        return terms.fold(self._chance.choice(content.COMMON_WORDS).encode())

    async def _list_folder(self, conn: Connection) -> None:
        plan_id, folder, _ = self._path()
        order = catalogue.FolderOrder(self._chance.choice(["name", "size", "changed"]))
        place = self._tenant_id, plan_id, self._run(), folder
        await catalogue.list_page(conn, place, order, _PAGE)

    async def _list_deleted(self, conn: Connection) -> None:
        plan_id, folder, _ = self._path()
        place = self._tenant_id, plan_id, content.RUNS, folder
        page = await catalogue.list_page(conn, place, catalogue.FolderOrder(), _PAGE, deleted=True)
        assert page.entries

    async def _find_entry(self, conn: Connection) -> None:
        plan_id, folder, name = self._path()
        path = folder + b"/" + name
        await catalogue.find_entry(conn, self._tenant_id, plan_id, self._run(), path)

    async def _list_versions(self, conn: Connection) -> None:
        plan_id, folder, name = self._path()
        path = folder + b"/" + name
        assert await catalogue.list_versions(conn, self._tenant_id, plan_id, path)

    async def _walk(self, conn: Connection) -> None:
        plan_id, folder, _ = self._path()
        tree = catalogue.Tree(self._tenant_id, plan_id, self._run(), folder)
        async with aclosing(catalogue.walk(lambda: nullcontext(conn), tree, catalogue.ROWS)) as met:
            await anext(met)

    async def _locate(self, conn: Connection) -> None:
        known = self._samples["chunks"]
        asked = self._chance.sample(known, min(_CHUNKS_ASKED, len(known)))
        assert len(await catalogue.locate_chunks(conn, self._tenant_id, asked)) == len(asked)

    def _search(self, make: Callable[[], Search], least: int = 0) -> Question:
        async def ask(conn: Connection) -> None:
            found, _ = await catalogue.search(conn, self._tenant_id, make())
            assert len(found) >= least

        return ask


async def _time(
    dsn: str, tenant_id: UUID, kinds: dict[str, Question], rounds: int
) -> dict[str, tuple[float, float]]:
    """(p50, p99) in milliseconds by kind, a connection of its own for each kind."""
    times = {}
    for kind, ask in kinds.items():
        pool = await database.create_pool(dsn, "portal", max_size=1)
        taken = []
        for _ in range(rounds):
            begun = time.perf_counter()
            async with database.tenant_transaction(pool, tenant_id) as conn:
                await ask(conn)
            taken.append((time.perf_counter() - begun) * 1000)
        await pool.close()
        taken.sort()
        times[kind] = (taken[len(taken) // 2], taken[min(len(taken) - 1, len(taken) * 99 // 100)])
    return times


if __name__ == "__main__":
    sys.exit(main())
