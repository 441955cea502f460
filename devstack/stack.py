"""What one installation in one folder consists of: its secrets, database, services, settings."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.ports import Ports
from devstack.processes import Processes, Program, write_atomically
from devstack.servers import ROOT, Servers, secret
from libs.shared import bus, clock, database
from libs.shared.certificates import Notary
from libs.shared.signatures import Signer, public_file

SERVICES = {"portal": 8000, "ingest": 8001, "quota": 8002, "reporting": 8003, "retention": 8004}
OPERATOR = "operator@coffre.example"
HOTLINE = "hotline@coffre.example"
KEEPERS_OF_OBJECTS = ("ingest", "portal", "retention")
OFFSET_FILE = "clock.json"
PASSED_BY = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "PYTHONWARNINGS")


def read_offset(folder: Path) -> int:
    """Gives how far the installation's clock is from the machine's, in seconds."""
    try:
        return int(json.loads((folder / OFFSET_FILE).read_text())["offset_seconds"])
    except FileNotFoundError:
        return int(os.environ.get(clock.OFFSET_VARIABLE) or 0)


def readable_secret(folder: Path, name: str) -> str:
    """Gives a password of this stack that a person may have to type."""
    path = folder / "secrets" / name
    if not path.exists():
        secret(folder, name)
        path.write_text("-".join(secrets.token_hex(3) for _ in range(4)))
    return path.read_text()


@dataclass(frozen=True)
class Stack:
    """An installation: its folder, its servers, where each service listens, for all and for us."""

    folder: Path
    servers: Servers
    listens: Mapping[str, int]
    monitors: Mapping[str, int]
    database: str = "coffre"
    bucket: str = "coffre"
    vhost: str = "/"

    def url(self, service: str) -> str:
        """Gives the address of a service."""
        return f"http://127.0.0.1:{self.listens[service]}"

    def monitor_url(self, service: str) -> str:
        """Gives the address where a service tells its operators how it is."""
        return f"http://127.0.0.1:{self.monitors[service]}"

    def dsn(self, role: str) -> str:
        """Gives the address of the database for a role such as `coffre_ingest`."""
        return self.servers.postgresql.dsn(self.database, role, secret(self.folder, role))

    @property
    def admin_dsn(self) -> str:
        """The address of the database for PostgreSQL's administrator."""
        return self.servers.postgresql.dsn(self.database)

    @property
    def amqp_url(self) -> str:
        """The address of the broker for its administrator."""
        return self.servers.rabbitmq.url(self.vhost)

    def broker_url(self, service: str) -> str:
        """Gives the address of the broker for a service's account."""
        password = secret(self.folder, f"amqp-{service}")
        return self.servers.rabbitmq.url(self.vhost, bus.account_of(service), password)

    @property
    def operator_token(self) -> str:
        """What the operator signs in with at the portal's JSON API."""
        return secret(self.folder, "operator-token")

    def prepare(self) -> None:
        """Makes roles, accounts, database, queues and bucket where they are missing; migrates."""
        asyncio.run(self._prepare_database())
        passwords = {service: secret(self.folder, f"amqp-{service}") for service in SERVICES}
        self.servers.rabbitmq.define(passwords, self.vhost)
        asyncio.run(self._prepare_store())

    async def _prepare_store(self) -> None:
        objects = self.servers.store.open(self.bucket)
        try:
            await objects.ensure_bucket()
        finally:
            await objects.close()

    async def _prepare_database(self) -> None:
        passwords = {role: secret(self.folder, role) for role in database.ROLES}
        await database.bootstrap(self.servers.postgresql.dsn(), self.database, passwords)
        for service in SERVICES:
            await database.migrate(self.dsn("coffre_owner"), service)

    def program(self, service: str) -> Program:
        """Says how to start a service."""
        return Program(
            name=service,
            argv=[sys.executable, "-m", f"services.{service}"],
            environ=self.environment(service),
            cwd=ROOT,
            log=self.folder / "logs" / f"{service}.log",
            stop_signal=signal.SIGTERM,
            stop_seconds=25,
        )

    def environment(self, service: str) -> dict[str, str]:
        """Gives a service's variables: the caller's COFFRE_… first, what we know over them."""
        environ = {
            name: value
            for name, value in os.environ.items()
            if name in PASSED_BY or name.startswith("COFFRE_")
        }
        settings = {
            "database_url": self.dsn(f"coffre_{service}"),
            "amqp_url": self.broker_url(service),
            "event_key_file": self._secret_file(f"event-key-{service}"),
            "event_senders_dir": self._senders_dir(),
            "listen": f"127.0.0.1:{self.listens[service]}",
            "monitor_listen": f"127.0.0.1:{self.monitors[service]}",
            "log_format": os.environ.get("COFFRE_LOG_FORMAT", "console"),
            "clock_offset_seconds": str(read_offset(self.folder)),
        }
        if service in KEEPERS_OF_OBJECTS:
            settings |= {
                **self.servers.store.settings(self.bucket),
                "master_key_file": self._secret_file("master-key"),
            }
        if service == "reporting":
            settings |= {
                "smtp_host": "127.0.0.1",
                "smtp_port": str(self.servers.mailbox.port),
                "mail_from": "Coffre <no-reply@coffre.example>",
                "hotline": HOTLINE,
                "support_name": "Coffre",
            }
        if service == "retention":
            settings |= {"certificate_key_file": self._secret_file("certificate-key")}
        if service == "portal":
            settings |= {
                "stage": "development",
                "legal_folder": str(ROOT / "deploy" / "legal"),
                "certificate_public_file": self._certificate_public_file(),
                "ingest_url": self.url("ingest"),
                "agent_folder": str(ROOT / "dist"),
                "operator_email": OPERATOR,
                "operator_password_file": self._secret_file("operator-password"),
                "operator_token_file": self._secret_file("operator-token"),
            }
        if service in ("portal", "reporting"):
            settings |= {
                "portal_url": self.url("portal"),
                "mail_key_file": self._secret_file("mail-key"),
                "support_phone": "+33 1 23 45 67 89",
                "support_email": HOTLINE,
                "support_hours_fr": "du lundi au vendredi, de 8\u00a0h\u00a030 à 18\u00a0h",
                "support_hours_en": "Monday to Friday, 8:30 to 18:00",
            }
        return environ | {f"COFFRE_{name.upper()}": value for name, value in settings.items()}

    def _secret_file(self, name: str) -> str:
        if name.endswith("password"):
            readable_secret(self.folder, name)
        else:
            secret(self.folder, name)
        return str(self.folder / "secrets" / name)

    def signer(self, service: str) -> Signer:
        """What signs a service's events."""
        return Signer(service, bytes.fromhex(secret(self.folder, f"event-key-{service}")))

    def _senders_dir(self) -> str:
        """The folder with the public keys of all services."""
        folder = self.folder / "senders"
        folder.mkdir(exist_ok=True)
        for service in SERVICES:
            path = public_file(folder, service)
            if not path.exists():
                write_atomically(path, self.signer(service).public_key.hex() + "\n")
        return str(folder)

    def _certificate_public_file(self) -> str:
        """What certificates of destruction are checked with; public."""
        path = self.folder / "certificate-key.pem"
        notary = Notary(bytes.fromhex(secret(self.folder, "certificate-key")))
        if not path.exists() or path.read_bytes() != notary.public_pem:
            write_atomically(path, notary.public_pem.decode())
        return str(path)

    def describe(self, processes: Processes, demo: object) -> dict[str, object]:
        """Gives the contents of `stack.json`."""
        running = {name: processes.process(name) for name in SERVICES}
        mailbox = self.servers.mailbox
        return {
            "portal": {"url": self.url("portal")},
            "ingest": {"url": self.url("ingest")},
            "mailbox": {"url": mailbox.url, "dir": str(mailbox.folder)},
            "smtp": {"host": "127.0.0.1", "port": mailbox.port},
            "operator": {
                "email": OPERATOR,
                "password": readable_secret(self.folder, "operator-password"),
                "token": self.operator_token,
            },
            "demo": demo,
            "postgres": {"dsn": self.admin_dsn},
            "amqp": {"url": self.amqp_url},
            **self.servers.store.describe(self.bucket),
            "services": {
                name: {
                    "pid": process.pid,
                    "url": self.url(name),
                    "monitor_url": self.monitor_url(name),
                }
                for name, process in running.items()
                if process is not None
            },
        }


def choose_listens(free: Ports) -> dict[str, int]:
    """Gives each service its usual port, or another one when that is taken."""
    return {service: free.choose(service, usual) for service, usual in SERVICES.items()}


def choose_monitors(free: Ports) -> dict[str, int]:
    """Gives what each service tells its operators its usual port, or another one."""
    return {
        service: free.choose(f"{service}-monitor", usual + 100)
        for service, usual in SERVICES.items()
    }


def is_ready(url: str) -> bool:
    """Says whether a service reports that it can do its work."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
