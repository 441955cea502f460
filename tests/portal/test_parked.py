"""Events that wait for a person, as operators see them from afar."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from libs.shared import clock, database
from libs.shared.events import EventParked, ParkedSettled
from services.portal import consumers

TENANT = UUID("5f0c7a3e-1c55-4d7b-9d7e-5c1b1a6c0001")


async def hear(portal: Any, *events: Any) -> None:
    for event in events:
        async with database.transaction(portal.parts.pool) as conn:
            await consumers.HANDLERS[type(event)](conn, event)


def parked(event_id: UUID, **changes: Any) -> EventParked:
    fields: dict[str, Any] = {
        "tenant_id": TENANT,
        "service": "quota",
        "event_id": event_id,
        "event_type": "volume.changed.v1",
        "error": "Traceback…\nZeroDivisionError: division by zero",
        "attempts": 12,
        "parked_at": clock.now(),
    }
    return EventParked(**(fields | changes))


async def test_what_waits_names_its_client(portal: Any) -> None:
    tenant_id = UUID(await portal.open_tenant("Dupré", f"{uuid4().hex}@dupre.example"))
    event_id = uuid4()
    await hear(portal, parked(event_id, tenant_id=tenant_id))
    async with portal.operator() as api:
        assert (await api.get(f"/api/v1/parked/quota/{event_id}")).json()["client"] == "Dupré"


async def test_what_waits_is_listed_shown_and_decided(portal: Any) -> None:
    event_id = uuid4()
    await hear(portal, parked(event_id), parked(event_id))
    async with portal.operator() as api:
        [listed] = (await api.get("/api/v1/parked")).json()["parked"]
        assert listed["summary"] == "ZeroDivisionError: division by zero"
        assert listed["client"] == "", "not one of ours"
        path = f"/api/v1/parked/quota/{event_id}"
        shown = (await api.get(path)).json()
        assert shown["error"].startswith("Traceback")
        elsewhere = f"/api/v1/parked/ingest/{event_id}/replay"
        assert (await api.post(elsewhere, json={"reason": "r"})).status_code == 404
        assert (await api.post(f"{path}/replay", json={})).status_code == 422
        answer = await api.post(f"{path}/replay", json={"reason": "mended"})
        assert answer.status_code == 202
        [told] = await portal.events("parked.decided.v1")
        assert (told["service"], told["event_id"]) == ("quota", str(event_id))
        assert (told["decision"], told["reason"]) == ("replay", "mended")
        [listed] = (await api.get("/api/v1/parked")).json()["parked"]
        assert listed["decision"] == "replay"
        # The service did it: nothing waits any more. It failed again: it waits again, undecided.
        settled = ParkedSettled(
            tenant_id=TENANT, service="quota", event_id=event_id, settled_at=clock.now()
        )
        await hear(portal, settled)
        assert (await api.get("/api/v1/parked")).json() == {"parked": []}
        assert (await api.get(path)).status_code == 404
        await hear(portal, parked(event_id, parked_at=clock.now() + timedelta(hours=1)))
        [listed] = (await api.get("/api/v1/parked")).json()["parked"]
        assert listed["decision"] is None


async def test_order_of_what_is_told_does_not_matter(portal: Any) -> None:
    event_id, now = uuid4(), clock.now()
    settled = ParkedSettled(tenant_id=TENANT, service="quota", event_id=event_id, settled_at=now)
    early = parked(event_id, parked_at=now - timedelta(minutes=1))
    late = parked(event_id, parked_at=now + timedelta(minutes=1), attempts=13)
    await hear(portal, settled, early)
    async with portal.operator() as api:
        assert (await api.get("/api/v1/parked")).json() == {"parked": []}
        await hear(portal, late, early, settled)
        [listed] = (await api.get("/api/v1/parked")).json()["parked"]
    assert listed["attempts"] == 13
