"""Ingest, portal and reporting as processes, with clients and machines as they really come."""

from __future__ import annotations

import asyncio
import email
import email.policy
import html
import json
import os
import re
import secrets
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx2

from tests.agent.machines import ROOT, Machine
from tests.servers import cloned_database, free_port, make_bucket

SERVICES = ("ingest", "portal", "reporting")
PASSWORD = "une tarte aux pommes tiède"
T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 40) -> T:
    """Looks until there is something."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"{what} didn't come within {seconds} s"
        time.sleep(0.05)
    return found


@dataclass
class Client:
    """A client company with its administrator's sign-in."""

    house: House
    tenant_id: str
    email: str

    def machine(self, folder: Path, plans: dict[str, dict[str, Any]], **more: Any) -> Machine:
        """A machine that has enrolled."""
        folder.mkdir(parents=True, exist_ok=True)
        machine = Machine(folder, plans, self.house.urls["ingest"], more)
        enrolled = machine.agent(
            "enrol", "--server", machine.server, "--code", self.enrolment_code()
        )
        assert enrolled.returncode == 0, enrolled.stderr
        return machine

    def enrolment_code(self) -> str:
        """A one-time code that ingest knows of."""
        answer = self.house.operate("POST", f"/tenants/{self.tenant_id}/enrolments", {})
        code = str(answer["code"])
        wait_for("the enrolment at ingest", self.house.all_delivered)
        return code

    def restore(
        self, machine: Machine, to: Path, *arguments: str, plan: str = "papers", expect: int = 0
    ) -> dict[str, Any]:
        """Restores a plan as this client's administrator; gives the summary."""
        ended = machine.agent(
            "restore", plan, "--portal", self.house.urls["portal"], "--email", self.email,
            "--to", str(to), "--json", *arguments, COFFRE_PASSWORD=PASSWORD,
        )  # fmt: skip
        assert ended.returncode == expect, (ended.returncode, ended.stdout, ended.stderr)
        summary: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return summary

    def restore_dumps(self, machine: Machine, to: Path, *arguments: str) -> Path:
        """Restores the dumps of the plan `papers`; gives the folder that holds them."""
        self.restore(machine, to, "--path", "/@dumps", *arguments)
        return to / "@dumps"

    def reports(self, count: int) -> list[tuple[str, str]]:
        """Subjects and texts of the reports to the administrator, once there are so many."""

        def look() -> list[tuple[str, str]] | None:
            mails = self.house.mails_to(self.email)
            found = [mail for mail in mails if "sauvegarde de" in mail[0]]
            return found if len(found) >= count else None

        return wait_for(f"{count} reports", look)

    def last_run(self) -> Any:
        """What ingest noted of the last run."""
        return self.house.query(
            "SELECT state, outcome, reason->>'code' AS code, reason->>'subject' AS subject, number"
            " FROM ingest.runs"
            " WHERE tenant_id = $1::text::uuid ORDER BY number DESC LIMIT 1",
            self.tenant_id,
        )[0]


