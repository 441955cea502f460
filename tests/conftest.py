"""Real servers for the tests, shared by all workers of one run and gone after it.

`COFFRE_TEST_SERVERS=<servers.json of a running python -m devstack servers>` uses those.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import asyncpg
import pytest
import structlog
from hypothesis import HealthCheck, settings

from devstack import lease, mails, processes
from devstack.postgresql import PostgreSQL
from devstack.rabbitmq import RabbitMQ
from devstack.seaweedfs import SeaweedFS
from devstack.servers import Mailbox as MailServer
from devstack.servers import Servers
from libs.shared import database as databases
from libs.shared.objects import ObjectStore
from tests.databases import cloned_database, drop_idle
from tests.hostile.counting import HOSTILE, Campaign, summarize
from tests.servers import in_thread, made_vhost, make_bucket
from tests.world.running import Installation

ROOT = Path(__file__).parents[1]

# How long an example takes says nothing beside all the servers.
settings.register_profile(
    "beside-servers", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("beside-servers")

# What fails on purpose is logged by the hundred, and drawing all variables takes longer than that.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@dataclass(frozen=True)
class TestServers:
    """Addresses of the running servers; `folder` is where workers meet."""

    __test__ = False

    folder: Path
    postgres_admin_dsn: str
    postgres_port: int
    postgres_password: str
    amqp_url: str
    amqp_port: int
    amqp_password: str
    amqp_management: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    smtp_host: str
    smtp_port: int
    mail_dir: str
    mailbox_url: str

    @property
    def programs(self) -> Servers:
        """The servers as devstack knows them."""
        return Servers(
            self.broker,
            PostgreSQL(self.postgres_port, self.postgres_password),
            SeaweedFS(self.s3_endpoint, self.s3_access_key, self.s3_secret_key),
            MailServer(self.smtp_port, Path(self.mail_dir), self.mailbox_url),
        )

    @property
    def broker(self) -> RabbitMQ:
        """The broker's management: virtual hosts, queues."""
        return RabbitMQ(self.amqp_port, self.amqp_password, self.amqp_management)


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[TestServers]:
    """RabbitMQ, PostgreSQL, SeaweedFS and the SMTP sink, running."""
    existing = os.environ.get("COFFRE_TEST_SERVERS")
    if existing:
        yield TestServers(folder=Path(existing).parent, **json.loads(Path(existing).read_text()))
        return
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)
    folder = Path(tempfile.gettempdir()) / f"coffre-tests-{os.getuid()}-{run[:16]}"
    described, held = lease.take(folder)
    with held:
        yield TestServers(folder=folder, **described)


@dataclass(frozen=True)
class Database:
    """One migrated database; `dsn("ingest")` signs in as that service's role."""

    name: str
    port: int
    admin_dsn: str

    def dsn(self, service: str) -> str:
        """Gives the address for the role of a service."""
        role = f"coffre_{service}"
        return f"postgresql://{role}:{role}@127.0.0.1:{self.port}/{self.name}"

    @property
    def owner_dsn(self) -> str:
        """The address for the owner of all schemas."""
        return self.dsn("owner")


def _migrations_digest() -> str:
    digest = hashlib.sha256()
    applied = [*ROOT.glob("libs/**/*.sql"), *ROOT.glob("services/*/migrations/*.sql")]
    applying = ROOT / "libs/shared/database/migrations.py"  # it grants as well
    for file in sorted([*applied, applying]):
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


async def _make_template(servers: TestServers, name: str) -> None:
    admin = await asyncpg.connect(servers.postgres_admin_dsn)
    try:
        if await admin.fetchval("SELECT datistemplate FROM pg_database WHERE datname = $1", name):
            return
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}"')
        passwords = {role: role for role in databases.ROLES}
        await databases.bootstrap(servers.postgres_admin_dsn, name, passwords)
        owner_dsn = Database(name, servers.postgres_port, "").owner_dsn
        for service in databases.SERVICES:
            await databases.migrate(owner_dsn, service)
        await admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE true ALLOW_CONNECTIONS false')
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def database_template(servers: TestServers) -> Iterator[str]:
    """The name of a database with every service's migrations, to clone from."""
    name = f"template_{_migrations_digest()}"
    with open(servers.folder / "template.lock", "a") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        in_thread(lambda: _make_template(servers, name))
    yield name
    drop_idle(servers)


