"""Our side: a private installation, and in it a new client with one agent per copy."""

from __future__ import annotations

import asyncio
import email
import email.policy
import html
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import psutil

from bench import measuring
from libs.shared import bucket
from libs.shared.objects import ObjectStore

PLAN = "everything"
SETTLED_SECONDS = 5
PASSWORD = "correct-horse-battery-staple-4711"
_ONE_TIME_PASSWORD = re.compile(r'class="password"[^>]*>([^<]+)<')
_CONFIG = """server = "{server}"
token_file = "{folder}/token"
state_dir = "{folder}/state"

[[plan]]
name = "{plan}"
folders = ["{tree}"]
exclude = []
profile = "none"
exclude_caches = false
exclude_if_present = []
schedule = "0 3 * * *"
timezone = "Europe/Paris"
recipients = ["reports@{tenant}.example"]
"""


class Installation:
    """A running stack of our own: what stack.json says, and its processes by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.described: dict[str, Any] = json.loads((folder / "stack.json").read_text())
        recorded = json.loads((folder / "processes.json").read_text())["processes"]
        self.processes = {each["name"]: psutil.Process(each["pid"]) for each in recorded}

    def cpu_by_name(self) -> dict[str, float]:
        """Processor seconds used so far by each server and service, with its children."""
        return {
            name: measuring.cpu_seconds([process, *process.children(recursive=True)])
            for name, process in self.processes.items()
        }

    @property
    def ingest_pid(self) -> int:
        """The process whose memory is measured."""
        return int(self.described["services"]["ingest"]["pid"])

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """One call of the operator API."""
        headers = {"Authorization": f"Bearer {self.described['operator']['token']}"}
        url = self.described["portal"]["url"] + "/api/v1" + path
        answer = httpx2.request(method, url, json=body, headers=headers, timeout=30)
        if answer.is_error:
            raise measuring.ProgramFailed(f"{method} {path}: {answer.status_code} {answer.text}")
        return dict(answer.json()) if answer.content else {}

    def count_settled_rows(self) -> int:
        """All rows of all tables, once the events and jobs of what was done have passed."""
        dsn = self.described["postgres"]["dsn"]
        rows, counted = -1, asyncio.run(_count_rows(dsn))
        while counted != rows or asyncio.run(_has_names_due(dsn)):
            time.sleep(SETTLED_SECONDS)
            rows, counted = counted, asyncio.run(_count_rows(dsn))
        return rows

    def store(self) -> ObjectStore:
        """The bucket of the installation."""
        s3 = self.described["s3"]
        return ObjectStore(s3["endpoint"], s3["access_key"], s3["secret_key"], s3["bucket"])


async def _count_rows(dsn: str) -> int:
    conn = await asyncpg.connect(dsn)
    try:
        tables = await conn.fetch(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        return sum([await conn.fetchval(f"SELECT count(*) FROM {row[0]}") for row in tables])
    finally:
        await conn.close()


async def _has_names_due(dsn: str) -> bool:
    """Are there names to be made findable? That may stand still for a while on a busy host."""
    conn = await asyncpg.connect(dsn)
    try:
        return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM ingest.names_due)"))
    finally:
        await conn.close()


@contextmanager
def install(folder: Path) -> Iterator[Installation]:
    """An installation without demonstration in `folder`, stopped afterwards."""
    command = [sys.executable, "-m", "libs.devstack"]
    environ = {**os.environ, "COFFRE_LOG_FORMAT": "json"}
    subprocess.run(
        [*command, "up", "--detach", "--no-demo", f"--dir={folder}"], check=True, env=environ
    )
    try:
        yield Installation(folder)
    finally:
        subprocess.run([*command, "down", f"--dir={folder}"], check=True)


class Client:
    """A new tenant with an administrator and one enrolled agent that copies one tree."""

    def __init__(
        self, installation: Installation, folder: Path, tree: Path, server: str | None = None
    ) -> None:
        self._installation = installation
        self.folder = folder
        folder.mkdir(parents=True)
        name = f"bench-{uuid4().hex[:8]}"
        self.email = f"admin@{name}.example"
        opened = installation.ask(
            "POST",
            "/tenants",
            {
                "name": name,
                "locale": "en",
                "contracted_bytes": 10**13,
                "seats": 1,
                "administrator": {"name": "Bench", "email": self.email},
            },
        )
        self.tenant_id = str(opened["tenant_id"])
        server = server or str(installation.described["ingest"]["url"])
        self._config = folder / "agent.toml"
        self._config.write_text(
            _CONFIG.format(server=server, folder=folder, plan=PLAN, tree=tree, tenant=name)
        )
        code = installation.ask("POST", f"/tenants/{self.tenant_id}/enrolments", {})["code"]
        _until(lambda: self._enrol(server, str(code)), "the enrolment code reaches ingest")

    def _enrol(self, server: str, code: str) -> bool:
        try:
            self._agent("enrol", "--server", server, "--code", code)
        except measuring.ProgramFailed:
            return False
        return True

    def identity(self) -> dict[str, str]:
        """What enrolment gave: token and chunk key among others."""
        token = (self.folder / "token").read_text().strip()
        told = json.loads((self.folder / "token.identity.json").read_text())
        return {**told, "token": token}

    def _agent(self, *arguments: str, **environ: str) -> measuring.Took:
        command = [sys.executable, "-m", "agent", "--config", str(self._config), *arguments]
        environ = {**os.environ, **self._bytecode(), **environ}
        return measuring.run(command, environ, self.folder / "agent.log")

    def _bytecode(self) -> dict[str, str]:
        """As where it was installed by pip: compiled once, whatever this environment says."""
        folder = self._installation.folder / "bytecode"
        return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder)}

    def run(self) -> tuple[measuring.Took, dict[str, Any]]:
        """Copy the tree; what it took, and the summary that the agent gives."""
        took = self._agent("run", PLAN, "--json")
        return took, json.loads(took.output.strip().splitlines()[-1])

    def choose_password(self) -> None:
        """Replace the administrator's one-time password, which came by mail."""
        found: list[str] = []

        def look() -> bool:
            found.extend(_mailed_passwords(Path(self._mail_dir), self.email))
            return bool(found)

        _until(look, "the administrator's first password comes by mail")
        change = {"email": self.email, "password": found[0], "new_password": PASSWORD}
        self._installation.ask("POST", "/password", change)

    @property
    def _mail_dir(self) -> str:
        return str(self._installation.described["mailbox"]["dir"])

    def restore(self, target: Path) -> measuring.Took:
        """Bring the latest copy back as the tenant's administrator."""
        portal = self._installation.described["portal"]["url"]
        options = ["--portal", portal, "--email", self.email, "--to", str(target)]
        return self._agent("restore", PLAN, *options, COFFRE_PASSWORD=PASSWORD)

    def stored_bytes(self) -> int:
        """The size of all objects of the tenant in the store."""

        async def add_up() -> int:
            store = self._installation.store()
            sizes = [size async for _, size in store.list(bucket.folder_of(UUID(self.tenant_id)))]
            await store.close()
            return sum(sizes)

        return asyncio.run(add_up())


def _mailed_passwords(folder: Path, address: str) -> Iterator[str]:
    for path in folder.glob("[0-9]*.eml"):
        message: Any = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        part = message.get_body(("html",))
        if address in message.get_all("X-Envelope-To", []) and part is not None:
            for found in _ONE_TIME_PASSWORD.findall(part.get_content()):
                yield html.unescape(found).strip()


def _until(look: Any, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise measuring.ProgramFailed(f"waited {seconds} s in vain until {what}")
        time.sleep(0.3)
