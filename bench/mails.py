"""The mail queue against aiosmtplib alone, and from the end of a run to the mail server's word.

`python -m bench.mails` starts its own servers, or uses those of COFFRE_TEST_SERVERS.
Prints one JSON line: mails a second of both, in turn, with the same messages over 100 connections,
and the ratio (the issue: at least 0.7); seconds from the end of a run until the mail server has
taken its report, one after the other (p99 < 1) and of many that end within a while (< 30).
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import logging
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiosmtplib
import structlog
import uvloop

from bench.sink import CONNECTIONS
from devstack import lease
from devstack.rabbitmq import RabbitMQ
from libs.shared import bus, clock, database, inbox, outbox
from libs.shared.events import PlanDeclared, Recipient, RunFinished, TenantChanged
from libs.shared.runtime.jobs import Runner
from libs.shared.signatures import Senders, Signer
from services.reporting import consumers, jobs
from services.reporting.actions.resources import Resources
from services.reporting.actions.sending import Sender
from services.reporting.mail import compose
from services.reporting.mail.rendering import Rendered
from services.reporting.mail.smtp import MailServer
from services.reporting.rules.pacing import Limits

SEED = bytes(32)
"""The keys of senders, for the few seconds of a measurement."""
CLIENTS = 200
SENDERS = ("ingest", "portal")
RESOURCES = Resources(
    "Coffre <coffre@provider.example>",
    ("hotline@provider.example",),
    "https://portal.example",
    bytes(32),
)
LINE = "- /srv/documents/comptabilité/exercice 2026/facture.ods : 12 Mo\n"


class SinkProcess:
    """The mail server, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.sink"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = self._read()

    def _read(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def count(self) -> int:
        """How many mails it has taken so far."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """Ends it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


@functools.cache
def _content() -> bytes:
    return compose.encode(Rendered(LINE * 40, f"<p>{LINE}</p>\n" * 60))


def _message(number: int) -> bytes:
    """A report as long as ours are."""
    return compose.compose(
        RESOURCES.sender,
        _recipient(number),
        "Jeanne Martin",
        "REUSSIE - sauvegarde « documents », Boulangerie Martin",
        _content(),
        message_id=f"<report.{number}.{uuid4().hex}@provider.example>",
        written_at=datetime(2026, 11, 29, tzinfo=UTC),
    )


def _recipient(number: int) -> str:
    return f"jeanne@client-{number % CLIENTS}.example"


_LEFT = "SELECT EXISTS (SELECT FROM mails WHERE state <> 'sent')"


def _quiet() -> None:
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def measure_raw(port: int, count: int) -> float:
    """Mails a second with aiosmtplib as its documentation shows, a connection for each worker."""

    async def send() -> float:
        messages = iter([(number, _message(number)) for number in range(count)])

        async def work() -> None:
            async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
                for number, message in messages:
                    await client.sendmail("coffre@provider.example", [_recipient(number)], message)

        begun = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return count / (time.perf_counter() - begun)

    return uvloop.run(send())


def measure_queue(dsn: str, port: int, count: int) -> tuple[float, float]:
    """Mails a second from rows that wait to rows that are sent, and our processor's share."""
    _quiet()

    async def send() -> tuple[float, float]:
        async with await database.create_pool(dsn, "reporting") as pool:
            await _fill(pool, count)
            limits = Limits(CONNECTIONS, CONNECTIONS, 1e6)
            sender = Sender(pool, MailServer("127.0.0.1", port, "none"), RESOURCES, limits)
            begun, used = time.perf_counter(), time.process_time()
            async with database.leading(dsn, "reporting", sender.lock):
                sending = asyncio.create_task(sender.send())
                while not sending.done() and await pool.fetchval(_LEFT):
                    await asyncio.sleep(0.05)
                seconds = time.perf_counter() - begun
                share = (time.process_time() - used) / seconds
                await sending
            await pool.execute("DELETE FROM mails")
        return count / seconds, share

    return uvloop.run(send())


async def _fill(pool: database.Pool, count: int) -> None:
    """Mails of many clients, all due."""
    now = clock.now()
    async with database.transaction(pool) as conn:
        await conn.executemany(
            """
            INSERT INTO mails (mail_id, tenant_id, kind, subject_id, recipient, message_id, subject,
                               body, state, created_at, due_at, give_up_at)
            VALUES ($1, $2, 'document', $1, $3, $7, 'REUSSIE', $4, 'queued', $5, $5, $6)
            """,
            [
                (
                    uuid4(),
                    UUID(int=number % CLIENTS + 1),
                    _recipient(number),
                    _message(number),
                    now,
                    now + timedelta(days=5),
                    f"<{uuid4().hex}@provider.example>",
                )
                for number in range(count)
            ],
        )


async def _relay(dsn: str, amqp_url: str) -> None:
    await outbox.Relay("ingest", dsn, amqp_url, Signer("ingest", SEED)).run()


async def _report(dsn: str, amqp_url: str, port: int) -> None:
    """Reporting, but for its HTTP and its other jobs."""
    _quiet()
    pool = await database.create_pool(dsn, "reporting")
    senders = Senders({name: [Signer(name, SEED).public_key] for name in SENDERS})
    crew = inbox.Workers("reporting", pool, consumers.handlers(RESOURCES), count=4)
    sender = Sender(pool, MailServer("127.0.0.1", port, "none"), RESOURCES)
    [job] = [job for job in jobs.JOBS if job.name == "send_mails"]
    await asyncio.gather(
        inbox.Consumer("reporting", pool, amqp_url, crew.wake, senders).run(),
        crew.run(),
        Runner("reporting", dsn, job, sender).run(),
    )


def _run(work: Callable[[], Any]) -> None:
    with suppress(KeyboardInterrupt):
        uvloop.run(work())


async def measure_runs(
    dsns: dict[str, str], amqp_url: str, one: int, many: int
) -> dict[str, float]:
    """From the commit that ends a run to the mail server's word: alone, and many in a while.

    What acts: a relay of ingest, the broker, reporting's inbox and workers, its sender.
    """
    sink = SinkProcess()
    spawn = multiprocessing.get_context("spawn").Process
    processes = [
        spawn(target=_run, args=(partial(_relay, dsns["ingest"], amqp_url),), daemon=True),
        spawn(
            target=_run,
            args=(partial(_report, dsns["reporting"], amqp_url, sink.port),),
            daemon=True,
        ),
    ]
    for process in processes:
        process.start()
    pool = await database.create_pool(dsns["ingest"], "ingest")
    reader = await database.create_pool(dsns["reporting"], "reporting")
    try:
        clients = [_Client() for _ in range(CLIENTS)]
        async with database.transaction(reader) as conn:
            handlers = consumers.handlers(RESOURCES)
            for client in clients:
                await handlers[TenantChanged](conn, client.tenant())
                await handlers[PlanDeclared](conn, client.plan())
        await _end(pool, clients[0])
        await _wait(sink, 1)
        seconds = []
        for number in range(one):
            await asyncio.sleep(0.3)
            begun = time.perf_counter()
            await _end(pool, clients[number % CLIENTS])
            await _wait(sink, number + 2)
            seconds.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        for number in range(many):
            await asyncio.sleep(max(0.0, begun + number * 60 / 1000 - time.perf_counter()))
            await _end(pool, clients[number % CLIENTS])
        ended = time.perf_counter()
        await _wait(sink, one + many + 1)
        behind = time.perf_counter() - ended
        longest = await reader.fetchval("SELECT max(sent_at - created_at) FROM mails")
    finally:
        for process in processes:
            process.terminate()
            process.join()
        sink.close()
        await pool.close()
        await reader.close()
    return {
        "p50_seconds": round(statistics.median(seconds), 3),
        "p99_seconds": round(sorted(seconds)[int(len(seconds) * 0.99) - 1], 3),
        "many": many,
        "many_in_seconds": round(ended - begun, 1),
        "many_last_seconds": round(behind, 2),
        "many_longest_in_queue_seconds": round(longest.total_seconds(), 2),
    }


class _Client:
    def __init__(self) -> None:
        self.tenant_id, self.plan_id, self.agent_id = uuid4(), uuid4(), uuid4()
        self.runs = 0

    def tenant(self) -> TenantChanged:
        email = f"jeanne@{self.tenant_id.hex[:8]}.example"
        return TenantChanged(
            tenant_id=self.tenant_id,
            version=1,
            name="Boulangerie Martin",
            locale="fr",
            timezone="Europe/Paris",
            administrators=(Recipient(name="Jeanne Martin", email=email, locale="fr"),),
            contracted_bytes=500_000_000_000,
            seats=3,
            subscription="active",
            retention_days=30,
        )

    def plan(self) -> PlanDeclared:
        return PlanDeclared(
            tenant_id=self.tenant_id,
            plan_id=self.plan_id,
            version=1,
            agent_id=self.agent_id,
            hostname="srv-bureau",
            name="documents",
            folders=("/srv/documents",),
            schedule="15 2 * * *",
            timezone="Europe/Paris",
            dumps=(),
            recipients=(),
            reports=True,
        )

    def run(self) -> RunFinished:
        self.runs += 1
        now = clock.now()
        return RunFinished(
            tenant_id=self.tenant_id,
            run_id=uuid4(),
            plan_id=self.plan_id,
            plan_name="documents",
            agent_id=self.agent_id,
            hostname="srv-bureau",
            number=self.runs,
            outcome="succeeded",
            started_at=now - timedelta(minutes=16),
            finished_at=now,
            files_total=47912,
            files_new=38,
            files_changed=112,
            files_removed=4,
            files_not_copied=0,
            bytes_protected=182_340_000_000,
            bytes_sent=1_234_000_000,
            stored_bytes=96_300_000_000,
            restore_point=True,
        )


async def _end(pool: database.Pool, client: _Client) -> None:
    async with database.transaction(pool) as conn:
        await outbox.add(conn, client.run())


async def _wait(sink: SinkProcess, count: int) -> None:
    while sink.count() < count:
        await asyncio.sleep(0.01)


def measure(
    servers: dict[str, Any], mails: int, rounds: int, one: int, many: int
) -> dict[str, Any]:
    """All of it, on a database and a virtual host of their own."""
    name = f"bench_{uuid4().hex[:8]}"
    broker = RabbitMQ(servers["amqp_port"], servers["amqp_password"], servers["amqp_management"])
    dsns = asyncio.run(prepare(servers, name))
    broker.create_vhost(name)
    broker.define({service: bus.account_of(service) for service in bus.BINDINGS}, name)
    try:
        measured = _measure_rates(dsns["reporting"], mails, rounds)
        return measured | uvloop.run(measure_runs(dsns, broker.url(name), one, many))
    finally:
        broker.delete_vhost(name)


def _measure_rates(dsn: str, mails: int, rounds: int) -> dict[str, Any]:
    """Both in turn, each in a process of its own, so that whatever else runs holds up both."""
    sink = SinkProcess()
    raw, ours = [], []
    try:
        for number in range(rounds):
            for mine in (False, True) if number % 2 else (True, False):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    if mine:
                        ours.append(pool.apply(measure_queue, (dsn, sink.port, mails)))
                    else:
                        raw.append(pool.apply(measure_raw, (sink.port, mails)))
            print(f"alone {raw[-1]:.0f}/s, from the queue {ours[-1][0]:.0f}/s", file=sys.stderr)
    finally:
        sink.close()
    rates = [rate for rate, _ in ours]
    return {
        "mails": mails,
        "raw_per_second": [round(rate) for rate in raw],
        "ours_per_second": [round(rate) for rate in rates],
        "ours_processor_share": [round(share, 2) for _, share in ours],
        "ratio": round(statistics.median(rates) / statistics.median(raw), 2),
    }


async def prepare(servers: dict[str, Any], name: str) -> dict[str, str]:
    """A database of that name, with what ingest and reporting need; whose DSN is which."""
    roles = {role: role for role in database.ROLES}
    await database.bootstrap(servers["postgres_admin_dsn"], name, roles)
    port = servers["postgres_port"]
    dsns = {
        service: f"postgresql://coffre_{service}:coffre_{service}@127.0.0.1:{port}/{name}"
        for service in ("owner", "ingest", "reporting")
    }
    for service in ("ingest", "reporting"):
        await database.migrate(dsns["owner"], service)
    return dsns


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000, help="mails of each turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of both")
    parser.add_argument("--one", type=int, default=200, help="runs that end one after the other")
    parser.add_argument("--many", type=int, default=1000, help="runs that end, 1,000 a minute")
    asked = parser.parse_args()
    counts = asked.mails, asked.rounds, asked.one, asked.many
    existing = os.environ.get("COFFRE_TEST_SERVERS")
    if existing:
        print(json.dumps(measure(json.loads(Path(existing).read_text()), *counts)))
        return
    folder = Path("/tmp") / f"coffre-bench-{os.getpid()}"
    described, held = lease.take(folder)
    with held:
        print(json.dumps(measure(described, *counts)))


if __name__ == "__main__":
    main()
