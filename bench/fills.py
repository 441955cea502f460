"""What fills the volume of a client with a million files: asked, previewed, counted.

`python -m bench.fills` builds such a catalogue in a PostgreSQL of its own and prints times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from bench.catalogue import open_database, open_server
from libs.shared import clock, database
from libs.shared.database import Connection
from services.portal.actions import reductions as portal
from services.portal.rules.log.chain import Actor
from services.portal.rules.reductions import ReductionWish
from services.retention import actions, store
from services.retention.actions.resources import Resources
from services.retention.rules.reductions import Reduction

FILES = 1_000_000
PLANS = 5
FOLDERS = 20_000
PACK_FILES = 200
ROUNDS = 50


def main() -> int:
    """Builds, measures, prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.fills", description=__doc__)
    default = Path(tempfile.gettempdir()) / "coffre-bench"
    parser.add_argument("--dir", type=Path, default=default, help=f"where to work ({default})")
    parser.add_argument("--files", type=int, default=FILES)
    options = parser.parse_args()
    with open_server(options.dir.resolve() / "fills") as admin_dsn:
        print(json.dumps(asyncio.run(_measure(admin_dsn, options.files))))
    return 0


async def _measure(admin_dsn: str, files: int) -> dict[str, Any]:
    """Seconds for each kind of question; looks have (p50, p99)."""
    dsn = await open_database(admin_dsn, ("ingest", "retention", "portal"))
    admin = await asyncpg.connect(admin_dsn.rpartition("/")[0] + "/coffre")
    tenant_id = uuid4()
    await _fill(admin, tenant_id, files)
    await admin.execute("VACUUM ANALYZE", timeout=900)
    plan_id = await admin.fetchval("SELECT plan_id FROM catalogue.plans LIMIT 1")
    folder = await admin.fetchval(
        "SELECT name FROM catalogue.folders WHERE plan_id = $1 AND parent_id <> 0 LIMIT 1", plan_id
    )
    keeper = await database.create_pool(dsn("coffre_retention"), "retention")
    pool = await database.create_pool(dsn("coffre_portal"), "portal")
    nothing: Any = None  # neither store nor keys are asked
    resources = Resources(keeper, nothing, nothing)
    actor = Actor(tenant_id, None, "Camille", "")

    def preview(what: Any, name: bytes = b"") -> Callable[[], Awaitable[object]]:
        wish = ReductionWish(what, str(plan_id), name, "2100-01-01" if what == "older" else "")
        return lambda: portal.preview(pool, actor, tenant_id, wish)

    measured: dict[str, Any] = {"files": files}
    measured["counted"] = await _time(
        lambda: actions.fills.measure_tenant(resources, tenant_id, clock.now())
    )
    for name, path in (("plans", ""), ("a plan's folders", str(plan_id))):
        look = partial(portal.look_at, pool, actor, tenant_id, path)
        looks = sorted([await _time(look) for _ in range(ROUNDS)])
        measured[f"look at {name}"] = statistics.median(looks), looks[-1]
    measured["preview of a plan"] = await _time(preview("plan"))
    measured["preview of a folder"] = await _time(preview("folder", folder))
    measured["marked"] = await _time(
        lambda: actions.collection.packs.mark_tenant(resources, tenant_id, clock.now())
    )
    await _order(keeper, tenant_id, plan_id)
    measured["plan dropped, until it counts no more"] = await _time(
        lambda: _carry_out(resources, tenant_id)
    )
    for one in (admin, pool, keeper):
        await one.close()
    return measured


async def _order(keeper: database.Pool, tenant_id: UUID, plan_id: UUID) -> None:
    """Has the plan dropped, as an event of the portal does."""
    order = Reduction(tenant_id, uuid4(), plan_id, "plan", None, None, "ordered", None)
    async with database.transaction(keeper) as conn:
        await store.tenants.put(conn, tenant_id, 1, 30, "active")
        await store.reductions.put(conn, order, "Camille", clock.now())


