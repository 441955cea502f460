"""The real reporting process, fed over the real broker."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

from libs.shared import bus, clock
from libs.shared.events import Event
from tests.reporting.conftest import MAIL_KEY
from tests.servers import free_port

ROOT = Path(__file__).parents[2]


class Reporting:
    """Starts the service's process, sends it events, and reads what it wrote."""

    def __init__(self, dsn: str, amqp_url: str, smtp_port: int, hotline: str, folder: Path) -> None:
        key_file = folder / "mail.key"
        key_file.write_text(MAIL_KEY.hex())
        listen = f"127.0.0.1:{free_port()}"
        self.amqp_url = amqp_url
        self.url = f"http://{listen}"
        self.log = folder / "reporting.log"
        self._environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("COFFRE_")},
            "COFFRE_DATABASE_URL": dsn,
            "COFFRE_AMQP_URL": amqp_url,
            "COFFRE_LISTEN": listen,
            "COFFRE_SMTP_HOST": "127.0.0.1",
            "COFFRE_SMTP_PORT": str(smtp_port),
            "COFFRE_MAIL_FROM": "Coffre <coffre@provider.example>",
            "COFFRE_MAIL_KEY_FILE": str(key_file),
            "COFFRE_HOTLINE": hotline,
            "COFFRE_PORTAL_URL": "https://portal.example",
        }
        self._numbers = 0

    @asynccontextmanager
    async def running(self, crashpoint: str = "") -> AsyncIterator[Process]:
        environ = {**self._environ, "COFFRE_CRASHPOINT": crashpoint}
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.reporting", cwd=ROOT, env=environ, stderr=log
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def publish(self, *events: Event, event_id: UUID | None = None) -> None:
        async with bus.publisher(self.amqp_url, "test") as publisher:
            for event in events:
                self._numbers += 1
                message = bus.Message(
                    event_id=event_id or uuid4(),
                    type=event.type,
                    routing_key=bus.routing_key(event),
                    body=event.model_dump_json().encode(),
                    source="/tests",
                    subject=event.tenant_id,
                    time=clock.now(),
                    sequence=self._numbers,
                )
                assert await publisher.publish([message]) == [None]