@pytest.fixture
def database(servers: TestServers, database_template: str) -> Iterator[Database]:
    """A migrated database of the test's own."""
    with cloned_database(servers, database_template) as name:
        admin_dsn = servers.postgres_admin_dsn.rpartition("/")[0] + f"/{name}"
        yield Database(name, servers.postgres_port, admin_dsn)


@pytest.fixture
def amqp_url(servers: TestServers) -> Iterator[str]:
    """The address of a virtual host of the test's own, for the broker's administrator."""
    with made_vhost(servers) as name:
        yield servers.broker.url(name)


@pytest.fixture
def bucket(servers: TestServers) -> str:
    """The name of an empty bucket; it goes with the servers."""
    return make_bucket(servers)


@pytest.fixture
def object_store(servers: TestServers, bucket: str) -> ObjectStore:
    """A store on a bucket of the test's own."""
    return ObjectStore.in_s3(
        servers.s3_endpoint, servers.s3_access_key, servers.s3_secret_key, bucket
    )


class Mailbox:
    """The mails that came since the test began and, if asked, went to one address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = {path.name for path in folder.glob("[0-9]*.eml")}

    def mails(self, to: str | None = None) -> list[EmailMessage]:
        """Gives the mails in the order of their delivery."""
        return list(mails.read(self.folder, to, self._before))

    def wait(
        self, to: str | None = None, count: int = 1, seconds: float = 60
    ) -> list[EmailMessage]:
        """Waits until that many mails are there; fails the test with what came instead."""
        deadline = time.monotonic() + seconds
        while len(found := self.mails(to)) < count:
            if time.monotonic() > deadline:
                subjects = [f"{mail['To']}: {mail['Subject']}" for mail in self.mails()]
                pytest.fail(f"{len(found)} of {count} mails to {to} came; in all: {subjects}")
            time.sleep(0.05)
        return found


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """All services and servers of an installation of the tests' own, started by `run up`'s code."""
    folder = Path(tempfile.mkdtemp(prefix="coffre-installation-"))
    log = folder / "up.log"
    command = [sys.executable, "-m", "devstack", "up", f"--dir={folder}", "--end-with-parent"]
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [*command, f"--demo-folder={ROOT / 'docs'}"],
            cwd=ROOT,
            env={**os.environ, "COFFRE_LOG_FORMAT": "json"},
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 180
        while not (folder / "stack.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the installation didn't start:\n{log.read_text()}")
            time.sleep(0.2)
        yield Installation(folder)
    finally:
        record = folder / processes.RECORD
        started = json.loads(record.read_text())["processes"] if record.exists() else []
        process.terminate()
        for row in started:  # nobody needs what they would still write
            with suppress(ProcessLookupError):
                os.killpg(row["pid"], signal.SIGKILL)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names what is long by its length: workers compare names, and what is random has none."""
    if isinstance(val, bytes | str) and len(val) > 60:
        return f"{argname} of {len(val)}"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps tests that share what is costly to start on one worker each."""
    for item in items:
        for shared in ("installation", "demo", "chromium"):
            if shared in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(shared))
                break


@pytest.fixture
def campaign(record_property: Callable[[str, object], None]) -> Campaign:
    """What an attack counts its requests with; the sums are printed at the end of a run."""
    return Campaign(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what `tests/hostile` tried and what its victims felt, from all workers."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    told = [told for report in reports for name, told in report.user_properties if name == HOSTILE]
    if told:
        terminalreporter.section("hostile campaign")
        for line in summarize(told):
            terminalreporter.write_line(line)


@pytest.fixture
def mailbox(servers: TestServers) -> Mailbox:
    """What the SMTP sink takes during the test: use addresses of the test's own."""
    return Mailbox(Path(servers.mail_dir))
