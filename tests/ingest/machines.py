"""A running ingest, and agents that speak its protocol call by call."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import minio

from libs.shared import clock, database, packs
from libs.shared.entries import Entry, FolderDelta, encode_batch
from libs.shared.events import (
    AllowanceChanged,
    EnrolmentOpened,
    SubscriptionState,
    TenantChanged,
)
from libs.shared.objects import ObjectStore
from services.ingest import consumers

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """`python -m services.ingest` with its own database, broker host and bucket."""

    environ: dict[str, str]
    admin_dsn: str
    log: Path
    objects: ObjectStore
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.environ['COFFRE_LISTEN']}"

    def start(self, **environ: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.ingest"],
                cwd=ROOT,
                env={**os.environ, **self.environ, **environ},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                httpx2.get(f"{self.url}/health/live", timeout=1, trust_env=False)
            except httpx2.TransportError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                return
        raise AssertionError(self.log.read_text()[-4000:])

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(30) == 0, self.log.read_text()[-4000:]

    def died(self) -> int:
        assert self.process is not None
        return self.process.wait(30)

    async def connect(self) -> Any:
        return await asyncpg.connect(self.admin_dsn)

    async def fetch(self, statement: str, *arguments: object) -> list[Any]:
        connection = await self.connect()
        try:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()

    async def events(self, tenant_id: uuid.UUID, kind: str) -> list[Any]:
        """What ingest said of a tenant, in order: payloads as JSON."""
        rows = await self.fetch(
            "SELECT payload::jsonb::text AS p FROM ingest.outbox"
            " WHERE tenant_id = $1 AND type = $2 ORDER BY position",
            tenant_id,
            kind,
        )
        return [json.loads(row["p"]) for row in rows]


@contextmanager
def running_service(servers: Any, template: str, folder: Path, **environ: str) -> Iterator[Service]:
    """A service of its own, started; its database goes with it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    vhost = f"test-{uuid.uuid4().hex[:12]}"
    bucket = f"test-{uuid.uuid4().hex[:12]}"

    def execute(*statements: str) -> None:
        async def run() -> None:
            admin = await asyncpg.connect(servers.postgres_admin_dsn)
            try:
                for statement in statements:
                    await admin.execute(statement)
            finally:
                await admin.close()

        with ThreadPoolExecutor(1) as thread:  # the test may have a loop of its own
            thread.submit(lambda: asyncio.run(run())).result()

    with ExitStack() as stack:
        execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER coffre_owner")
        stack.callback(execute, f"DROP DATABASE {name} WITH (FORCE)")
        servers.broker.create_vhost(vhost)
        stack.callback(servers.broker.delete_vhost, vhost)
        minio.Minio(
            servers.s3_endpoint.removeprefix("http://"),
            servers.s3_access_key,
            servers.s3_secret_key,
            secure=False,
            region="us-east-1",
        ).make_bucket(bucket)
        key_file = folder / f"{name}.master.key"
        key_file.write_text("5a" * 32)
        address = f"127.0.0.1:{servers.postgres_port}/{name}"
        service = Service(
            environ={
                "COFFRE_DATABASE_URL": f"postgresql://coffre_ingest:coffre_ingest@{address}",
                "COFFRE_AMQP_URL": servers.broker.url(vhost),
                "COFFRE_LISTEN": f"127.0.0.1:{free_port()}",
                "COFFRE_S3_ENDPOINT": servers.s3_endpoint,
                "COFFRE_S3_ACCESS_KEY": servers.s3_access_key,
                "COFFRE_S3_SECRET_KEY": servers.s3_secret_key,
                "COFFRE_S3_BUCKET": bucket,
                "COFFRE_MASTER_KEY_FILE": str(key_file),
                "COFFRE_LOG_FORMAT": "console",
                **environ,
            },
            admin_dsn=servers.postgres_admin_dsn.rpartition("/")[0] + f"/{name}",
            log=folder / f"{name}.log",
            objects=ObjectStore(
                servers.s3_endpoint, servers.s3_access_key, servers.s3_secret_key, bucket
            ),
        )
        service.start()
        stack.callback(service.stop)
        yield service


