"""Fills an installation's database with a provider's clients and what they did for three years."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import argon2

from bench import versions as content
from bench.versions import bulk
from libs.shared.database import Connection

PASSWORD = "la pluie tombe sur Nantes"
_LONG_SECONDS = 900
_LARGE_PACKS = 60_000
"""As a terabyte has, of the client whose versions are counted in millions."""
_OF_CLIENT = "md5('client ' || n)::uuid"
_OF_PLAN = "md5('plan ' || n || ' ' || place)::uuid"
_OF_AGENT = "md5('agent ' || n || ' ' || place % 2)::uuid"
_WARNING = """'[{"code": "clock-behind", "subject": "", "amount": 90, "detail": ""}]'"""
_FAILURE = """'{"code": "folder-missing", "subject": "/srv/data", "detail": ""}'"""
_FIGURES = """jsonb_build_array(
    jsonb_build_object('name', 'files', 'now', 47912, 'usual', 47800, 'spread', 300,
        'is_unusual', false),
    jsonb_build_object('name', 'size_bytes', 'now', 184200000000, 'usual', 184000000000,
        'spread', 900000000, 'is_unusual', false),
    jsonb_build_object('name', 'new_bytes', 'now', 1200000000, 'usual', 1100000000,
        'spread', 300000000, 'is_unusual', false))"""


@dataclass(frozen=True)
class Size:
    """How much there is of everything."""

    clients: int = 1_000
    days: int = 3 * 365
    versions: int = 10_000_000


def email_of(number: int) -> str:
    """The administrator's of a client, counted from 1."""
    return f"administrator-{number}@client.example"


async def fill(admin: Connection, size: Size) -> UUID:
    """Writes everything, of the first client the millions of versions; returns its id.

    Ingest makes their names findable later. What a crash would take is written without waiting
    for the disk, and settings are as before afterwards."""
    cheap = "fsync = off", "full_page_writes = off", "max_wal_size = '16GB'"
    for setting in cheap:
        await admin.execute(f"ALTER SYSTEM SET {setting}")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.execute("SET synchronous_commit = off")
    await admin.execute("SET maintenance_work_mem = '512MB'")
    large_id: UUID = await admin.fetchval("SELECT md5('client ' || 1)::uuid")
    await content.fill(admin, large_id, size.versions)
    await _add_large_packs(admin, large_id)
    await _add_clients(admin, size)
    await _add_people(admin, size)
    await _add_plans(admin, size)
    await _add_runs(admin, size)
    await _add_days(admin, size)
    await _add_incidents(admin, size)
    await admin.execute("ALTER SYSTEM RESET ALL")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.execute("VACUUM ANALYZE", timeout=_LONG_SECONDS)
    await admin.execute("CHECKPOINT", timeout=_LONG_SECONDS)
    return large_id


async def _add_large_packs(admin: Connection, tenant_id: UUID) -> None:
    await admin.execute(
        """
        INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count, stored_at,
            verified_at)
        SELECT $1, sha256(('large ' || n)::bytea), 16000000, 1, now() - interval '90 days',
            now() - make_interval(mins => n % 40000)
        FROM generate_series(1, $2::integer) AS n
        """,
        tenant_id,
        _LARGE_PACKS,
        timeout=_LONG_SECONDS,
    )


