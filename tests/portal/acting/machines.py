"""A client's machines, and the codes with which others join."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from services.portal.rules.log import acts
from tests.portal.acting.world import AGENTS, TENANT, Acting, World, own

OWN = "/api/v1/machines"


async def code(world: World) -> str:
    """A code that nobody has used, by its id; that leaves an act of its own."""
    answer = await world.api.post(f"{OWN}/codes", json={"label": "srv"})
    return str(answer.json()["enrolment_id"])


async def show_code(world: World) -> Any:
    return await world.send(world.page, "/machines/codes", key=str(uuid4()), label="srv")


async def withdraw_on_page(world: World) -> Any:
    return await world.send(world.page, f"/machines/codes/{await code(world)}/withdraw")


async def withdraw_own(world: World) -> Any:
    return await world.api.delete(f"{OWN}/codes/{await code(world)}")


ACTING: Acting = {
    ("GET", "/machines"): (lambda w: w.get(w.page, "/machines"), own(acts.MachinesListed)),
    ("POST", "/machines/codes"): (show_code, own(acts.EnrolmentOpened, acts.MachinesListed)),
    ("POST", "/machines/codes/{enrolment_id}/withdraw"): (
        withdraw_on_page,
        own(acts.EnrolmentOpened, acts.EnrolmentWithdrawn),
    ),
    ("GET", "/machines/{agent_id}/revoke"): (
        lambda w: w.get(w.page, f"/machines/{AGENTS[2]}/revoke"),
        own(acts.MachinesListed),
    ),
    ("POST", "/machines/{agent_id}/revoke"): (
        lambda w: w.send(w.page, f"/machines/{AGENTS[2]}/revoke", hostname="srv"),
        own(acts.MachinesListed, acts.AgentRevoked),
    ),
    ("GET", OWN): (lambda w: w.get(w.api, OWN), own(acts.MachinesListed)),
    ("POST", OWN + "/codes"): (
        lambda w: w.api.post(f"{OWN}/codes", json={"label": "srv"}),
        own(acts.EnrolmentOpened),
    ),
    ("DELETE", OWN + "/codes/{enrolment_id}"): (
        withdraw_own,
        own(acts.EnrolmentOpened, acts.EnrolmentWithdrawn),
    ),
    ("POST", OWN + "/{agent_id}/revoke"): (
        lambda w: w.api.post(f"{OWN}/{AGENTS[3]}/revoke"),
        own(acts.AgentRevoked),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/machines"): (
        lambda w: w.get(w.operator, TENANT + "/machines"),
        own(acts.MachinesListed),
    ),
}
