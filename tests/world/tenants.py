"""Client companies as services know them: by what the portal publishes."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from libs.shared import clock
from libs.shared.events import AllowanceChanged, EnrolmentOpened, SubscriptionState, TenantChanged
from tests.world.agents import Agent, taken


def tenant_changed(tenant_id: UUID, version: int, **changes: Any) -> TenantChanged:
    """An event that tells of a small French company, but for what is given."""
    told: dict[str, Any] = {
        "name": "Boulangerie Martin",
        "locale": "fr",
        "timezone": "Europe/Paris",
        "administrators": (),
        "contracted_bytes": 10**10,
        "seats": 1,
        "subscription": "active",
        "retention_days": 30,
    }
    return TenantChanged(tenant_id=tenant_id, version=version, **(told | changes))


@dataclass
class Tenant:
    """A client company of whose state a house's services are told."""

    house: Any
    tenant_id: uuid.UUID = field(default_factory=uuid.uuid4)
    version: int = 0

    async def becomes(self, subscription: SubscriptionState, **changes: Any) -> None:
        self.version += 1
        told = {"subscription": subscription, **changes}
        await self.house.deliver(tenant_changed(self.tenant_id, self.version, **told))

    async def may_store(self, ceiling_bytes: int, *, blocked: bool) -> None:
        self.version += 1
        await self.house.deliver(
            AllowanceChanged(
                tenant_id=self.tenant_id,
                version=self.version,
                ceiling_bytes=ceiling_bytes,
                blocked=blocked,
                reason="the deadline has passed",
            )
        )

    async def open_enrolment(self, code: str, *, valid_for: timedelta) -> None:
        await self.house.deliver(
            EnrolmentOpened(
                tenant_id=self.tenant_id,
                enrolment_id=uuid.uuid4(),
                code_sha256=hashlib.sha256(code.encode()).hexdigest(),
                label="",
                expires_at=clock.now() + valid_for,
            )
        )

    async def enrol(self, hostname: str = "caisse") -> Agent:
        code = uuid.uuid4().hex
        await self.open_enrolment(code, valid_for=timedelta(hours=1))
        client = self.house.http("ingest")
        answer = await client.post(
            "/v1/enrolments", json={"code": code, "hostname": hostname, "platform": "linux"}
        )
        enrolled = taken(answer).json()
        client.headers["Authorization"] = f"Bearer {enrolled['token']}"
        return Agent(
            client,
            self,
            uuid.UUID(enrolled["agent_id"]),
            bytes.fromhex(enrolled["chunk_key"]),
            enrolled["token"],
        )