async def _add_clients(admin: Connection, size: Size) -> None:
    """Clients, of which each has a contract, a volume and an allowance; 3 in 100 are over it."""
    since = f"now() - make_interval(days => {size.days})"
    await admin.execute(
        f"""
        INSERT INTO portal.tenants (tenant_id, name, locale, timezone, contracted_bytes, seats,
            retention_days, subscription, version, created_at, subscription_since)
        SELECT {_OF_CLIENT}, 'Société ' || upper(substr(md5(n::text), 1, 6)) || ' ' || n,
            CASE n % 5 WHEN 0 THEN 'en' ELSE 'fr' END, 'Europe/Paris', 1000000000000, 3, 30,
            'active', 1, {since}, {since}
        FROM generate_series(1, $1::integer) AS n
        """,
        size.clients,
    )
    await admin.execute(
        """
        INSERT INTO portal.orders (order_id, tenant_id, number, what, before, after, cause,
            ordered_at, effective_at, "by", reason, clause, unit_price, entry_fee, currency,
            vat_percent)
        SELECT gen_random_uuid(), t.tenant_id, o.number, o.what, 0, o.after, 'opened',
            t.created_at, t.created_at, 'Coffre', '', '', o.unit_price, o.entry_fee, 'EUR', 20
        FROM portal.tenants t, LATERAL (VALUES
            (1, 'storage', t.contracted_bytes, 90.00, 0), (2, 'seats', t.seats, 3.00, 15.00)
        ) AS o (number, what, after, unit_price, entry_fee)
        WHERE t.name LIKE 'Société %'
        """
    )
    await admin.execute(
        f"""
        WITH held AS (
            SELECT {_OF_CLIENT} AS id, n, CASE n % 33 WHEN 5 THEN 1050000000000
                ELSE n % 97 * 10000000000 END AS bytes
            FROM generate_series(1, $1::integer) AS n
        ), allowed AS (
            INSERT INTO portal.allowances (tenant_id, version, ceiling_bytes, blocked, reason)
            SELECT id, 1, 1100000000000, false, '' FROM held
        ), opened AS (
            INSERT INTO portal.overages (case_id, tenant_id, version, is_open, opened_at,
                passed_at, deadline_at, final_at, fills)
            SELECT md5('case ' || n)::uuid, id, 1, true, day, day, day + interval '30 days',
                day + interval '60 days', '[]'
            FROM (SELECT *, now() - make_interval(days => n % 29) AS day FROM held
                  WHERE n % 33 = 5) h
        )
        INSERT INTO portal.volumes (tenant_id, stored_bytes, protected_bytes, sequence)
        SELECT id, bytes, bytes * 2, 1 FROM held
        """,
        size.clients,
    )


async def _add_people(admin: Connection, size: Size) -> None:
    """An administrator for each client, all with one password, hashed as the portal does."""
    hashed = argon2.PasswordHasher().hash(PASSWORD)
    await admin.execute(
        f"""
        INSERT INTO portal.users (user_id, tenant_id, role, name, email, locale, password_hash,
            one_time, created_at)
        SELECT md5('user ' || n)::uuid, {_OF_CLIENT}, 'administrator', 'Camille Martin ' || n,
            'administrator-' || n || '@client.example',
            CASE n % 5 WHEN 0 THEN 'en' ELSE 'fr' END, $2, false, now()
        FROM generate_series(1, $1::integer) AS n
        """,
        size.clients,
        hashed,
    )


async def _add_plans(admin: Connection, size: Size) -> None:
    """1 to 4 plans on two machines, each with a month of restore points; one client has more."""
    await admin.execute(
        f"""
        INSERT INTO catalogue.plans (tenant_id, plan_id, agent_id, name, created_at, last_run)
        SELECT {_OF_CLIENT}, {_OF_PLAN}, {_OF_AGENT}, 'plan ' || place, now(), $2
        FROM generate_series(2, $1::integer) AS n, generate_series(1, 1 + n % 4) AS place
        """,
        size.clients,
        size.days,
    )
    await admin.execute(
        """
        INSERT INTO catalogue.runs (tenant_id, plan_id, number, run_id, committed_at, files_total,
            bytes_protected)
        SELECT p.tenant_id, p.plan_id, $2 - back, gen_random_uuid(),
            now() - make_interval(days => back), 47912, 184200000000
        FROM catalogue.plans p, generate_series(0, 29) AS back
        WHERE p.tenant_id <> md5('client ' || 1)::uuid AND p.tenant_id IN (
            SELECT md5('client ' || n)::uuid FROM generate_series(2, $1::integer) AS n)
        """,
        size.clients,
        size.days,
        timeout=_LONG_SECONDS,
    )
    await admin.execute(
        f"""
        INSERT INTO portal.agents (agent_id, tenant_id, hostname, platform, agent_version,
            enrolled_at)
        SELECT DISTINCT c.agent_id, c.tenant_id, 'srv-' || substr(c.agent_id::text, 1, 5),
            'linux', '1.0.0', now()
        FROM catalogue.plans c JOIN {_few(size)} USING (tenant_id)
        """
    )
    await admin.execute(
        f"""
        INSERT INTO portal.plans (plan_id, tenant_id, version, agent_id, hostname, name, folders,
            schedule, timezone, recipients)
        SELECT c.plan_id, c.tenant_id, 1, c.agent_id, 'srv-' || substr(c.agent_id::text, 1, 5),
            c.name, '["/srv/data", "/home"]', '15 2 * * *', 'Europe/Paris', '["it@client.example"]'
        FROM catalogue.plans c JOIN {_few(size)} USING (tenant_id)
        """
    )


