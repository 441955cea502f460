"""A running ingest with its own database, broker host and bucket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from libs.shared.objects import ObjectStore
from tests.servers import cloned_database, free_port, make_bucket

ROOT = Path(__file__).parents[2]


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
    vhost = f"test-{uuid.uuid4().hex[:12]}"
    with ExitStack() as stack:
        name = stack.enter_context(cloned_database(servers, template))
        servers.broker.create_vhost(vhost)
        stack.callback(servers.broker.delete_vhost, vhost)
        bucket = make_bucket(servers)
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
