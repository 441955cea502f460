"""`tests.shared.program` in a process of its own, as seen by a test."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers import free_port
from tests.world import forks
from tests.world.senders import write_keys

ROOT = Path(__file__).parents[2]
PROGRAM = "tests.shared.program"


class Process:
    """A service in a process of its own, on ports of its own."""

    def __init__(self, folder: Path, words: tuple[str, ...], environ: dict[str, str]) -> None:
        port, monitor = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.monitor_url = f"http://127.0.0.1:{monitor}"
        self._out, self._err = folder / f"{port}.out", folder / f"{port}.err"
        env = {
            **os.environ,
            "COFFRE_LISTEN": f"127.0.0.1:{port}",
            "COFFRE_MONITOR_LISTEN": f"127.0.0.1:{monitor}",
            **environ,
        }
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.running: forks.Forked | subprocess.Popen[bytes]
            if "LD_PRELOAD" in environ:  # is for Python itself
                command = [sys.executable, "-m", PROGRAM, *words]
                self.running = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=err)
            else:
                self.running = forks.start(PROGRAM, *words, env=env, out=out, err=err)

    @property
    def log(self) -> list[str]:
        """What it has logged so far, but for a line that is being written."""
        written = self._err.read_bytes()
        return written[: written.rfind(b"\n") + 1].decode().splitlines(keepends=True)

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._out.read_text()

    async def get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=60) as client:
            return await client.get(self.url + path)

    async def look(self, path: str) -> httpx2.Response:
        """What its operators see."""
        async with httpx2.AsyncClient(timeout=60) as client:
            return await client.get(self.monitor_url + path)

    async def is_ready(self) -> bool:
        return await self._readiness() == 200

    async def is_unready(self) -> bool:
        return await self._readiness() == 503

    async def _readiness(self) -> int | None:
        """None where nobody listens."""
        try:
            return (await self.get("/health/ready")).status_code
        except httpx2.TransportError:
            return None

    async def broker(self) -> bool:
        answer = await self.look("/health/ready")
        return bool(answer.json()["checks"]["broker"] == "ok")

    async def says(self, text: str) -> bool:
        return any(text in line for line in self.log)

    async def ends(self, seconds: float = 90) -> int:
        return await asyncio.to_thread(self.running.wait, seconds)


@pytest.fixture
async def start(database: Any, amqp_url: str, tmp_path: Path) -> AsyncIterator[Any]:
    """Starts such processes; they end with the test."""
    processes: list[Process] = []
    write_keys(tmp_path)
    common = {
        "COFFRE_DATABASE_URL": database.dsn("quota"),
        "COFFRE_OWNER_DATABASE_URL": database.owner_dsn,
        "COFFRE_AMQP_URL": amqp_url,
        "COFFRE_EVENT_KEY_FILE": str(tmp_path / "event-key-quota"),
        "COFFRE_EVENT_SENDERS_DIR": str(tmp_path),
    }

    async def start_one(*words: str, **environ: str) -> Process:
        processes.append(Process(tmp_path, words, {**common, **environ}))
        return processes[-1]

    yield start_one
    for process in processes:
        process.running.kill()
        await process.ends()