@dataclass
class House:
    """The running services."""

    folder: Path
    environ: dict[str, str]
    urls: dict[str, str]
    operator_token: str
    admin_dsn: str
    mail_dir: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, service: str) -> None:
        """Starts a service and waits until it is ready."""
        log = self.folder / f"{service}.log"
        user = self.environ["DATABASE_OF"].format(service=service)
        with log.open("ab") as output:
            self.processes[service] = subprocess.Popen(
                [sys.executable, "-m", f"services.{service}"],
                cwd=ROOT,
                env={
                    **os.environ,
                    **self.environ,
                    "COFFRE_DATABASE_URL": user,
                    "COFFRE_LISTEN": self.urls[service].removeprefix("http://"),
                },
                stdout=output,
                stderr=output,
            )

        def ready() -> bool | None:
            assert self.processes[service].poll() is None, log.read_text()[-3000:]
            try:
                answer = httpx2.get(f"{self.urls[service]}/health/ready", trust_env=False)
            except httpx2.TransportError:
                return None
            return answer.is_success or None

        wait_for(f"{service}: {log}", ready)

    def stop(self, service: str) -> None:
        """Ends a service as an operator would."""
        process = self.processes.pop(service)
        process.terminate()
        process.wait(30)

    def kill(self, service: str) -> None:
        """Ends a service as a power cut would."""
        process = self.processes.pop(service)
        process.kill()
        process.wait(30)

    def operate(self, method: str, path: str, document: dict[str, Any]) -> Any:
        """A call of the operator's API."""
        answer = httpx2.request(
            method,
            f"{self.urls['portal']}/api/v1{path}",
            json=document,
            headers={"Authorization": f"Bearer {self.operator_token}"},
            timeout=60,
            trust_env=False,
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def query(self, statement: str, *arguments: object) -> list[Any]:
        """Rows, as the database's owner sees them."""

        async def fetch() -> list[Any]:
            connection = await asyncpg.connect(self.admin_dsn)
            try:
                return list(await connection.fetch(statement, *arguments))
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def all_delivered(self) -> bool | None:
        """Has all that the portal said been taken in by ingest?"""
        (row,) = self.query(
            "SELECT (SELECT count(*) FROM portal.outbox WHERE published_at IS NULL)"
            " + (SELECT count(*) FROM ingest.inbox WHERE done_at IS NULL) AS left"
        )
        return row["left"] == 0 or None

    def open_client(self, name: str = "Menuiserie Roche") -> Client:
        """A client company whose administrator has chosen a password."""
        address = f"{uuid.uuid4().hex[:10]}@menuiserie.example"
        opened = self.operate(
            "POST",
            "/tenants",
            {
                "name": name,
                "locale": "fr",
                "contracted_bytes": 10**12,
                "seats": 3,
                "administrator": {"name": "Anne Roche", "email": address},
            },
        )
        mailed = wait_for("the first password", lambda: self._mailed_password(address))
        changed = httpx2.post(
            f"{self.urls['portal']}/api/v1/password",
            json={"email": address, "password": mailed, "new_password": PASSWORD},
            timeout=60,
            trust_env=False,
        )
        assert changed.is_success, changed.text
        return Client(self, str(opened["tenant_id"]), address)

    def mails_to(self, address: str, form: str = "plain") -> list[tuple[str, str]]:
        """Subjects and texts of the mails that an address got, oldest first."""
        found = []
        for path in sorted(self.mail_dir.glob("[0-9]*.eml")):
            content = path.read_bytes()
            if address.encode() not in content:
                continue  # spares reading thousands of mails of other tests
            mail: Any = email.message_from_bytes(content, policy=email.policy.default)
            part = mail.get_body((form,))
            if part is not None and address in mail.get_all("X-Envelope-To", []):
                found.append((str(mail["Subject"]), str(part.get_content())))
        return found

    def _mailed_password(self, address: str) -> str | None:
        for _, text in reversed(self.mails_to(address, "html")):
            found = re.search(r'class="password"[^>]*>([^<]+)<', text)
            if found:
                return html.unescape(found[1]).strip()
        return None


@contextmanager
def open_house(servers: Any, template: str, folder: Path) -> Iterator[House]:
    """All of it on a database, a virtual host and a bucket of its own."""
    vhost = f"test-{uuid.uuid4().hex[:12]}"
    with ExitStack() as stack:
        name = stack.enter_context(cloned_database(servers, template))
        servers.broker.create_vhost(vhost)
        stack.callback(servers.broker.delete_vhost, vhost)
        bucket = make_bucket(servers)
        token = secrets.token_urlsafe(24)
        for kept, content in {
            "master-key": secrets.token_hex(32),
            "mail-key": secrets.token_hex(32),
            "operator-token": token,
            "operator-password": secrets.token_hex(8),
        }.items():
            (folder / kept).write_text(content)
        urls = {service: f"http://127.0.0.1:{free_port()}" for service in SERVICES}
        house = House(
            folder=folder,
            environ={
                "DATABASE_OF": "postgresql://coffre_{service}:coffre_{service}"
                f"@127.0.0.1:{servers.postgres_port}/{name}",
                "COFFRE_AMQP_URL": servers.broker.url(vhost),
                "COFFRE_LOG_FORMAT": "console",
                "COFFRE_S3_ENDPOINT": servers.s3_endpoint,
                "COFFRE_S3_ACCESS_KEY": servers.s3_access_key,
                "COFFRE_S3_SECRET_KEY": servers.s3_secret_key,
                "COFFRE_S3_BUCKET": bucket,
                "COFFRE_MASTER_KEY_FILE": str(folder / "master-key"),
                "COFFRE_MAIL_KEY_FILE": str(folder / "mail-key"),
                "COFFRE_OPERATOR_EMAIL": "operator@provider.example",
                "COFFRE_OPERATOR_PASSWORD_FILE": str(folder / "operator-password"),
                "COFFRE_OPERATOR_TOKEN_FILE": str(folder / "operator-token"),
                "COFFRE_PORTAL_URL": urls["portal"],
                "COFFRE_INGEST_URL": urls["ingest"],
                "COFFRE_SMTP_HOST": servers.smtp_host,
                "COFFRE_SMTP_PORT": str(servers.smtp_port),
                "COFFRE_MAIL_FROM": "Coffre <no-reply@coffre.example>",
                "COFFRE_HOTLINE": "hotline@coffre.example",
            },
            urls=urls,
            operator_token=token,
            admin_dsn=servers.postgres_admin_dsn.rpartition("/")[0] + f"/{name}",
            mail_dir=Path(servers.mail_dir),
        )

        def stop_all() -> None:
            for service in list(house.processes):
                house.stop(service)

        stack.callback(stop_all)
        for service in SERVICES:
            house.start(service)
        yield house
