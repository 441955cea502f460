"""Caddy as deploy/compose runs it, before services that a test starts as processes."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import free_port
from tests.world.waiting import wait_for

ROOT = Path(__file__).parents[2]
CADDYFILE = ROOT / "deploy" / "compose" / "Caddyfile"
CADDY = Path(sys.executable).parent / "caddy"
UPGRADE = ROOT / "docs" / "operations" / "upgrade.md"


def several() -> str:
    """What a reverse_proxy needs beside its settings where it stands before several."""
    [block] = re.findall(r"```caddyfile\n(.*?)```", UPGRADE.read_text(), re.DOTALL)
    return str(block)


@dataclass(frozen=True)
class Proxy:
    """A Caddy that runs: where it answers, and what it has answered."""

    portal: str
    ingest: str
    folder: Path

    def answered(self) -> list[dict[str, Any]]:
        """Its access log: `status` 0 is a request that the client gave up."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [one for one in map(json.loads, lines) if "status" in one]


@contextmanager
def open_proxy(
    folder: Path, portals: Sequence[str], ingests: Sequence[str], more: str = ""
) -> Iterator[Proxy]:
    """The Caddyfile of compose, but for TLS, with these addresses behind it."""
    folder.mkdir(parents=True)
    told = CADDYFILE.read_text()
    options = "admin off\n\tservers {"
    log = "log {\n\t\toutput file access.log\n\t}"
    for was, now in (
        ("servers {", options),
        ("tls {$TLS}", log),
        ("portal:8000", " ".join(portals)),
        ("ingest:8000", " ".join(ingests)),
        ("import proxying", f"import proxying\n{more}"),
    ):
        assert was in told
        told = told.replace(was, now)
    (folder / "Caddyfile").write_text(told)
    portal, ingest = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    with (folder / "caddy.log").open("wb") as output:
        process = subprocess.Popen(
            [CADDY, "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
            cwd=folder,
            env={"HOME": str(folder), "PORTAL_HOST": portal, "INGEST_HOST": ingest},
            stdout=output,
            stderr=output,
        )

    def answers() -> bool:
        assert process.poll() is None, (folder / "caddy.log").read_text()[-4000:]
        address = ingest.removeprefix("http://").split(":")
        with socket.socket() as probe:
            return probe.connect_ex((address[0], int(address[1]))) == 0

    try:
        wait_for("Caddy", answers)
        yield Proxy(portal, ingest, folder)
    finally:
        process.terminate()
        process.wait(30)
