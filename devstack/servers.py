"""The servers a stack stands on: RabbitMQ, PostgreSQL, SeaweedFS and the SMTP sink."""

from __future__ import annotations

import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from devstack import ports, postgresql, rabbitmq, seaweedfs
from devstack.ports import Ports
from devstack.postgresql import PostgreSQL
from devstack.processes import Processes, Program
from devstack.rabbitmq import RabbitMQ
from devstack.seaweedfs import SeaweedFS

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Mailbox:
    """A running SMTP sink, its folder of mails and its page."""

    port: int
    folder: Path
    url: str


@dataclass(frozen=True)
class Servers:
    """All four, ready."""

    rabbitmq: RabbitMQ
    postgresql: PostgreSQL
    seaweedfs: SeaweedFS
    mailbox: Mailbox

    def describe(self) -> dict[str, object]:
        """Gives what tests need to use them, as JSON values."""
        return {
            "postgres_admin_dsn": self.postgresql.dsn(),
            "postgres_port": self.postgresql.port,
            "postgres_password": self.postgresql.password,
            "amqp_url": self.rabbitmq.url(),
            "amqp_port": self.rabbitmq.port,
            "amqp_password": self.rabbitmq.password,
            "amqp_management": self.rabbitmq.management,
            "s3_endpoint": self.seaweedfs.endpoint,
            "s3_access_key": self.seaweedfs.access_key,
            "s3_secret_key": self.seaweedfs.secret_key,
            "smtp_host": "127.0.0.1",
            "smtp_port": self.mailbox.port,
            "mail_dir": str(self.mailbox.folder),
            "mailbox_url": self.mailbox.url,
        }


def secret(folder: Path, name: str) -> str:
    """Gives a secret of this stack; made at random the first time, then kept, 0600."""
    path = folder / "secrets" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{name}.{os.getpid()}")
        with open(draft, "w", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
            file.write(secrets.token_hex(32))
        draft.rename(path)
    return path.read_text()


def start(processes: Processes, folder: Path, free: Ports, *, durable: bool = True) -> Servers:
    """Starts all servers side by side with their files in `folder`, and waits until all answer."""
    with ThreadPoolExecutor(4) as threads:
        broker = threads.submit(
            lambda: rabbitmq.start(
                processes, folder / "rabbitmq", secret(folder, "amqp-password"), free
            )
        )
        database = threads.submit(
            lambda: postgresql.start(
                processes,
                folder / "postgresql",
                secret(folder, "postgres-password"),
                free,
                durable=durable,
            )
        )
        store = threads.submit(
            lambda: seaweedfs.start(
                processes, folder / "seaweedfs", secret(folder, "s3-secret-key"), free
            )
        )
        mails = threads.submit(lambda: start_mailbox(processes, folder, free))
        return Servers(broker.result(), database.result(), store.result(), mails.result())


def start_mailbox(processes: Processes, folder: Path, free: Ports) -> Mailbox:
    """Starts the SMTP sink with its page, on the usual ports when these are free."""
    mails = folder / "mails"
    mails.mkdir(parents=True, exist_ok=True, mode=0o700)
    smtp, http = free.choose("smtp", 1025), free.choose("mailbox", 8025)
    options = [f"--dir={mails}", f"--smtp-port={smtp}", f"--http-port={http}"]
    processes.start(
        Program(
            name="mailbox",
            argv=[sys.executable, "-m", "devstack.mailbox", *options],
            environ=dict(os.environ),
            cwd=ROOT,
            log=folder / "logs" / "mailbox.log",
            stop_seconds=5,
        )
    )
    processes.wait_ready("mailbox", lambda: ports.answers(smtp) and ports.answers(http))
    return Mailbox(smtp, mails, f"http://127.0.0.1:{http}")