@dataclass
class Tenant:
    """A client company as ingest knows it."""

    service: Service
    tenant_id: uuid.UUID = field(default_factory=uuid.uuid4)
    version: int = 0

    async def deliver(self, event: Any) -> None:
        """Hands an event to ingest's handler, as a worker of the inbox does."""
        dsn = self.service.environ["COFFRE_DATABASE_URL"]
        pool = await database.create_pool(dsn, "ingest", max_size=1)
        try:
            async with database.transaction(pool) as conn:
                await consumers.HANDLERS[type(event)](conn, event)
        finally:
            await pool.close()

    async def becomes(self, subscription: SubscriptionState, reason: str = "") -> None:
        self.version += 1
        await self.deliver(
            TenantChanged(
                tenant_id=self.tenant_id,
                version=self.version,
                name="Boulangerie Martin",
                locale="fr",
                timezone="Europe/Paris",
                administrators=(),
                contracted_bytes=10**10,
                seats=1,
                subscription=subscription,
                subscription_reason=reason,
                retention_days=30,
            )
        )

    async def may_store(self, ceiling_bytes: int, *, blocked: bool) -> None:
        self.version += 1
        await self.deliver(
            AllowanceChanged(
                tenant_id=self.tenant_id,
                version=self.version,
                ceiling_bytes=ceiling_bytes,
                blocked=blocked,
                reason="the deadline has passed",
            )
        )

    async def open_enrolment(self, code: str, *, valid_for: timedelta) -> None:
        await self.deliver(
            EnrolmentOpened(
                tenant_id=self.tenant_id,
                enrolment_id=uuid.uuid4(),
                code_sha256=hashlib.sha256(code.encode()).hexdigest(),
                label="",
                expires_at=clock.now() + valid_for,
            )
        )

    async def enrol(self) -> Agent:
        code = uuid.uuid4().hex
        await self.open_enrolment(code, valid_for=timedelta(hours=1))
        client = httpx2.AsyncClient(base_url=self.service.url, timeout=60, trust_env=False)
        answer = await client.post(
            "/v1/enrolments", json={"code": code, "hostname": "caisse", "platform": "linux"}
        )
        assert answer.status_code == 201, answer.text
        enrolled = answer.json()
        client.headers["Authorization"] = f"Bearer {enrolled['token']}"
        return Agent(
            client,
            self,
            uuid.UUID(enrolled["agent_id"]),
            bytes.fromhex(enrolled["chunk_key"]),
            enrolled["token"],
        )


@dataclass
class Agent:
    """An enrolled machine that speaks the protocol call by call."""

    client: httpx2.AsyncClient
    tenant: Tenant
    agent_id: uuid.UUID
    chunk_key: bytes
    token: str

    async def declare(self, name: str = "docs", **changes: Any) -> str:
        declaration = {
            "folders": ["/srv/docs"],
            "exclude": [],
            "schedule": "30 1 * * *",
            "timezone": "Europe/Paris",
            "dumps": [],
            "recipients": ["chef@martin.example"],
            "reports": True,
            **changes,
        }
        answer = await self.client.put(f"/v1/plans/{name}", json=declaration)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["plan_id"])

    async def ask_start(self, plan_id: str, **changes: Any) -> httpx2.Response:
        start = {
            "plan_id": plan_id,
            "parent": None,
            "estimated_new_bytes": 1,
            "run_key": str(uuid.uuid4()),
            **changes,
        }
        return await self.client.post("/v1/runs", json=start)

    async def start(self, plan_id: str, **changes: Any) -> str:
        answer = await self.ask_start(plan_id, **changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["run_id"])

    def id_of(self, content: bytes) -> bytes:
        return packs.chunk_id(content, self.chunk_key)

    def pack(self, *contents: bytes) -> packs.Pack:
        builder = packs.PackBuilder()
        for content in contents:
            payload, encoding = packs.compress(content)
            builder.add(self.id_of(content), payload, len(content), encoding)
        return builder.finish()

    async def upload(self, run: str, pack: packs.Pack) -> httpx2.Response:
        return await self.client.put(f"/v1/runs/{run}/packs/{pack.id}", content=bytes(pack.body))

    async def missing(self, run: str, *contents: bytes) -> list[bool]:
        ids = b"".join(self.id_of(content) for content in contents)
        answer = await self.client.post(f"/v1/runs/{run}/missing", content=ids)
        assert answer.status_code == 200, answer.text
        bitmap = answer.content
        return [bool(bitmap[i // 8] >> i % 8 & 1) for i in range(len(contents))]

    async def send(self, run: str, *deltas: FolderDelta, batch: int = 0) -> httpx2.Response:
        return await self.client.post(
            f"/v1/runs/{run}/entries", params={"batch": batch}, content=encode_batch(deltas)
        )

    async def commit(self, run: str, batches: int = 1, **changes: Any) -> httpx2.Response:
        commit = {"batches": batches, "counters": {"files_total": 1}, **changes}
        return await self.client.post(f"/v1/runs/{run}/commit", json=commit)

    async def abort(self, run: str, **changes: Any) -> httpx2.Response:
        return await self.client.post(f"/v1/runs/{run}/abort", json=changes)

    def file(self, name: bytes, *contents: bytes, mtime_ns: int = 1) -> Entry:
        chunks = b"".join(self.id_of(content) for content in contents)
        size = sum(map(len, contents))
        return Entry(name, "f", 0o644, mtime_ns, 1000, 1000, size, b"", chunks)

    async def copy(self, plan_id: str, *deltas: FolderDelta, contents: list[bytes]) -> int:
        """A whole run that must work; returns its number."""
        run = await self.start(plan_id)
        if contents:
            uploaded = await self.upload(run, self.pack(*contents))
            assert uploaded.status_code in (200, 201), uploaded.text
        if deltas:
            sent = await self.send(run, *deltas)
            assert sent.status_code == 204, sent.text
        answer = await self.commit(run, batches=1 if deltas else 0)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["number"])


def folder(name: bytes) -> Entry:
    return Entry(name, "d", 0o755, 1, 1000, 1000, 0, b"", b"")


def link(name: bytes, target: bytes) -> Entry:
    return Entry(name, "l", 0o777, 1, 1000, 1000, 0, target, b"")


def problem_of(answer: httpx2.Response) -> tuple[int, str]:
    """(status, code) of a problem, after checking its form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert len(problem["detail"]) > 10
    return answer.status_code, problem["type"].removeprefix("urn:coffre:problem:")
