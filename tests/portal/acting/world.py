"""Everybody who may ask the portal for something, and what their requests leave in its log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2

from services.portal.rules.log.acts import Act
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in
from tests.routes import Route

PLAN = "/api/v1/plans/{plan}"
CLIENT = "/clients/{tenant}"
TENANT = "/api/v1/tenants/{tenant}"
TENANTS = "/api/v1/tenants/{tenant_id}"
PARKED = "/api/v1/parked/{service}/{event_id}"
INCIDENT = "/api/v1/incidents/{incident_id}"
AT_INCIDENT = f"/api/v1/incidents/{uuid4()}"
AT_PARKED = f"/api/v1/parked/quota/{uuid4()}"
ASKED = "paul@elsewhere.example"
AGENTS = tuple(str(uuid4()) for _ in range(4))


@dataclass
class World:
    """A client with a restore point, and everybody who may ask, signed in."""

    portal: Any
    client: builder.Client
    other: str
    asked: bytes
    api: httpx2.AsyncClient
    page: httpx2.AsyncClient
    operator: httpx2.AsyncClient
    desk: httpx2.AsyncClient
    visitor: httpx2.AsyncClient
    program: httpx2.AsyncClient
    forms: dict[httpx2.AsyncClient, str]
    reads_by: str = "GET"

    def at(self, path: str, agent: str = "") -> str:
        """An address of the client's own."""
        return path.format(
            plan=self.client.plan_id,
            tenant=self.client.tenant_id,
            agent=agent,
            email=ASKED,
            token="none",
            number=1,
            month="2024-01",
            answer="call",
        )

    async def get(self, who: httpx2.AsyncClient, path: str, **more: Any) -> Any:
        """A page, or an answer of the API."""
        return await who.request(self.reads_by, self.at(path), **more)

    async def send(self, who: httpx2.AsyncClient, path: str, **values: str) -> Any:
        """A form, as the page shows it."""
        return await who.post(self.at(path), data={"form_token": self.forms[who], **values})

    async def heads(self) -> dict[UUID, int]:
        """How long each chain is."""
        rows = await self.portal.admin.fetch("SELECT tenant_id, number FROM portal.log_heads")
        return dict(map(tuple, rows))


Call = Callable[[World], Awaitable[Any]]
Left = tuple[str, type[Act]]
Acting = dict[Route, tuple[Call, list[Left]]]
"""By route, a request as the right person, and the acts that it leaves in which chains."""


def own(*kinds: type[Act]) -> list[Left]:
    """Acts in the client's own chain."""
    return [("own", kind) for kind in kinds]


def nobody(*kinds: type[Act]) -> list[Left]:
    """Acts in the chain of what concerns no client."""
    return [("nobody", kind) for kind in kinds]


REASON = {"reason": "as agreed"}
Made = Callable[[World], Awaitable[str | None]]


def after(made: Made, path: str, **values: str) -> Callable[[World], Awaitable[Any]]:
    """A form of the desk, once what it is about is there: its id stands for `{}`."""

    async def call(world: World) -> Any:
        about = await made(world)
        return await world.send(world.desk, path.replace("{}", str(about)), **values)

    return call


def asked(
    made: Made, method: str, path: str, body: Any = None
) -> Callable[[World], Awaitable[Any]]:
    """The same by the API."""

    async def call(world: World) -> Any:
        about = await made(world)
        where = world.at(path.replace("{}", str(about)))
        return await world.operator.request(method, where, json=body)

    return call


async def nothing(_world: World) -> None:
    """There is nothing to prepare."""


def page(path: str) -> Callable[[World], Awaitable[Any]]:
    """A page of the desk."""
    return lambda world: world.get(world.desk, path)


@asynccontextmanager
async def open_world(portal: Any) -> AsyncIterator[World]:
    """A client with a restore point and two machines, another one, and everybody signed in."""
    client = await builder.open_client(portal)
    await client.commit({b"srv/a": builder.text(b"content")})
    await client.commit({b"srv/a": builder.text(b"another content")}, 2)
    await client.add_run(1)
    rows = await portal.admin.fetch(builder.PLACES)
    rows = await portal.admin.fetch(
        'SELECT chunk_id, pack_no, "offset", length, size, encoding, start, frame_size'
        " FROM catalogue.chunks"
    )
    other = await builder.open_client(portal, "lea@martin.example", "Menuiserie Martin")
    for agent in AGENTS:
        await portal.admin.execute(
            """INSERT INTO portal.agents (agent_id, tenant_id, hostname, platform, agent_version,
               enrolled_at) VALUES ($1, $2, 'srv', 'linux', '0.1.0', now())""",
            UUID(agent), client.tenant_id,
        )  # fmt: skip
    await portal.admin.execute(
        """INSERT INTO portal.parked (service, event_id, tenant_id, event_type, error, attempts,
           parked_at) VALUES ('quota', $1, $2, 'volume.changed.v1', 'why', 12, now())""",
        UUID(AT_PARKED.rpartition("/")[2]), client.tenant_id,
    )  # fmt: skip
    await portal.admin.execute(
        """INSERT INTO portal.incidents (incident_id, tenant_id, version, cause, rank, opened_at,
           last_at, times, acknowledged_by, note, closed_by)
           VALUES ($1, $2, 1, 'missed', 1, now(), now(), 1, '', '', '')""",
        UUID(AT_INCIDENT.rpartition("/")[2]), client.tenant_id,
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(portal.client(client.token))
        page = await stack.enter_async_context(browser(portal))
        operator = await stack.enter_async_context(portal.operator())
        desk = await stack.enter_async_context(browser(portal))
        visitor = await stack.enter_async_context(browser(portal))
        program = await stack.enter_async_context(portal.client())
        await sign_in(page, client.email, PASSWORD)
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        forms = {who: form_token((await who.get("/account")).text) for who in (page, desk)}
        asked = builder.asked(rows)
        yield World(
            portal, client, other.email, asked, api, page, operator, desk, visitor, program, forms
        )
