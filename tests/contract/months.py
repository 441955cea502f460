"""Months of a firm's clients: its date is moved, and what services do by the date is done."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.shared import clock, timekeeping
from services.portal import jobs as portal
from services.quota import jobs as quota
from tests.contract.provider import shorten
from tests.destruction.firm import Firm
from tests.portal import builder
from tests.quota.conftest import Calendar

CONTRACTED = 100_000


@dataclass
class Months:
    """The firm, and the days since the story began."""

    firm: Firm
    calendar: Calendar

    async def day(self, days: float) -> datetime:
        """Makes it so many days after the beginning, and has all done that is due then."""
        moment = self.calendar.day(days)
        self.firm.now = moment
        for pool in self.firm.pools.values():
            await timekeeping.accept_time(pool, "a test's date")
        parts = self.firm.portal.parts
        for job in portal.JOBS:
            await job.do(parts)
        for job in quota.JOBS:
            await job.do(self.firm.pools["quota"])
        await self.firm.settle()
        await self.firm.turns()
        return moment

    async def open_client(self, size: int) -> builder.Client:
        """A client that holds so many bytes, and contracted 100 kB."""
        client = await builder.open_client(self.firm.portal, contracted_bytes=CONTRACTED)
        await self.firm.settle()
        await self.grow(client, 1, size)
        return client

    async def grow(self, client: builder.Client, number: int, size: int) -> None:
        """A run that brings a file of this number and size, which no compression makes smaller."""
        content = random.Random(number).randbytes(size)
        tree = {b"srv": builder.folder(), f"srv/{number}".encode(): builder.text(content)}
        await client.agent.store(str(client.plan_id), tree)
        await self.firm.settle()

    async def refusal(self, client: builder.Client) -> str:
        """The code with which a run is refused that would bring more; empty: it is not."""
        answer = await client.agent.ask_start(str(client.plan_id), estimated_new_bytes=50_000)
        if answer.is_success:
            await client.agent.abort(answer.json()["run_id"])
            await self.firm.settle()
            return ""
        return str(answer.json()["type"]).removeprefix("urn:coffre:problem:")

    async def as_administrator(
        self, client: builder.Client, method: str, path: str, body: Any = None, **more: Any
    ) -> Any:
        """What the portal answers the client's administrator, who has signed in today."""
        token = await self.firm.portal.sign_in(client.email)
        async with self.firm.portal.client(token) as api:
            answer = await api.request(method, f"/api/v1/{path}", json=body, **more)
        await self.firm.settle()
        return answer

    async def as_operator(self, path: str, **body: Any) -> Any:
        """What the portal answers an operator who decides about a client."""
        answer = await self.firm.post(path, **body)
        await self.firm.settle()
        return answer

    async def mailed(self, client: builder.Client) -> list[str]:
        """Subjects of what the administrator was written beside passwords and reports."""
        rows = await self.firm.fetch(
            "SELECT subject FROM reporting.mails WHERE recipient = $1"
            " AND kind NOT IN ('report', 'password') ORDER BY created_at",
            client.email,
        )
        return [shorten(subject, "Boulangerie Dupré") for (subject,) in rows]

    async def quota(self, client: builder.Client) -> Any:
        """What an operator sees of the client's volume."""
        return (await self.firm.get(f"tenants/{client.tenant_id}/quota")).json()


def today() -> str:
    """The month that it is for the client."""
    return f"{clock.today('Europe/Paris'):%Y-%m}"
