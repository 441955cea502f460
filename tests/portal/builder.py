"""Fills a client's catalogue and bucket with restore points, as runs of an agent do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from libs.shared import clock, database, events, restores
from libs.shared.keys import TenantKeys
from libs.shared.restores import PlacedChunk
from services.portal import consumers
from tests.world.agents import Agent
from tests.world.dates import date_point
from tests.world.files import File, add_folders, folder, link, text
from tests.world.tenants import Tenant

__all__ = ["Client", "File", "add_machine", "asked", "folder", "link", "open_client", "text"]
NOW = datetime(2026, 11, 22, 1, 14, tzinfo=UTC)
HOSTNAME = "srv-compta"
PLACES = (
    'SELECT chunk_id, pack_no, "offset", length, size, encoding, start, frame_size'
    " FROM catalogue.chunks"
)


def asked(places: Iterable[Iterable[Any]]) -> bytes:
    """What asks for chunks in bulk, in the order of the members of `PlacedChunk`."""
    return restores.encode_request([PlacedChunk(*place) for place in places])


@dataclass
class Client:
    """A client company with one machine and its plan; `token` is its administrator's."""

    portal: Any
    tenant: Tenant
    email: str
    token: str
    agent: Agent
    hostname: str
    plan_name: str
    plan_id: UUID

    @property
    def tenant_id(self) -> UUID:
        """The client's id."""
        return self.tenant.tenant_id

    @property
    def agent_id(self) -> UUID:
        """The machine's id."""
        return self.agent.agent_id

    async def add_machine(self, hostname: str, plan: str) -> Client:
        """Another machine of this client, with a plan of its own."""
        more = self.portal, self.tenant, self.email, self.token
        return await add_machine(*more, hostname, plan)

    async def keys(self) -> TenantKeys:
        """The client's keys."""
        return await self.portal.parts.keys.get(self.tenant_id)

    async def commit(
        self, tree: dict[bytes, File], number: int = 1, removed: Collection[bytes] = ()
    ) -> None:
        """A run that brings these paths and drops those, `number` days after NOW.

        Folders that the paths need are added to the tree.
        """
        add_folders(tree)
        assert await self.agent.store(str(self.plan_id), tree, removed) == number
        at = NOW + timedelta(days=number)
        where = self.tenant_id, self.plan_id, number
        await date_point(self.portal.admin.fetch, await self.keys(), *where, at)

    async def add_run(
        self, number: int, outcome: events.Outcome = "succeeded", **more: Any
    ) -> None:
        """Tells the portal of a run that ended."""
        told: dict[str, Any] = {
            "tenant_id": self.tenant_id, "run_id": uuid4(), "plan_id": self.plan_id,
            "plan_name": self.plan_name, "agent_id": self.agent_id, "hostname": self.hostname,
            "number": number, "outcome": outcome, "started_at": NOW,
            "finished_at": NOW + timedelta(minutes=7), "restore_point": outcome != "failed",
            "files_total": 47_912, "files_new": 18, "files_changed": 204, "files_removed": 3,
            "files_not_copied": 0, "bytes_protected": 184_200_000_000,
            "bytes_sent": 1_200_000_000, "bytes_read": 1_900_000_000,
            "stored_bytes": 96_400_000_000, **more,
        }  # fmt: skip
        await hear(self.portal, events.RunFinished.model_validate(told))


async def hear(portal: Any, event: events.Event) -> None:
    """Hands an event to the portal's handler, as a worker of its inbox does."""
    async with database.transaction(portal.parts.pool) as conn:
        await consumers.HANDLERS[type(event)](conn, event)


async def add_machine(
    portal: Any, tenant: Tenant, email: str, token: str, hostname: str, plan: str
) -> Client:
    """Enrols a machine, which declares a plan; the portal hears of both."""
    agent = await tenant.enrol(hostname)
    plan_id = await agent.declare(plan, folders=["/srv/data"], schedule="15 2 * * *", recipients=[])
    rows = await portal.admin.fetch(
        """SELECT type, payload FROM ingest.outbox
           WHERE tenant_id = $1 AND type IN ('agent.enrolled.v1', 'plan.declared.v1')
           ORDER BY position""",
        tenant.tenant_id,
    )
    for row in rows:
        await hear(portal, events.EVENTS[row["type"]].model_validate_json(row["payload"]))
    return Client(portal, tenant, email, token, agent, hostname, plan, UUID(plan_id))


async def open_client(
    portal: Any, email: str = "camille@dupre.example", name: str = "Boulangerie Dupré",
    *, locale: str = "fr", plan: str = "documents", contracted_bytes: int = 10**12,
) -> Client:  # fmt: skip
    """A client company whose administrator is signed in, with a plan that never ran."""
    terms = {"locale": locale, "contracted_bytes": contracted_bytes}
    tenant_id = await portal.open_tenant(name, email, **terms)
    tenant = Tenant(await portal.ingest(), UUID(tenant_id))
    await tenant.becomes("active")
    token = await portal.sign_in(email)
    return await add_machine(portal, tenant, email, token, HOSTNAME, plan)


async def live(client: Client, ended: Sequence[events.Outcome | None], **last: Any) -> None:
    """A run of each of the last days, the newest last at two in the morning; None: none came.

    last: what the newest one says besides.
    """
    today = clock.now().replace(hour=2, minute=14, second=0, microsecond=0)
    for number, outcome in enumerate(ended, 1):
        at = today - timedelta(days=len(ended) - number)
        if outcome is None:
            missed = events.RunMissed(
                tenant_id=client.tenant_id, plan_id=client.plan_id, missed_at=at, since=at,
                times=1, expected_at=at + timedelta(days=1),
            )  # fmt: skip
            await hear(client.portal, missed)
            continue
        told: dict[str, Any] = {"started_at": at - timedelta(minutes=7), "finished_at": at}
        if outcome == "failed":
            told |= {"reason": {"code": "folder-missing", "subject": "/srv/data", "detail": ""}}
        await client.add_run(number, outcome, **told, **(last if number == len(ended) else {}))


async def hold(client: Client, stored: Sequence[int], contracted: Sequence[int]) -> None:
    """What was held at the end of each of the last days, in GB, of what was contracted."""
    today = clock.now().date()
    for back, (held, most) in enumerate(zip(reversed(stored), reversed(contracted), strict=True)):
        counted = events.VolumeCounted(
            tenant_id=client.tenant_id, day=today - timedelta(days=back), version=1,
            stored_bytes=held * 10**9, protected_bytes=held * 2 * 10**9,
            contracted_bytes=most * 10**9, ceiling_bytes=None, reached_on=None,
        )  # fmt: skip
        await hear(client.portal, counted)
