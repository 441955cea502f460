"""Services as processes: on a database, a virtual host and a bucket of a test's own."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import argon2
import httpx2

from devstack.portal import Portal
from devstack.stack import SERVICES, Stack, is_ready
from libs.shared import bus, clock, database, keys
from libs.shared.events import Event
from libs.shared.objects import ObjectStore
from libs.shared.signatures import outgoing
from services.ingest import consumers
from tests.databases import cloned_database
from tests.servers import AMQP_PASSWORDS, free_port, kept_ports, made_vhost, make_bucket
from tests.world import forks
from tests.world.clients import PASSWORD, Client, address_of_client
from tests.world.running import Running
from tests.world.senders import sender_of
from tests.world.waiting import wait_for

STARTING_SECONDS = 180
"""Services that start together, beside other work, share two cores."""
FOR_AGENTS = ("ingest", "portal", "reporting")


@dataclass
class House(Running):
    """Services that a test starts and ends itself, each `python -m services.NAME`."""

    place: Stack
    environ: dict[str, str] = field(default_factory=dict)
    processes: dict[str, forks.Forked] = field(default_factory=dict)
    published: int = 0

    def __post_init__(self) -> None:
        self.mail_dir = self.place.servers.mailbox.folder
        self.portal = Portal(self.place.url("portal"), self.place.operator_token)

    @cached_property
    def objects(self) -> ObjectStore:
        """The bucket."""
        return self.place.servers.store.open(self.place.bucket)

    def open_client(self, name: str = "Menuiserie Roche", **terms: Any) -> Client:
        """A client company whose administrator has a password that is compared at once.

        Whoever comes by the mail has the portal hash three times, at its cost.
        """
        address = address_of_client()
        tenant_id = self.portal.open_client(name, "Anne Roche", address, **terms)
        self.query(
            "UPDATE portal.users SET password_hash = $2, one_time = false,"
            " password_expires_at = NULL WHERE email = $1",
            address,
            argon2.PasswordHasher(1, 8, 1).hash(PASSWORD),
        )
        return Client(self, tenant_id, address)

    @property
    def admin_dsn(self) -> str:  # type: ignore[override]
        """The database for PostgreSQL's administrator."""
        return self.place.admin_dsn

    @property
    def master_key(self) -> bytes:
        """What wraps the tenants' keys."""
        return keys.read_key(Path(self.environment("ingest")["COFFRE_MASTER_KEY_FILE"]))

    def url(self, service: str) -> str:
        """The address of a service."""
        return self.place.url(service)

    def dsn(self, service: str) -> str:
        """The database for the role of a service."""
        return self.place.dsn(f"coffre_{service}")

    async def deliver(self, event: Event) -> None:
        """Hands an event to ingest's handler, as a worker of its inbox does."""
        pool = await database.create_pool(self.dsn("ingest"), "ingest", max_size=1)
        try:
            async with database.transaction(pool) as conn:
                await consumers.HANDLERS[type(event)](conn, event)
        finally:
            await pool.close()

    async def publish(self, *events: Event, times: int = 1) -> None:
        """Publishes events as their services do; each as often as told, under one id."""
        async with bus.publisher(self.place.amqp_url, "test") as publisher:
            for event in events:
                self.published += 1
                signer = self.place.signer(sender_of(event))
                message = bus.Message(
                    event_id=uuid.uuid4(),
                    type=event.type,
                    routing_key=bus.routing_key(event),
                    body=event.model_dump_json().encode(),
                    source=signer.source,
                    subject=event.tenant_id,
                    time=clock.now(),
                    sequence=self.published,
                )
                message = replace(message, signature=signer.sign([outgoing(message)]))
                assert await publisher.publish([message] * times) == [None] * times

    def environment(self, service: str) -> dict[str, str]:
        """All that the process of a service is told."""
        return {**self.place.environment(service), **self.environ}

    def log(self, service: str) -> Path:
        """Where a service writes what it does."""
        return self.place.folder / f"{service}.log"

    def launch(self, service: str, **environ: str) -> forks.Forked:
        """Starts the process of a service, and waits for nothing."""
        told = {**self.environment(service), **environ}
        with self.log(service).open("ab") as log:
            self.processes[service] = forks.start(service, env=told, out=log, err=log)
        return self.processes[service]

    def start(self, service: str, **environ: str) -> None:
        """Starts a service and waits until it answers, be it ready or not."""
        process = self.launch(service, **environ)

        def answers() -> bool:
            assert process.poll() is None, self.log(service).read_text()[-4000:]
            try:
                httpx2.get(f"{self.url(service)}/health/live", trust_env=False, verify=False)
            except httpx2.TransportError:
                return False
            return True

        wait_for(f"{service}: {self.log(service)}", answers, seconds=STARTING_SECONDS)

    def wait_ready(self, *services: str) -> None:
        """Waits until these services can do their work."""
        for service in services:
            ready = partial(is_ready, self.url(service))
            wait_for(f"{service}'s readiness", ready, seconds=STARTING_SECONDS)

    def command(
        self, service: str, *words: str, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command of a service to its end."""
        told = {**self.environment(service), **environ}
        return forks.run(service, *words, env=told, seconds=240)

    def stop(self, *services: str) -> None:
        """Ends services together, as an operator would; they must end well."""
        ending = {service: self.processes.pop(service) for service in services}
        for process in ending.values():
            process.terminate()
        for service, process in ending.items():
            assert process.wait(60) == 0, self.log(service).read_text()[-4000:]

    def kill(self, service: str) -> None:
        """Ends a service as a power cut would."""
        process = self.processes.pop(service)
        process.kill()
        process.wait(60)

    def died(self, service: str) -> int:
        """Waits until a service has ended by itself; with which status."""
        return self.processes.pop(service).wait(60)

    def close(self) -> None:
        """Ends what still runs."""
        self.stop(*(name for name, process in self.processes.items() if process.poll() is None))


@contextmanager
def take_place(servers: Any, template: str, folder: Path) -> Iterator[Stack]:
    """A database, a virtual host, a bucket and ports of its own, with its secrets in `folder`."""
    with cloned_database(servers, template) as name, made_vhost(servers) as vhost:
        place = place_on(servers, folder, name, make_bucket(servers), vhost)
        with kept_ports({*place.listens.values(), *place.monitors.values()}):
            yield place


def place_on(servers: Any, folder: Path, name: str, bucket: str, vhost: str) -> Stack:
    """A place on what a test has already; its secrets come into `folder`."""
    secrets = folder / "secrets"
    secrets.mkdir(parents=True)
    for role in database.ROLES:  # all databases of a cluster share its roles
        (secrets / role).write_text(role)
    for service, password in AMQP_PASSWORDS.items():
        (secrets / f"amqp-{service}").write_text(password)
    listens, monitors = ({service: free_port() for service in SERVICES} for _ in range(2))
    return Stack(folder, servers.programs, listens, monitors, name, bucket, vhost)


@contextmanager
def open_house(
    servers: Any, template: str, folder: Path, *services: str, **environ: str
) -> Iterator[House]:
    """These services, running, on a place of their own that goes with them."""
    with take_place(servers, template, folder) as place:
        house = House(place, environ)
        try:
            for service in services:
                house.start(service)
            yield house
        finally:
            house.close()
