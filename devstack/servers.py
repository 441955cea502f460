"""The servers a stack stands on: RabbitMQ, PostgreSQL, SeaweedFS and the SMTP sink."""

from __future__ import annotations

import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devstack import ports, postgresql, rabbitmq, seaweedfs
from devstack.folder_store import FolderStore
from devstack.ports import Ports
from devstack.postgresql import PostgreSQL
from devstack.processes import Processes, Program, StartFailed
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
    store: SeaweedFS | FolderStore
    mailbox: Mailbox

    def describe(self) -> dict[str, object]:
        """Gives what tests need to use them, as JSON values."""
        s3 = self.store.settings("")
        return {
            "postgres_admin_dsn": self.postgresql.dsn(),
            "postgres_port": self.postgresql.port,
            "postgres_password": self.postgresql.password,
            "amqp_url": self.rabbitmq.url(),
            "amqp_port": self.rabbitmq.port,
            "amqp_password": self.rabbitmq.password,
            "amqp_management": self.rabbitmq.management,
            "s3_endpoint": s3["s3_endpoint"],
            "s3_access_key": s3["s3_access_key"],
            "s3_secret_key": s3["s3_secret_key"],
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


def start(
    processes: Processes,
    folder: Path,
    free: Ports,
    *,
    durable: bool = True,
    store: Literal["s3", "file"] = "s3",
) -> Servers:
    """Starts all servers side by side with their files in `folder`, and waits until all answer.

    store: an S3 server, or a folder, which needs none. Raises StartFailed.
    """
    _check_store(folder, store)
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
        stored = threads.submit(lambda: _start_store(processes, folder, free, store))
        mails = threads.submit(lambda: start_mailbox(processes, folder, free))
        return Servers(broker.result(), database.result(), stored.result(), mails.result())


def _check_store(folder: Path, store: Literal["s3", "file"]) -> None:
    """What is stored in the one isn't found in the other."""
    other = {"s3": "store", "file": "seaweedfs"}[store]
    if (folder / other).exists():
        wanted = {"s3": "file", "file": "s3"}[store]
        raise StartFailed(
            f"What is stored lies in {folder / other}: start it by `--store {wanted}`, or another"
            " installation by --dir."
        )


def _start_store(
    processes: Processes, folder: Path, free: Ports, store: Literal["s3", "file"]
) -> SeaweedFS | FolderStore:
    if store == "file":
        return FolderStore(folder / "store")
    return seaweedfs.start(processes, folder / "seaweedfs", secret(folder, "s3-secret-key"), free)


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
