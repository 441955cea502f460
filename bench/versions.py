"""Fills a catalogue with as many versions as a client has after some years."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from libs.shared.database import Connection

FOLDERS = 5_000
PLANS = 5
RUNS = 365
CHUNKS = 500_000
_PACKS = 200
_LONG_SECONDS = 900

_INTO_VERSIONS = (
    "INSERT INTO catalogue.versions (tenant_id, plan_id, folder_id, first_run, last_run, mode,"
    " kind, mtime_ns, uid, gid, size, crc32, received_at, name, target, chunk_ids)"
)
_COMMON = (
    "facture devis contrat rapport budget client fournisseur bilan annexe projet plan réunion "
    "photo image scan export sauvegarde archive notes courrier lettre tableau index readme module "
    "config test data report invoice draft final version summary commande stock paie planning été"
)
ENDINGS = ["pdf", "docx", "xlsx", "jpg", "txt", "odt", "csv", "html", "py", "png"]
_SYLLABLES = "ba co di fer go lan mi no pra que ri son tu va zel mon ter lec cha pie"

COMMON_WORDS = _COMMON.split()


def list_words() -> list[str]:
    """A vocabulary, the words of the first places being the frequent ones."""
    chance = random.Random(7)
    rare = {
        "".join(chance.choices(_SYLLABLES.split(), k=chance.randrange(2, 5))) for _ in range(1_500)
    }
    return [*COMMON_WORDS, *sorted(rare)]


async def fill(admin: Connection, tenant_id: UUID, versions: int) -> int:
    """Writes plans, runs, folders, about so many versions and chunks; returns how many paths.

    A path has 1 to 5 versions; one in eleven was deleted; one name in a thousand is no UTF-8.
    """
    per_folder = max(10, versions // FOLDERS // 3)
    plan_ids = [uuid4() for _ in range(PLANS)]
    await _add_plans(admin, tenant_id, plan_ids)
    await _add_folders(admin, tenant_id, plan_ids)
    async with bulk(admin, "catalogue.versions"):
        await _add_versions(admin, tenant_id, per_folder)
    await _add_chunks(admin, tenant_id)
    return FOLDERS * per_folder


async def _add_plans(admin: Connection, tenant_id: UUID, plan_ids: list[UUID]) -> None:
    await admin.execute(
        "INSERT INTO catalogue.plans (tenant_id, plan_id, agent_id, name, created_at, last_run)"
        " SELECT $1, p, p, 'plan ' || n, now(), $3"
        " FROM unnest($2::uuid[]) WITH ORDINALITY AS t (p, n)",
        tenant_id,
        plan_ids,
        RUNS,
    )
    await admin.execute(
        "INSERT INTO catalogue.runs (tenant_id, plan_id, number, run_id, committed_at,"
        " files_total, bytes_protected) SELECT $1, p, n, gen_random_uuid(),"
        " now() - make_interval(days => $3 - n), 1, 1"
        " FROM unnest($2::uuid[]) AS p, generate_series(1, $3::integer) AS n",
        tenant_id,
        plan_ids,
        RUNS,
    )


async def _add_folders(admin: Connection, tenant_id: UUID, plan_ids: list[UUID]) -> None:
    """Trees of eight folders in each: number n of a plan lies in number (n + 6) / 8."""
    words = list_words()
    rows = []
    for plan, plan_id in enumerate(plan_ids):
        for n in range(1, FOLDERS // PLANS + 1):
            parent_id = ((n + 6) // 8) * PLANS + plan if n > 1 else 0
            name = f"{words[n % len(words)]} {n}".encode() if n > 1 else b""
            rows.append((tenant_id, n * PLANS + plan, plan_id, parent_id, name))
    columns = ["tenant_id", "folder_id", "plan_id", "parent_id", "name"]
    await admin.copy_records_to_table(
        "folders", schema_name="catalogue", records=rows, columns=columns
    )
    await admin.execute(
        "SELECT setval(pg_get_serial_sequence('catalogue.folders', 'folder_id'), 1000000)"
    )


async def _add_versions(admin: Connection, tenant_id: UUID, per_folder: int) -> None:
    words = list_words()
    # hash: any number that looks like chance; its cube makes some words far more frequent.
    word = "($1::text[])[1 + floor(%s * power(abs(hashint8(%s)) / 2147483648.0, 3))::integer]"
    first = word % ("$2::integer", "f.folder_id * 7919 + n")
    second = word % ("$2::integer", "f.folder_id * 104729 + n * 31")
    await admin.execute(
        f"{_INTO_VERSIONS} SELECT tenant_id, plan_id, parent_id, 1, NULL, 493, 'd', 0, 1000, 1000,"
        " 0, 0, '2026-01-01', name, '', '' FROM catalogue.folders WHERE parent_id <> 0"
        " AND tenant_id = $1",
        tenant_id,
    )
    await admin.execute(
        f"{_INTO_VERSIONS} SELECT f.tenant_id, f.plan_id, f.folder_id, k * 70 - 69 + n % 60,"
        "  CASE WHEN k <= n % 5 THEN k * 70 + n % 60 WHEN n % 11 = 0 THEN k * 70 + n % 60 END,"
        "  420, 'f', 1700000000000000000 + n, 1000, 1000, n * 1000, n, '2026-01-01',"
        f"  convert_to({first} || '-' || {second} || '_' || (hashint8(f.folder_id) & 63) * 1000 + n"
        "   || '.' || ($3::text[])[1 + (hashint8(f.folder_id + n / 7) & 7)], 'UTF8')"
        "  || CASE WHEN n % 1000 = 7 THEN '\\xff'::bytea ELSE '' END, '', ''"
        " FROM catalogue.folders f, generate_series(1, $4::integer) AS n,"
        " LATERAL generate_series(1, 1 + n % 5) AS k WHERE f.tenant_id = $5"
        # As runs brought them: run by run, folder by folder.
        " ORDER BY 4, 3",
        words,
        len(words),
        ENDINGS,
        per_folder,
        tenant_id,
        timeout=_LONG_SECONDS,
    )


async def _add_chunks(admin: Connection, tenant_id: UUID) -> None:
    await admin.execute(
        "INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count, stored_at,"
        " verified_at) SELECT $1, sha256(n::text::bytea), 1, 1, now(), now()"
        " FROM generate_series(1, $2::integer) AS n",
        tenant_id,
        _PACKS,
    )
    await admin.execute(
        'INSERT INTO catalogue.chunks (tenant_id, pack_no, crc32, "offset", length, size,'
        " encoding, chunk_id) SELECT tenant_id, pack_no, 1, 8, 9, 1, 1,"
        " sha256((pack_no * 100000 + n)::text::bytea)"
        " FROM catalogue.packs, generate_series(1, $1::integer) AS n WHERE tenant_id = $2",
        CHUNKS // _PACKS,
        tenant_id,
        timeout=_LONG_SECONDS,
    )


@asynccontextmanager
async def bulk(admin: Connection, table: str) -> AsyncIterator[None]:
    """Takes a table's keys away while rows come, and gives the same back."""
    keys = await admin.fetch(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition,"
        " c.conname, pg_get_constraintdef(c.oid) AS meaning FROM pg_index"
        " LEFT JOIN pg_constraint c ON c.conindid = indexrelid WHERE indrelid = $1::text::regclass",
        table,
    )
    for key in keys:
        await admin.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT {key['conname']}"
            if key["conname"]
            else f"DROP INDEX {key['name']}"
        )
    yield
    for key in keys:
        await admin.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {key['conname']} {key['meaning']}"
            if key["conname"]
            else key["definition"],
            timeout=_LONG_SECONDS,
        )
