"""What tracing costs: the same runs by two installations, one of which exports its spans.

`python -m bench.tracing` prints one JSON line: the services' processor a run, without and with,
and their ratio, by the median of pairs of rounds that were beside each other. What processors do
while nothing is asked of them is taken off. Spans go by OTLP to a sink of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import httpx2

from bench import measuring
from bench.coffre import Installation, install
from bench.day import kinds
from bench.day.machines import Machine, enrol_all
from libs.shared.database import SERVICES

IDLE_SECONDS = 15
SETTLING_SECONDS = 7
"""Spans are sent every five seconds, and events and mails are gone by then."""
MACHINES = 10
KINDS = (kinds.UNCHANGED, kinds.CHANGED)
ENDPOINT = "COFFRE_OTLP_ENDPOINT"


class Sink(BaseHTTPRequestHandler):
    """A collector that takes whatever it is given, and counts its bytes."""

    protocol_version = "HTTP/1.1"
    taken_bytes = 0

    def do_POST(self) -> None:
        """Takes one batch of spans."""
        Sink.taken_bytes += len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@dataclass
class Side:
    """An installation, its machines, and what each round took of its services' processor."""

    installation: Installation
    machines: list[Machine]
    idle: float = 0.0
    """Processor seconds a second while nothing is asked of it."""
    a_run: list[float] = field(default_factory=list)
    """Processor seconds of all services for a run, a round each."""

    def used(self) -> float:
        """Processor seconds of all services so far."""
        cpu = self.installation.cpu_by_name()
        return sum(cpu[service] for service in SERVICES)

    def rest(self) -> None:
        """Measures what it does by itself."""
        time.sleep(SETTLING_SECONDS)
        before = self.used()
        time.sleep(IDLE_SECONDS)
        self.idle = (self.used() - before) / IDLE_SECONDS

    async def copy(self) -> None:
        """A run of each kind by each machine, one after the other, to the last mail."""
        began, before = time.perf_counter(), self.used()
        async with self.http() as http:
            for machine in self.machines:
                for kind in KINDS:
                    await machine.run(http, kind)
        await asyncio.sleep(SETTLING_SECONDS)
        used = self.used() - before - self.idle * (time.perf_counter() - began)
        self.a_run.append(used / len(self.machines) / len(KINDS))

    def http(self) -> httpx2.AsyncClient:
        """A client of ingest."""
        url = str(self.installation.described["ingest"]["url"])
        return httpx2.AsyncClient(base_url=url, timeout=120, trust_env=False)

    async def begin(self) -> None:
        """First copies, which aren't measured."""
        async with self.http() as http:
            for machine in self.machines:
                await machine.declare(http)
                await machine.run(http, kinds.FIRST)


def measure(folder: Path, rounds: int) -> dict[str, object]:
    """What a run takes off and on, in rounds whose order alternates."""
    with _sink() as endpoint:
        os.environ.pop(ENDPOINT, None)
        with install(folder / "off") as without:
            os.environ[ENDPOINT] = endpoint
            with install(folder / "on") as exporting:
                off, on = (Side(one, enrol_all(one, 1, MACHINES)) for one in (without, exporting))
                for side in (off, on):
                    asyncio.run(side.begin())
                for side in (off, on):
                    side.rest()
                before = Sink.taken_bytes
                for number in range(rounds):
                    for side in (off, on) if number % 2 else (on, off):
                        asyncio.run(side.copy())
                runs = rounds * MACHINES * len(KINDS)
                return {
                    "machine": measuring.describe_run(is_small=False),
                    "runs": runs,
                    "off_ms": round(1000 * median(off.a_run), 1),
                    "on_ms": round(1000 * median(on.a_run), 1),
                    "ratio": round(
                        median(more / less for more, less in zip(on.a_run, off.a_run, strict=True)),
                        3,
                    ),
                    "idle": [round(off.idle, 3), round(on.idle, 3)],
                    "exported_kb_a_run": round((Sink.taken_bytes - before) / runs / 1000, 1),
                }


@contextmanager
def _sink() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="of each installation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coffre-tracing-") as name:
        Path(name).chmod(0o711)
        print(json.dumps(measure(Path(name), options.rounds)))


if __name__ == "__main__":
    main()
