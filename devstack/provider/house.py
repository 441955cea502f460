"""All five services in this process, at whatever date: their own handlers, jobs and APIs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar
from uuid import UUID, uuid4

import argon2
import asyncpg
import httpx2
from fastapi import FastAPI

from devstack.stack import SERVICES, Stack
from libs.shared import bus, certificates, clock, database, keys, settings, timekeeping
from libs.shared.database import Pool
from libs.shared.events import EVENTS, Event, PasswordIssued, ServicePinged
from libs.shared.inbox import Handler, table
from libs.shared.runtime.jobs import Runner
from libs.shared.settings import CommonSettings
from services.ingest import consumers as ingest_consumers
from services.ingest import jobs as ingest_jobs
from services.ingest.__main__ import build as build_ingest
from services.ingest.actions.resources import Resources as Ingest
from services.ingest.settings import IngestSettings
from services.portal import consumers as portal_consumers
from services.portal import jobs as portal_jobs
from services.portal.__main__ import build as build_portal
from services.portal.actions.people import signing
from services.portal.actions.people.passwords import Passwords
from services.portal.actions.resources import Resources as Portal
from services.portal.settings import Settings as PortalSettings
from services.quota import consumers as quota_consumers
from services.quota import jobs as quota_jobs
from services.reporting import consumers as reporting_consumers
from services.reporting import jobs as reporting_jobs
from services.reporting import store as reporting_store
from services.reporting.actions.sending import Sender
from services.reporting.commands import wiring
from services.reporting.rules.missed import SETTLED_AFTER, Hearing
from services.reporting.rules.pacing import Limits
from services.reporting.settings import Settings as ReportingSettings
from services.retention import consumers as retention_consumers
from services.retention import jobs as retention_jobs
from services.retention.actions.resources import Resources as Retention
from services.retention.settings import RetentionSettings

S = TypeVar("S", bound=CommonSettings)

NOBODY = "nobody"
"""Whoever asks the portal without being signed in."""
REASON = "moved by `./run demo`"
UNHURRIED = "?synchronous_commit=off"
"""Who plays needs no commit on the disk at once: after a power cut one plays anew."""
CLIENTS_AT_ONCE = 6
POOL_SIZE = 8
LEASE = timedelta(hours=6)
"""Longer than any run that is played."""
SENT_WITHIN_SECONDS = 120

_TAKE = " UNION ALL ".join(
    f"SELECT {place} AS place, position, type, payload FROM {service}_"
    for place, service in enumerate(SERVICES)
)
_TAKEN = ", ".join(
    f"{service}_ AS (DELETE FROM {service}.outbox WHERE published_at IS NULL"
    " RETURNING position, type, payload)"
    for service in SERVICES
)
_UNSENT = """
SELECT count(*) FROM reporting.mails WHERE state IN ('queued', 'sending') AND due_at <= $1
"""


class Refused(Exception):  # noqa: N818 - named after what happened
    """A service answered with an error to what had to work."""


@dataclass
class House:
    """The services' own parts, and what carries events between them."""

    stack: Stack
    admin: asyncpg.Connection[asyncpg.Record]
    pools: Mapping[str, Pool]
    ingest: Ingest
    portal: Portal
    retention: Retention
    sender: Sender
    agents: httpx2.AsyncClient
    people: httpx2.AsyncClient
    issued: dict[str, PasswordIssued] = field(default_factory=dict)
    """The newest one-time password of each address, sealed as for the one who mails it."""
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CLIENTS_AT_ONCE))
    _handlers: Mapping[str, Mapping[type[Event], Handler]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._handlers = {
            "ingest": ingest_consumers.HANDLERS,
            "quota": quota_consumers.HANDLERS,
            "reporting": reporting_consumers.handlers(self.sender.resources),
            "retention": retention_consumers.HANDLERS,
            "portal": portal_consumers.HANDLERS,
        }

    # --- the date ------------------------------------------------------------------------------

    @staticmethod
    def go_to(moment: datetime) -> None:
        """Makes it that moment, for all that this process does."""
        clock._offset = moment - datetime.now(UTC)

    async def believe(self) -> None:
        """Has each service believe the date: somebody says that it is right."""
        for service, pool in self.pools.items():
            ask = self.retention.objects.date if service == "retention" else None
            await timekeeping.accept_time(pool, REASON, ask)

    # --- events --------------------------------------------------------------------------------

    async def settle(self) -> int:
        """Carries events to their readers and has them handled, until none is left; how many."""
        carried = 0
        while rows := await self.admin.fetch(f"WITH {_TAKEN} {_TAKE} ORDER BY position"):
            by_tenant: dict[UUID, list[Event]] = {}
            for row in rows:
                event = EVENTS[row["type"]].model_validate_json(row["payload"])
                by_tenant.setdefault(event.tenant_id, []).append(event)
            # Those of one client in their order, as they were said; no order is between clients.
            async with asyncio.TaskGroup() as clients:
                for events in by_tenant.values():
                    clients.create_task(self._hand_on(events))
            carried += len(rows)
        return carried

    async def _hand_on(self, events: Sequence[Event]) -> None:
        """Hands a client's events to all who listen to them, each with all of its own at once."""
        for event in events:
            if isinstance(event, PasswordIssued):
                self.issued[event.email] = event
        async with self._room, asyncio.TaskGroup() as readers:
            for reader, heard in bus.BINDINGS.items():
                known = set(heard) & set(self._handlers[reader])
                its_own = [event for event in events if type(event) in known]
                if its_own:
                    readers.create_task(self._handle(reader, its_own))

    async def _handle(self, reader: str, events: Sequence[Event]) -> None:
        """As a worker of the inbox does: whoever met another in the database tries again."""
        for is_last in (False, False, True):
            try:
                async with database.transaction(self.pools[reader]) as conn:
                    for event in events:
                        await self._handlers[reader][type(event)](conn, event)
            except asyncpg.TransactionRollbackError:
                if is_last:
                    raise
            else:
                return

    # --- jobs ----------------------------------------------------------------------------------

    async def turn_night(self) -> None:
        """What services do once a day: days are counted, subscriptions end, orders take effect."""
        await timekeeping.check_time(self.pools["retention"], self.retention.objects.date)
        for portal_job in portal_jobs.JOBS:
            await portal_job.do(self.portal)
        for quota_job in quota_jobs.JOBS:
            if not quota_job.name.startswith("measure"):
                await quota_job.do(self.pools["quota"])
        await self.settle()

    async def turn_reporting(self) -> None:
        """Misses are noticed; what waited for the morning or the week is written."""
        await self._hear_itself()
        for job in reporting_jobs.JOBS:
            if job.name.startswith(("write", "tell", "escalate", "forget")):
                await job.do(self.sender)
        await self.settle()

    async def turn_retention(self, *names: str) -> None:
        """Some of retention's jobs, until there is nothing left to do nor to be answered."""
        for job in retention_jobs.JOBS:
            while job.name in names:
                count = await job.do(self.retention)
                if not (await self.settle() or count):
                    break

    async def turn_ingest(self) -> None:
        """What was copied becomes findable, and the bucket is told of runs."""
        for job in ingest_jobs.JOBS:
            if job.name != "cut_withdrawn":
                while await job.do(self.ingest):
                    pass
        await self.settle()

    async def _hear_itself(self) -> None:
        """Reporting misses nothing before it knows that it hears: here nothing is on its way."""
        now = clock.now()
        ping = ServicePinged(tenant_id=uuid4(), service="reporting", ping_id=uuid4(), sent_at=now)
        arrival = table.Arrival(uuid4(), ping.type, payload=ping.model_dump_json(), occurred_at=now)
        async with database.transaction(self.pools["reporting"]) as conn:
            await conn.execute("DELETE FROM inbox WHERE type = $1", ping.type)
            await table.insert(conn, [arrival], now)
            await conn.execute(
                "UPDATE inbox SET state = 'done', done_at = $2 WHERE event_id = $1",
                arrival.event_id,
                now,
            )
            await reporting_store.missed.put_hearing(conn, Hearing(now, now - 2 * SETTLED_AFTER))

    async def mail(self) -> None:
        """Waits until every mail is sent, and what is said of that is heard."""
        async with asyncio.timeout(SENT_WITHIN_SECONDS):
            while await self.admin.fetchval(_UNSENT, clock.now()):  # noqa: ASYNC110 - rows tell
                await asyncio.sleep(0.05)
        await self.settle()

    # --- the APIs ------------------------------------------------------------------------------

    async def ask(
        self, method: str, path: str, body: object = None, *, token: str = "", **headers: str
    ) -> Any:
        """What the portal's API answers somebody, the operator unless told; raises Refused."""
        bearer = token or self.stack.operator_token
        who = {} if token == NOBODY else {"Authorization": f"Bearer {bearer}"}
        answer = await self.people.request(
            method,
            f"/api/v1{path}",
            json=body,
            headers={**who, **headers},
        )
        _taken(answer)
        return answer.json() if answer.content else None

    async def tell(self, method: str, path: str, token: str = "", **more: Any) -> Any:
        """What ingest answers a machine; raises Refused."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = _taken(await self.agents.request(method, path, headers=headers, **more))
        return answer.json() if answer.content else None

    async def read(self, path: str, token: str) -> bytes:
        """What ingest streams to a machine; raises Refused."""
        headers = {"Authorization": f"Bearer {token}"}
        return _taken(await self.agents.get(path, headers=headers)).content


def _taken(answer: httpx2.Response) -> httpx2.Response:
    if answer.is_error:
        request = answer.request
        raise Refused(f"{request.method} {request.url}: {answer.status_code} {answer.text[:500]}")
    return answer


@asynccontextmanager
async def open_house(stack: Stack) -> AsyncIterator[House]:
    """The services of an installation whose own processes rest; the date is today's again then."""
    async with AsyncExitStack() as open_things:
        pools = {
            service: await open_things.enter_async_context(
                await database.create_pool(
                    stack.dsn(f"coffre_{service}") + UNHURRIED, service, max_size=POOL_SIZE
                )
            )
            for service in SERVICES
        }
        admin = await asyncpg.connect(stack.admin_dsn + UNHURRIED)
        open_things.push_async_callback(admin.close)
        retention_settings = _read(stack, "retention", RetentionSettings)
        objects, ring = await open_things.enter_async_context(keys.open_bucket(retention_settings))
        ingest = Ingest(pools["ingest"], objects, ring, LEASE)
        open_things.callback(ingest.close)
        portal = await _make_portal(stack, pools["portal"], ingest)
        retention = Retention(
            pools["retention"],
            objects,
            ring,
            retention_settings.limits,
            retention_settings.rhythm,
            retention_settings.guards,
            certificates.read_notary(retention_settings.certificate_key_file),
        )
        reporting_settings = _read(stack, "reporting", ReportingSettings)
        sender = Sender(
            pools["reporting"],
            wiring.make_server(reporting_settings),
            wiring.make_resources(reporting_settings),
            Limits(4, 4, 10_000),
        )
        max_file_bytes = _read(stack, "ingest", IngestSettings).max_file_bytes
        agents = _reach(build_ingest(ingest, max_file_bytes), stack.url("ingest"))
        people = _reach(build_portal(portal), stack.url("portal"))
        for client in (agents, people):
            await open_things.enter_async_context(client)
        house = House(stack, admin, pools, ingest, portal, retention, sender, agents, people)
        sending = asyncio.create_task(_send(stack, sender))
        try:
            yield house
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            clock._offset = timedelta(0)


async def _send(stack: Stack, sender: Sender) -> NoReturn:
    """Sends mails as they come, until it is cancelled."""
    job = next(job for job in reporting_jobs.JOBS if job.name == "send_mails")
    await Runner("reporting", stack.dsn("coffre_reporting"), job, sender).run()


def _reach(app: FastAPI, url: str) -> httpx2.AsyncClient:
    """Asks an application without a socket."""
    transport = httpx2.ASGITransport(app)
    return httpx2.AsyncClient(transport=transport, base_url=url, timeout=60)


async def _make_portal(stack: Stack, pool: Pool, beside: Ingest) -> Portal:
    told = _read(stack, "portal", PortalSettings)
    portal = Portal(
        pool=pool,
        objects=beside.objects,
        keys=beside.keys,
        mail_key=keys.read_key(told.mail_key_file),
        portal_url=told.portal_url,
        ingest_url=told.ingest_url,
        certificate_key=told.certificate_public_file.read_text(encoding="ascii"),
        # As cheap as it gets: some forty people choose passwords that anybody can read.
        passwords=Passwords(hasher=argon2.PasswordHasher(1, 8, 1)),
    )
    await signing.bootstrap_operator(
        pool,
        portal.passwords,
        email=told.operator_email,
        password_file=told.operator_password_file,
        token_file=told.operator_token_file,
    )
    return portal


def _read(stack: Stack, service: str, kind: type[S]) -> S:
    return settings.read(kind, stack.environment(service))