def _few(size: Size) -> str:
    """The clients of this bench, as a table to join with."""
    return f"(SELECT {_OF_CLIENT} AS tenant_id FROM generate_series(1, {size.clients}) AS n) filled"


async def _add_runs(admin: Connection, size: Size) -> None:
    """A run of each plan each night, in the order of time; some fail, some have warnings."""
    kind = "abs(hashtext(p.plan_id::text || day))  % 100"
    async with bulk(admin, "portal.runs"):
        await admin.execute(
            f"""
            INSERT INTO portal.runs (run_id, tenant_id, plan_id, number, outcome, reason,
                started_at, finished_at, restore_point, files_total, files_new, files_changed,
                bytes_protected, bytes_sent, stored_bytes, warnings, log_tail)
            SELECT md5(p.plan_id::text || day)::uuid, p.tenant_id, p.plan_id, day,
                CASE WHEN kind < 2 THEN 'failed' WHEN kind < 7 THEN 'succeeded_with_warnings'
                     ELSE 'succeeded' END,
                CASE WHEN kind < 2 THEN {_FAILURE}::jsonb END,
                night, night + interval '7 minutes', kind >= 2, 47912, 18, 204, 184200000000,
                1200000000, 96400000000,
                CASE WHEN kind BETWEEN 2 AND 6 THEN {_WARNING} ELSE '[]' END::jsonb,
                '02:15:00 begins; 02:22:00 ends: 47,912 files'
            FROM (
                SELECT p.*, day, {kind} AS kind,
                    date_trunc('day', now()) + interval '75 minutes'
                        - make_interval(days => $1 - day) AS night
                FROM generate_series(1, $1::integer) AS day, portal.plans p
                JOIN {_few(size)} USING (tenant_id)
                ORDER BY day
            ) p
            """,
            size.days,
            timeout=_LONG_SECONDS,
        )
    await admin.execute(
        """
        UPDATE portal.plans p
        SET last_number = r.number, last_outcome = r.outcome, last_finished_at = r.finished_at
        FROM portal.runs r WHERE r.plan_id = p.plan_id AND r.number = $1
        """,
        size.days,
        timeout=_LONG_SECONDS,
    )
    async with bulk(admin, "portal.judgements"):
        await admin.execute(
            f"""
            INSERT INTO portal.judgements (tenant_id, run_id, verdicts, figures, judged_at)
            SELECT tenant_id, run_id, '[]', {_FIGURES}, finished_at
            FROM portal.runs JOIN {_few(size)} USING (tenant_id) WHERE restore_point
            """,
            timeout=_LONG_SECONDS,
        )
    async with bulk(admin, "portal.reports"):
        await admin.execute(
            f"""
            INSERT INTO portal.reports (run_id, recipient, tenant_id, plan_id, sent_at)
            SELECT run_id, 'it@client.example', tenant_id, plan_id, finished_at
            FROM portal.runs JOIN {_few(size)} USING (tenant_id)
            """,
            timeout=_LONG_SECONDS,
        )


async def _add_days(admin: Connection, size: Size) -> None:
    await admin.execute(
        """
        INSERT INTO portal.volume_days (tenant_id, day, version, stored_bytes, protected_bytes,
            contracted_bytes)
        SELECT v.tenant_id, current_date - back, 1, v.stored_bytes * (2000 - back) / 2000,
            v.protected_bytes, 1000000000000
        FROM generate_series(0, $1::integer) AS back, portal.volumes v
        WHERE v.tenant_id IN (SELECT tenant_id FROM portal.tenants WHERE name LIKE 'Société %')
        """,
        size.days,
        timeout=_LONG_SECONDS,
    )


async def _add_incidents(admin: Connection, size: Size) -> None:
    """Of each plan whose last run failed one that is open, and of those before what was closed."""
    await admin.execute(
        f"""
        INSERT INTO portal.incidents (incident_id, tenant_id, version, plan_id, cause, rank,
            opened_at, last_at, times, acknowledged_by, note, closed_at, closed_by)
        SELECT run_id, tenant_id, 1, plan_id, 'failed', 5, finished_at, finished_at, 1,
            CASE WHEN number % 3 = 0 THEN 'Dominique' ELSE '' END, '',
            CASE WHEN number < $1 THEN finished_at + interval '1 day' END,
            CASE WHEN number < $1 THEN 'Coffre' ELSE '' END
        FROM portal.runs JOIN {_few(size)} USING (tenant_id) WHERE outcome = 'failed'
        """,
        size.days,
        timeout=_LONG_SECONDS,
    )
