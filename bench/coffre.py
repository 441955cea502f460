"""Our side: a private installation, and in it a new client with one agent per copy."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import UUID, uuid4

import asyncpg
import psutil

from bench import measuring
from devstack import agents, mails
from devstack.portal import Portal
from libs.shared import bucket
from libs.shared.objects import ObjectStore

Store = Literal["s3", "file"]

PLAN = "everything"
SETTLED_SECONDS = 5
PASSWORD = "correct-horse-battery-staple-4711"
T = TypeVar("T")
# All of the tree is copied, as restic does.
EVERYTHING = {"exclude": [], "profile": "none", "exclude_caches": False, "exclude_if_present": []}


class Installation:
    """A running stack of our own: what stack.json says, and its processes by name."""

    def __init__(self, folder: Path, cores: measuring.Cores = measuring.ANYWHERE) -> None:
        self.folder = folder
        self.cores = cores
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

    @property
    def portal(self) -> Portal:
        """Its portal, asked by the operator."""
        return Portal(self.described["portal"]["url"], self.described["operator"]["token"])

    def count_settled_rows(self) -> int:
        """All rows of all tables, once the events and jobs of what was done have passed."""
        dsn = self.described["postgres"]["dsn"]
        rows, counted = -1, asyncio.run(_count_rows(dsn))
        while counted != rows or asyncio.run(_has_names_due(dsn)):
            time.sleep(SETTLED_SECONDS)
            rows, counted = counted, asyncio.run(_count_rows(dsn))
        return rows

    def store(self) -> ObjectStore:
        """The installation's."""
        if where := self.described.get("store"):
            return ObjectStore.in_folder(Path(where.removeprefix("file://")))
        s3 = self.described["s3"]
        return ObjectStore.in_s3(s3["endpoint"], s3["access_key"], s3["secret_key"], s3["bucket"])


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
def install(
    folder: Path, store: Store = "s3", cores: measuring.Cores = measuring.ANYWHERE
) -> Iterator[Installation]:
    """An installation without demonstration in `folder`, stopped afterwards."""
    command = [sys.executable, "-m", "devstack"]
    options = ["--detach", "--no-demo", f"--store={store}", f"--dir={folder}"]
    environ = {**os.environ, "COFFRE_LOG_FORMAT": "json"}
    with measuring.starting_on(cores.servers):
        subprocess.run([*command, "up", *options], check=True, env=environ)
    try:
        yield Installation(folder, cores)
    finally:
        subprocess.run([*command, "down", f"--dir={folder}"], check=True)


class Client:
    """A new tenant with an administrator and one enrolled agent that copies one tree."""

    def __init__(
        self,
        installation: Installation,
        folder: Path,
        tree: Path,
        server: str | None = None,
        contracted_bytes: int = 10**13,
    ) -> None:
        self._installation = installation
        self.folder = folder
        folder.mkdir(parents=True)
        name = f"bench-{uuid4().hex[:8]}"
        self.email = f"admin@{name}.example"
        self.tenant_id = installation.portal.open_client(
            name, "Bench", self.email, locale="en", contracted_bytes=contracted_bytes, seats=1
        )
        server = server or str(installation.described["ingest"]["url"])
        recipients = [f"reports@{name}.example"]
        plan = {"folders": [str(tree)], "schedule": "0 3 * * *", "recipients": recipients}
        self._config = agents.write_configuration(folder, server, {PLAN: plan | EVERYTHING})
        code = installation.portal.open_enrolment(self.tenant_id)
        until(lambda: self._enrol(server, code), "the enrolment code reaches ingest")

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
        cores = self._installation.cores.client
        return measuring.run(command, environ, self.folder / "agent.log", cores)

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
        folder = Path(self._installation.described["mailbox"]["dir"])
        mailed = until(
            lambda: mails.find_password(folder, self.email),
            "the administrator's first password comes by mail",
        )
        self._installation.portal.change_password(self.email, mailed, PASSWORD)

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


def until(look: Callable[[], T | None], what: str, seconds: float = 60) -> T:
    """What `look` gives at last; ProgramFailed where that takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise measuring.ProgramFailed(f"waited {seconds} s in vain until {what}")
        time.sleep(0.3)
    return found
