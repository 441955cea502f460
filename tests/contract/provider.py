"""A provider's installation: all five services as processes, an operator, and a date that moves."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devstack import clock, mails
from devstack.processes import write_atomically
from devstack.stack import OFFSET_FILE, SERVICES, read_offset
from tests.servers import execute
from tests.world import forks
from tests.world.clients import PASSWORD, Client
from tests.world.house import House, take_place
from tests.world.machines import Machine
from tests.world.waiting import wait_for

SCHEMAS = (*SERVICES, "catalogue")


def plain(text: str) -> str:
    """A text with blanks alone for blanks."""
    return " ".join(text.split())


def shorten(subject: str, client: str) -> str:
    """A mail's subject, without the client that it names at its end."""
    return plain(subject).removesuffix(client).rstrip(" -:")


@dataclass
class Provider:
    """The installation, and whoever runs it."""

    servers: Any
    house: House

    # --- the date ------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The installation's time."""
        return datetime.now(UTC) + timedelta(seconds=read_offset(self.house.place.folder))

    def go_to(self, moment: datetime) -> None:
        """Moves the date of all services together, as `./run clock` does."""
        assert clock.settle(self.house.place), "something that was said was never heard"
        self.house.stop(*SERVICES)
        offset = round((moment - datetime.now(UTC)).total_seconds())
        write_atomically(
            self.house.place.folder / OFFSET_FILE, json.dumps({"offset_seconds": offset})
        )
        self.confirm()
        self.start()

    def confirm(self) -> None:
        """Has each service believe that its time is right."""
        said = clock.confirm(self.house.place)
        assert len([line for line in said if "is believed" in line]) == len(SERVICES), said

    def start(self) -> None:
        """Starts the services."""
        for service in SERVICES:
            self.house.launch(service)
        self.house.wait_ready(*SERVICES)

    def start_again(self, service: str) -> None:
        """Starts a service anew: what it does every minute is done some seconds later."""
        self.house.stop(service)
        self.house.start(service)
        self.house.wait_ready(service)

    # --- the operator --------------------------------------------------------------------------

    def ask(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Types `coffre …`, with this installation's address and token unless told otherwise."""
        named = {
            "COFFRE_PORTAL": self.house.url("portal"),
            "COFFRE_TOKEN": self.house.place.operator_token,
        }
        return forks.run("operators", *arguments, env={**os.environ, **named, **environ})

    def coffre(self, *arguments: str) -> Any:
        """What `coffre … --json` answers."""
        ended = self.ask("--json", *arguments)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def open_client(self, name: str, email: str, contracted: str) -> Client:
        """A client that an operator opened, and whose administrator has chosen a password."""
        terms = ("--contracted", contracted, "--seats", "2")
        opened = self.coffre("tenant", "create", "--name", name, "--email", email, *terms)
        mailed = wait_for("a password", lambda: mails.find_password(self.house.mail_dir, email))
        self.house.portal.change_password(email, mailed, PASSWORD)
        return Client(self.house, opened["tenant_id"], email)

    def enrol(self, client: Client, folder: Path) -> Machine:
        """A machine that came in with the code that an operator made."""
        (folder / "source").mkdir(parents=True)
        plan = {"folders": [str(folder / "source")], "recipients": [client.email]}
        told = self.coffre("enrol", client.tenant_id)
        machine = Machine(folder, {"documents": plan}, told["ingest_url"], {}, client)
        machine.enrol(told["code"])
        return machine

    # --- what is left --------------------------------------------------------------------------

    def rows_of(self, tenant_id: str) -> dict[str, int]:
        """In which tables something of a client stands, and how many rows."""
        tables = self.house.query(
            "SELECT table_schema::text, table_name::text FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE column_name = 'tenant_id' AND table_type = 'BASE TABLE'"
            " AND table_schema = ANY($1)",
            SCHEMAS,
        )
        every = " UNION ALL ".join(
            f"SELECT '{schema}.{name}' AS name, count(*) AS rows FROM {schema}.{name}"
            " WHERE tenant_id = $1::text::uuid"
            for schema, name in tables
        )
        return {name: rows for name, rows in self.house.query(every, tenant_id) if rows}

    def objects_of(self, tenant_id: str) -> list[str]:
        """The keys of the objects that are named after a client."""

        async def look() -> list[str]:
            return [key async for key, _ in self.house.objects.list("") if tenant_id in key]

        return asyncio.run(look())

    # --- the database --------------------------------------------------------------------------

    def save_database(self, to: Path) -> None:
        """Keeps the database as it is."""
        subprocess.run(["pg_dump", "-Fc", "-f", str(to), self.house.admin_dsn], check=True)

    def bring_back_database(self, saved: Path) -> None:
        """Ends the services, and starts them on the database as it was."""
        self.house.stop(*SERVICES)
        name = self.house.place.database
        execute(
            self.servers,
            f"DROP DATABASE {name} WITH (FORCE)",
            f"CREATE DATABASE {name} OWNER coffre_owner",
        )
        subprocess.run(["pg_restore", "-d", self.house.admin_dsn, str(saved)], check=True)
        self.confirm()
        self.start()


@contextmanager
def open_provider(servers: Any, template: str, folder: Path) -> Iterator[Provider]:
    """An installation at the machine's own date, which goes with all that it has."""
    with take_place(servers, template, folder) as place:
        provider = Provider(servers, House(place))
        try:
            provider.start()
            yield provider
        finally:
            provider.house.close()