async def _carry_out(resources: Resources, tenant_id: UUID) -> None:
    async with database.acquire(resources.pool) as conn:
        [waiting] = await store.reductions.list_uncounted(conn)
    assert waiting.tenant_id == tenant_id
    await actions.reductions.carry_out(resources, waiting)


async def _time(ask: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await ask()
    return round(time.perf_counter() - begun, 3)


async def _fill(admin: Connection, tenant_id: UUID, files: int) -> None:
    """Plans with folders of folders, and files of one chunk; every 20th content is another's."""
    await admin.execute(
        "INSERT INTO portal.tenants (tenant_id, name, locale, timezone, contracted_bytes, seats,"
        " retention_days, subscription, version, created_at)"
        " VALUES ($1, 'Bench', 'fr', 'Europe/Paris', 1000000000, 1, 30, 'active', 1, now())",
        tenant_id,
    )
    await admin.execute(
        "INSERT INTO catalogue.plans (tenant_id, plan_id, agent_id, name, created_at, last_run)"
        " SELECT $1, p, p, p::text, now(), 1 FROM (SELECT gen_random_uuid() AS p"
        " FROM generate_series(1, $2::integer)) AS t",
        tenant_id,
        PLANS,
    )
    await admin.execute(
        "INSERT INTO catalogue.runs SELECT tenant_id, plan_id, 1, plan_id, now(), 1, 1"
        " FROM catalogue.plans"
    )
    await admin.execute(
        "INSERT INTO catalogue.folders (tenant_id, folder_id, plan_id, parent_id, name)"
        " OVERRIDING SYSTEM VALUE SELECT tenant_id, place * 100000 + n, plan_id,"
        " CASE n WHEN 1 THEN 0 ELSE place * 100000 + (n + 6) / 8 END,"
        " CASE n WHEN 1 THEN ''::bytea ELSE ('folder ' || n)::bytea END"
        " FROM (SELECT *, row_number() OVER () AS place FROM catalogue.plans) p,"
        " generate_series(1, $1::integer) AS n",
        FOLDERS // PLANS,
    )
    await admin.execute(
        "INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count, stored_at,"
        " verified_at) SELECT $1, sha256(n::text::bytea), 10000000, 1, now() - interval '9 days',"
        " now() FROM generate_series(1, $2::integer) AS n",
        tenant_id,
        files // PACK_FILES,
    )
    await admin.execute(
        'INSERT INTO catalogue.chunks (tenant_id, pack_no, crc32, "offset", length, size,'
        " encoding, chunk_id) SELECT $1, p.low + n / $3, 1, 8, 40000, 50000, 1,"
        " sha256(n::text::bytea) FROM generate_series(0, $2::integer - 1) AS n,"
        " (SELECT min(pack_no) AS low FROM catalogue.packs) p",
        tenant_id,
        files,
        PACK_FILES,
        timeout=900,
    )
    await admin.execute(
        "INSERT INTO catalogue.versions (tenant_id, plan_id, folder_id, first_run, mode, kind,"
        " mtime_ns, uid, gid, size, crc32, received_at, name, target, chunk_ids)"
        " SELECT f.tenant_id, f.plan_id, f.folder_id, 1, 420, 'f', 0, 0, 0, 50000, 1,"
        " now(), ('file ' || n)::bytea, '',"
        " sha256((CASE n % 20 WHEN 0 THEN n / 7 ELSE n END)::text::bytea)"
        " FROM generate_series(0, $1::integer - 1) AS n JOIN (SELECT *,"
        " row_number() OVER (ORDER BY folder_id) - 1 AS place FROM catalogue.folders) f"
        " ON f.place = n / $2",
        files,
        files // FOLDERS,
        timeout=900,
    )
    await admin.execute(
        "INSERT INTO catalogue.volumes SELECT tenant_id, sum(object_bytes), 1, 1"
        " FROM catalogue.packs GROUP BY tenant_id"
    )


if __name__ == "__main__":
    sys.exit(main())
