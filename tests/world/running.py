"""Services that run, seen from outside: their portal, their mails, their database."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from devstack import mails
from devstack.portal import Portal
from libs.shared.bus import topology
from tests.world.clients import Client, open_client
from tests.world.waiting import wait_for


class Running:
    """Services that run, seen from outside."""

    mail_dir: Path
    admin_dsn: str
    portal: Portal

    def url(self, service: str) -> str:
        """The address of a service."""
        raise NotImplementedError

    def api(self, token: str) -> httpx2.Client:
        """The portal's JSON API with somebody's token."""
        return httpx2.Client(
            base_url=f"{self.url('portal')}/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            verify=False,
        )

    def operator(self) -> httpx2.Client:
        """The portal's JSON API as its operator."""
        return self.api(self.portal.operator_token)

    def open_client(self, *name: str, **terms: Any) -> Client:
        """A client company whose administrator has chosen a password."""
        return open_client(self, *name, **terms)

    def mails(self, to: str) -> list[EmailMessage]:
        """The mails that an address got, oldest first."""
        return list(mails.read(self.mail_dir, to))

    def mail(self, to: str, containing: str, seconds: float = 60) -> EmailMessage:
        """The first mail to an address whose subject or text holds some words, once it is there."""

        def look() -> EmailMessage | None:
            for mail in self.mails(to):
                if containing in str(mail["Subject"]) or containing in mails.text(mail):
                    return mail
            return None

        return wait_for(f"a mail to {to} with «{containing}»", look, seconds)

    async def fetch(self, statement: str, *arguments: object) -> list[Any]:
        """Rows, as the database's owner sees them."""
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    def query(self, statement: str, *arguments: object) -> list[Any]:
        """Rows, as the database's owner sees them, for a test that has no loop."""
        return asyncio.run(self.fetch(statement, *arguments))

    async def events(self, tenant_id: uuid.UUID, kind: str) -> list[Any]:
        """What ingest published of a tenant, in order: payloads as JSON."""
        rows = await self.fetch(
            "SELECT payload::jsonb::text AS p FROM ingest.outbox"
            " WHERE tenant_id = $1 AND type = $2 ORDER BY position",
            tenant_id,
            kind,
        )
        return [json.loads(row["p"]) for row in rows]

    def http(self, service: str) -> httpx2.AsyncClient:
        """A client of a service, for whoever it then says it is."""
        return httpx2.AsyncClient(
            base_url=self.url(service), timeout=60, trust_env=False, verify=False
        )

    def all_delivered(self, sender: str = "portal", reader: str = "ingest") -> bool:
        """Has a service handled all that another one said to it, also what the broker had?"""
        (row,) = self.query(
            f"SELECT (SELECT count(*) FROM {sender}.outbox WHERE published_at IS NULL)"
            f" + (SELECT count(*) FROM {reader}.inbox WHERE done_at IS NULL)"
            " + (SELECT count(*) FROM (SELECT event_id"
            f" FROM {sender}.outbox WHERE type = ANY($1) ORDER BY position DESC LIMIT 1) AS newest"
            f" WHERE NOT EXISTS (SELECT FROM {reader}.inbox i WHERE i.event_id = newest.event_id))"
            " AS left",
            topology.said_to(reader, sender),
        )
        return bool(row["left"] == 0)


@dataclass
class Installation(Running):
    """A whole running stack, as `./run up` starts it."""

    folder: Path

    @property
    def stack(self) -> dict[str, Any]:
        """What `stack.json` says now: process numbers change when a service is started again."""
        told: dict[str, Any] = json.loads((self.folder / "stack.json").read_text())
        return told

    def __post_init__(self) -> None:
        told = self.stack
        self.mail_dir = Path(told["mailbox"]["dir"])
        self.admin_dsn = told["postgres"]["dsn"]
        self.portal = Portal(told["portal"]["url"], told["operator"]["token"])

    def url(self, service: str) -> str:
        """The address of a service."""
        return str(self.stack["services"][service]["url"])

    def pid(self, service: str) -> int:
        """The number of a service's process at this moment."""
        return int(self.stack["services"][service]["pid"])
