"""Who looked at what: every route leaves its act in the log, or says why there is none."""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from libs.shared import certificates, signed_links
from libs.shared.events import DestructionCompleted, DestructionProgressed, VolumeChanged
from libs.shared.reasons import Reason
from services.portal.__main__ import build
from services.portal.actions.resources import DOWNLOADS_OF_USER
from services.portal.rules.log import acts
from services.portal.rules.log.acts import ACTS, Act
from services.portal.rules.log.chain import NOBODY
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in
from tests.routes import Route, list_routes
from tests.world.overages import told

NOTHING_OF_ANYBODY = {
    ("GET", "/health/live"): "says only that the process answers",
    ("GET", "/health/ready"): "says how database and broker are",
    ("*", "/static"): "our own stylesheet",
    ("GET", "/sign-in"): "an empty form",
    ("GET", "/.well-known/coffre-certificate-key.pem"): "our own public key",
    ("GET", "/password"): "an empty form, with the reader's own address",
    ("GET", "/account"): "the reader's own name, address and language",
    ("GET", "/agent"): "what everybody may install",
    ("GET", "/agent/{name}"): "the same",
    ("GET", "/v1/{path:path}"): "the agents' address, for who has this one",
    ("POST", "/v1/{path:path}"): "the same",
    ("PUT", "/v1/{path:path}"): "the same",
}
PLAN = "/api/v1/plans/{plan}"
CLIENT = "/clients/{tenant}"
TENANT = "/api/v1/tenants/{tenant}"
TENANTS = "/api/v1/tenants/{tenant_id}"
PARKED = "/api/v1/parked/{service}/{event_id}"
AT_PARKED = f"/api/v1/parked/quota/{uuid4()}"
DOCUMENT = {
    "document": "general-terms",
    "version": "1",
    "title": "Conditions",
    "text": "Article 1",
    "in_force_on": "2027-01-01",
}
CERTIFICATE = json.dumps(
    {
        "certificate": {
            "client": {"name": "Dupré", "tenant_id": "-"},
            "locale": "fr",
            "subscription": {"ended_at": "2026-11-23T01:00:00Z", "reason": ""},
            **dict.fromkeys(
                ("due_at", "begun_at", "keys_destroyed_at", "completed_at"),
                "2026-12-23T01:00:00Z",
            ),
            "found_empty_at": ["2026-12-23T01:00:00Z"],
            "destroyed": {"objects": 3, "bytes": 5, "merkle_root": "00"},
            "kept": [],
            "key_id": "00",
        }
    }
)
TERMS = {
    "name": "Another",
    "contracted_bytes": 1,
    "administrator": {"name": "B", "email": "b@another.example"},
}


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
            month="2024-01",
            answer="call",
        )
        own = {
            "plan": self.client.plan_id,
            "tenant": self.client.tenant_id,
            "tenant_id": self.client.tenant_id,
            "number": 1,
            "agent": agent,
            "email": ASKED,
        }
        return path.format_map(defaultdict(lambda: "none", own))

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


@pytest.fixture
async def world(portal: Any) -> Any:
    client = await builder.open_client(portal)
    await client.commit({b"srv/a": builder.text(b"content")})
    await client.add_run(1)
    rows = await portal.admin.fetch(
        'SELECT chunk_id, pack_no, "offset", length, size, encoding FROM catalogue.chunks'
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


async def invitation(world: World) -> str:
    """The page behind the link of the last invitation."""
    asked = (await world.portal.events("recipient.invited.v1"))[-1]
    token = signed_links.make_token(
        world.portal.parts.mail_key,
        "invitation",
        UUID(asked["tenant_id"]),
        UUID(asked["invitation_id"]),
        asked["email"],
    )
    return f"/invitations/{token}"


async def follow(world: World) -> Any:
    return await world.get(world.visitor, await invitation(world))


async def accept(world: World) -> Any:
    return await world.visitor.post(await invitation(world), data={"answer": "yes"})


async def order_by_page(world: World) -> Any:
    """The preview's form, sent."""
    preview = await world.page.get("/orders/preview?seats=4")
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', preview.text))
    return await world.page.post("/orders", data=fields)


async def change_user(world: World, method: str, **more: Any) -> Any:
    user_id = await world.portal.admin.fetchval(
        "SELECT user_id FROM portal.users WHERE email = $1", UGO
    )
    return await world.api.request(method, f"/api/v1/users/{user_id}", **more)


async def revise(world: World) -> Any:
    """More is stored than was contracted, and the provider raises that."""
    await builder.hear(
        world.portal,
        VolumeChanged(
            tenant_id=world.client.tenant_id, stored_bytes=2 * 10**12, protected_bytes=1,
            sequence=1000,
        ),
    )  # fmt: skip
    body = {"reason": "above", "clause": "7.3"}
    return await world.operator.post(world.at(TENANT + "/quota/revise"), json=body)


async def put_prices(world: World) -> Any:
    lists = (await world.operator.get("/api/v1/prices")).json()["lists"]
    return await world.operator.put("/api/v1/prices", json={"lists": lists})


UGO = "ugo@dupre.example"
KEY, OTHER_KEY = {"Idempotency-Key": "one"}, {"Idempotency-Key": "two"}


async def overage(world: World) -> str:
    """The page behind a link of the mail on the client's overage case, which is open."""
    case = told(world.client.tenant_id)
    await builder.hear(world.portal, case)
    token = signed_links.make_token(
        world.portal.parts.mail_key,
        "overage",
        world.client.tenant_id,
        case.case_id,
        world.client.email,
    )
    return f"/overage/{token}/call"


async def follow_overage(world: World) -> Any:
    return await world.get(world.visitor, await overage(world))


async def answer_overage(world: World) -> Any:
    return await world.visitor.post(await overage(world))


async def accept_another(world: World) -> Any:
    await world.operator.post("/api/v1/documents", json={**DOCUMENT, "version": "2"})
    return await world.api.post("/api/v1/documents/general-terms/2/accept")


async def due(world: World) -> None:
    """A destruction of the client waits for a second operator."""
    version = 1 + await world.portal.admin.fetchval(
        "SELECT coalesce(max(told), 0) FROM portal.destructions"
    )
    event = DestructionProgressed(
        tenant_id=world.client.tenant_id,
        version=version,
        state="waiting",
        due_at=builder.NOW,
        objects_left=3,
        reasons=(Reason("destruction-large", amount=2, limit=1),),
    )
    await builder.hear(world.portal, event)


async def see_destruction(world: World) -> Any:
    await due(world)
    return await world.get(world.operator, TENANT + "/destruction")


async def confirm(world: World) -> Any:
    await due(world)
    return await decide(world, "confirm")


async def decide(world: World, decision: str) -> Any:
    path = world.at(f"{TENANT}/destruction/{decision}")
    return await world.operator.post(path, json={"reason": "seen"})


async def certify(world: World) -> UUID:
    event = DestructionCompleted(
        tenant_id=world.client.tenant_id, destruction_id=UUID(int=7), certificate=CERTIFICATE
    )
    await builder.hear(world.portal, event)
    return event.destruction_id


async def see_certificate(world: World) -> Any:
    await certify(world)
    return await world.get(world.operator, TENANT + "/certificate")


async def follow_certificate(world: World, more: str = "") -> Any:
    token = certificates.make_token(
        world.portal.parts.mail_key, world.client.tenant_id, await certify(world)
    )
    return await world.visitor.request(world.reads_by, f"/certificates/{token}{more}")


ASKED = "paul@elsewhere.example"
AGENTS = (str(uuid4()), str(uuid4()))
Call = Callable[[World], Awaitable[Any]]
Left = tuple[str, type[Act]]


def own(*kinds: type[Act]) -> list[Left]:
    """Acts in the client's own chain."""
    return [("own", kind) for kind in kinds]


def nobody(*kinds: type[Act]) -> list[Left]:
    """Acts in the chain of what concerns no client."""
    return [("nobody", kind) for kind in kinds]


async def drop(world: World, who: httpx2.AsyncClient, path: str) -> Any:
    """Has the plan's copies dropped, or asks what that would free."""
    wish = {"what": "plan", "plan": str(world.client.plan_id)}
    return await who.post(world.at(path), json=wish)


async def take_back(world: World, who: httpx2.AsyncClient) -> Any:
    """Takes back what was dropped last."""
    newest = await world.portal.admin.fetchval(
        "SELECT reduction_id FROM portal.reductions ORDER BY ordered_at DESC LIMIT 1"
    )
    if who is world.page:
        return await world.send(who, f"/volume/reductions/{newest}/withdraw")
    above = TENANT if who is world.operator else "/api/v1"
    return await who.post(world.at(f"{above}/reductions/{newest}/withdraw"))


def new_password(world: World) -> dict[str, str]:
    return {"email": world.other, "password": PASSWORD, "new_password": PASSWORD + "!"}


# In this order, each call as the right person: the last ones take something away.
ACTING: dict[Route, tuple[Call, list[Left]]] = {
    ("GET", "/"): (lambda w: w.get(w.page, "/"), own(acts.PlansListed)),
    ("GET", "/plans/{plan}"): (lambda w: w.get(w.page, "/plans/{plan}"), own(acts.RunsListed)),
    ("GET", "/plans/{plan}/runs/{number}"): (
        lambda w: w.get(w.page, "/plans/{plan}/runs/1"),
        own(acts.RunViewed),
    ),
    ("GET", "/plans/{plan}/files"): (
        lambda w: w.get(w.page, "/plans/{plan}/files?path=srv"),
        own(acts.FolderListed),
    ),
    ("GET", "/plans/{plan}/versions"): (
        lambda w: w.get(w.page, "/plans/{plan}/versions?path=srv/a"),
        own(acts.HistoryListed),
    ),
    ("GET", "/search"): (lambda w: w.get(w.page, "/search?q=srv"), own(acts.Searched)),
    ("GET", "/plans/{plan}/recipients"): (
        lambda w: w.get(w.page, "/plans/{plan}/recipients"),
        own(acts.RecipientsListed),
    ),
    ("POST", "/plans/{plan}/recipients"): (
        lambda w: w.send(w.page, "/plans/{plan}/recipients", email=ASKED, change="ask"),
        own(acts.RecipientAsked),
    ),
    ("GET", "/invitations/{token}"): (follow, own(acts.InvitationOpened)),
    ("POST", "/invitations/{token}"): (accept, own(acts.InvitationAnswered)),
    ("GET", PLAN + "/recipients"): (
        lambda w: w.get(w.api, PLAN + "/recipients"),
        own(acts.RecipientsListed),
    ),
    ("POST", PLAN + "/recipients"): (
        lambda w: w.api.post(w.at(PLAN + "/recipients"), json={"email": "eva@x.example"}),
        own(acts.RecipientAdded),
    ),
    ("DELETE", PLAN + "/recipients/{email}"): (
        lambda w: w.api.delete(w.at(PLAN + "/recipients/{email}")),
        own(acts.RecipientRemoved),
    ),
    ("GET", "/orders"): (lambda w: w.get(w.page, "/orders"), own(acts.OrdersListed)),
    ("GET", "/orders/preview"): (
        lambda w: w.get(w.page, "/orders/preview?seats=4"),
        own(acts.OrderPreviewed),
    ),
    ("POST", "/orders"): (order_by_page, own(acts.OrderPreviewed, acts.OrderPlaced)),
    ("GET", "/api/v1/orders"): (
        lambda w: w.get(w.api, "/api/v1/orders"),
        own(acts.OrdersListed),
    ),
    ("POST", "/api/v1/orders/preview"): (
        lambda w: w.api.post("/api/v1/orders/preview", json={"seats": 9}),
        own(acts.OrderPreviewed),
    ),
    ("POST", "/api/v1/orders"): (
        lambda w: w.api.post("/api/v1/orders", json={"seats": 9}, headers=KEY),
        own(acts.OrderPlaced),
    ),
    ("GET", "/api/v1/users"): (lambda w: w.get(w.api, "/api/v1/users"), own(acts.UsersListed)),
    ("POST", "/api/v1/users"): (
        lambda w: w.api.post("/api/v1/users", json={"name": "Ugo", "email": UGO}),
        own(acts.UserOpened),
    ),
    ("PATCH", "/api/v1/users/{user_id}"): (
        lambda w: change_user(w, "PATCH", json={"name": "Hugo"}),
        own(acts.UserChanged),
    ),
    ("DELETE", "/api/v1/users/{user_id}"): (
        lambda w: change_user(w, "DELETE"),
        own(acts.UserClosed),
    ),
    ("GET", "/volume"): (lambda w: w.get(w.page, "/volume"), own(acts.VolumeViewed)),
    ("GET", "/volume/preview"): (
        lambda w: w.get(w.page, "/volume/preview?what=plan&plan={plan}"),
        own(acts.ReductionPreviewed),
    ),
    ("POST", "/volume/reductions"): (
        lambda w: w.send(w.page, "/volume/reductions", what="plan", plan=str(w.client.plan_id)),
        own(acts.ReductionOrdered),
    ),
    ("POST", "/volume/reductions/{reduction_id}/withdraw"): (
        lambda w: take_back(w, w.page),
        own(acts.ReductionWithdrawn),
    ),
    ("GET", "/api/v1/volume"): (lambda w: w.get(w.api, "/api/v1/volume"), own(acts.VolumeViewed)),
    ("POST", "/api/v1/reductions/preview"): (
        lambda w: drop(w, w.api, "/api/v1/reductions/preview"),
        own(acts.ReductionPreviewed),
    ),
    ("POST", "/api/v1/reductions"): (
        lambda w: drop(w, w.api, "/api/v1/reductions"),
        own(acts.ReductionOrdered),
    ),
    ("GET", "/api/v1/reductions"): (
        lambda w: w.get(w.api, "/api/v1/reductions"),
        own(acts.ReductionsListed),
    ),
    ("POST", "/api/v1/reductions/{reduction_id}/withdraw"): (
        lambda w: take_back(w, w.api),
        own(acts.ReductionWithdrawn),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/volume"): (
        lambda w: w.get(w.operator, TENANT + "/volume"),
        own(acts.VolumeViewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/reductions/preview"): (
        lambda w: drop(w, w.operator, TENANT + "/reductions/preview"),
        own(acts.ReductionPreviewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/reductions"): (
        lambda w: drop(w, w.operator, TENANT + "/reductions"),
        own(acts.ReductionOrdered),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/reductions"): (
        lambda w: w.get(w.operator, TENANT + "/reductions"),
        own(acts.ReductionsListed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/reductions/{reduction_id}/withdraw"): (
        lambda w: take_back(w, w.operator),
        own(acts.ReductionWithdrawn),
    ),
    ("GET", "/overage/{token}/{answer}"): (follow_overage, own(acts.OverageLinkOpened)),
    ("POST", "/overage/{token}/{answer}"): (answer_overage, own(acts.OverageAnswered)),
    ("GET", "/api/v1/quota"): (lambda w: w.get(w.api, "/api/v1/quota"), own(acts.QuotaViewed)),
    ("POST", "/api/v1/quota/answer"): (
        lambda w: w.api.post("/api/v1/quota/answer", json={"answer": "order"}),
        own(acts.OverageAnswered),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/quota"): (
        lambda w: w.get(w.operator, TENANT + "/quota"),
        own(acts.QuotaViewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/quota/extend"): (
        lambda w: w.operator.post(
            w.at(TENANT + "/quota/extend"),
            json={"reason": "agreed", "until": "2099-01-01T00:00:00Z"},
        ),
        own(acts.DeadlineExtended),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/quota/block"): (
        lambda w: w.operator.post(w.at(TENANT + "/quota/block"), json={"reason": "agreed"}),
        own(acts.GrowthBlocked),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/quota/unblock"): (
        lambda w: w.operator.post(w.at(TENANT + "/quota/unblock"), json={"reason": "agreed"}),
        own(acts.GrowthUnblocked),
    ),
    ("POST", "/account"): (
        lambda w: w.send(w.page, "/account", locale="en"),
        own(acts.LanguageChosen),
    ),
    ("GET", "/api/v1/plans"): (lambda w: w.get(w.api, "/api/v1/plans"), own(acts.PlansListed)),
    ("GET", PLAN + "/runs"): (lambda w: w.get(w.api, PLAN + "/runs"), own(acts.RunsListed)),
    ("GET", PLAN + "/entries"): (
        lambda w: w.get(w.api, PLAN + "/entries"),
        own(acts.FolderListed),
    ),
    ("GET", PLAN + "/history"): (
        lambda w: w.get(w.api, PLAN + "/history?path=srv/a"),
        own(acts.HistoryListed),
    ),
    ("GET", "/api/v1/search"): (
        lambda w: w.get(w.api, "/api/v1/search?q=srv"),
        own(acts.Searched),
    ),
    ("GET", PLAN + "/file"): (
        lambda w: w.get(w.api, PLAN + "/file?path=srv/a"),
        own(acts.FileDownloaded),
    ),
    ("GET", PLAN + "/archive"): (
        lambda w: w.get(w.api, PLAN + "/archive"),
        own(acts.FolderDownloaded),
    ),
    ("GET", PLAN + "/manifest"): (
        lambda w: w.get(w.api, PLAN + "/manifest"),
        own(acts.RestoreListed),
    ),
    ("POST", PLAN + "/chunks"): (
        lambda w: w.api.post(w.at(PLAN + "/chunks"), content=w.asked),
        own(acts.RestoreRead),
    ),
    ("POST", "/sign-in"): (
        lambda w: sign_in(w.visitor, w.client.email, PASSWORD),
        own(acts.SignedIn),
    ),
    ("POST", "/api/v1/tokens"): (
        lambda w: w.program.post(
            "/api/v1/tokens", json={"email": w.client.email, "password": PASSWORD}
        ),
        own(acts.SignedIn),
    ),
    ("GET", "/clients"): (lambda w: w.get(w.desk, "/clients"), nobody(acts.TenantsListed)),
    ("GET", "/api/v1/tenants"): (
        lambda w: w.get(w.operator, "/api/v1/tenants"),
        nobody(acts.TenantsListed),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}"): (
        lambda w: w.get(w.operator, TENANT),
        own(acts.TenantViewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/maintenance"): (
        lambda w: w.operator.post(
            w.at(TENANT + "/maintenance"), json={"until": "2999-12-31", "reason": "renewed"}
        ),
        own(acts.MaintenanceSet),
    ),
    ("POST", "/api/v1/documents"): (
        lambda w: w.operator.post("/api/v1/documents", json=DOCUMENT),
        nobody(acts.DocumentPublished),
    ),
    ("GET", "/api/v1/documents"): (
        lambda w: w.get(w.operator, "/api/v1/documents"),
        nobody(acts.DocumentsListed),
    ),
    ("GET", "/api/v1/documents/asked"): (
        lambda w: w.get(w.api, "/api/v1/documents/asked"),
        own(acts.DocumentsViewed),
    ),
    ("POST", "/api/v1/documents/{document}/{version}/accept"): (
        accept_another,
        [("nobody", acts.DocumentPublished), ("own", acts.DocumentAccepted)],
    ),
    ("GET", "/api/v1/documents/{document}/{version}/acceptances"): (
        lambda w: w.get(w.operator, "/api/v1/documents/general-terms/1/acceptances"),
        nobody(acts.AcceptancesListed),
    ),
    ("GET", "/documents"): (lambda w: w.get(w.page, "/documents"), own(acts.DocumentsViewed)),
    ("POST", "/documents/{document}/{version}"): (
        lambda w: w.send(w.page, "/documents/general-terms/1"),
        own(acts.DocumentAccepted),
    ),
    ("GET", "/api/v1/parked"): (
        lambda w: w.get(w.operator, "/api/v1/parked"),
        nobody(acts.ParkedListed),
    ),
    ("GET", PARKED): (lambda w: w.get(w.operator, AT_PARKED), nobody(acts.ParkedViewed)),
    ("POST", PARKED + "/replay"): (
        lambda w: w.operator.post(AT_PARKED + "/replay", json={"reason": "mended"}),
        nobody(acts.ParkedDecided),
    ),
    ("POST", PARKED + "/drop"): (
        lambda w: w.operator.post(AT_PARKED + "/drop", json={"reason": "of a test"}),
        nobody(acts.ParkedDecided),
    ),
    ("GET", "/clients/{tenant_id}"): (lambda w: w.get(w.desk, CLIENT), own(acts.TenantViewed)),
    ("POST", "/clients/{tenant_id}/enrolments"): (
        lambda w: w.send(w.desk, CLIENT + "/enrolments"),
        own(acts.EnrolmentOpened, acts.TenantViewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/enrolments"): (
        lambda w: w.operator.post(w.at(TENANT + "/enrolments")),
        own(acts.EnrolmentOpened),
    ),
    ("POST", "/clients/{tenant_id}/agents/{agent_id}/revoke"): (
        lambda w: w.send(w.desk, f"{CLIENT}/agents/{AGENTS[0]}/revoke"),
        own(acts.AgentRevoked),
    ),
    ("POST", "/api/v1/agents/{agent_id}/revoke"): (
        lambda w: w.operator.post(f"/api/v1/agents/{AGENTS[1]}/revoke"),
        own(acts.AgentRevoked),
    ),
    ("POST", "/api/v1/tenants"): (
        lambda w: w.operator.post("/api/v1/tenants", json=TERMS),
        [("another", acts.TenantOpened)],
    ),
    ("POST", "/api/v1/password"): (
        lambda w: w.program.post("/api/v1/password", json=new_password(w)),
        [("another", acts.PasswordChanged)],
    ),
    ("POST", "/api/v1/administrators/reset"): (
        lambda w: w.operator.post("/api/v1/administrators/reset", json={"email": w.other}),
        [("another", acts.PasswordReset)],
    ),
    ("GET", TENANTS + "/orders"): (
        lambda w: w.get(w.operator, TENANT + "/orders"),
        own(acts.OrdersListed),
    ),
    ("POST", TENANTS + "/orders/preview"): (
        lambda w: w.operator.post(w.at(TENANT + "/orders/preview"), json={"seats": 10}),
        own(acts.OrderPreviewed),
    ),
    ("POST", TENANTS + "/orders"): (
        lambda w: w.operator.post(w.at(TENANT + "/orders"), json={"seats": 10}, headers=OTHER_KEY),
        own(acts.OrderPlaced),
    ),
    ("PUT", TENANTS + "/orders/allowed"): (
        lambda w: w.operator.put(w.at(TENANT + "/orders/allowed"), json={"allowed": True}),
        own(acts.OrdersAllowed),
    ),
    ("POST", TENANTS + "/quota/revise"): (revise, own(acts.OrderPlaced)),
    ("GET", "/api/v1/prices"): (
        lambda w: w.get(w.operator, "/api/v1/prices"),
        nobody(acts.PricesViewed),
    ),
    ("PUT", "/api/v1/prices"): (put_prices, nobody(acts.PricesViewed, acts.PricesPut)),
    ("POST", "/api/v1/billing/{month}/close"): (
        lambda w: w.operator.post("/api/v1/billing/2024-01/close"),
        nobody(acts.MonthClosed),
    ),
    ("GET", "/api/v1/billing/{month}"): (
        lambda w: w.get(w.operator, "/api/v1/billing/2024-01"),
        nobody(acts.BillingExported),
    ),
    ("GET", "/api/v1/destructions"): (
        lambda w: w.get(w.operator, "/api/v1/destructions"),
        nobody(acts.DestructionsListed),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/destruction"): (
        see_destruction,
        own(acts.DestructionViewed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/destruction/confirm"): (
        confirm,
        own(acts.DestructionConfirmed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/destruction/hold"): (
        lambda w: decide(w, "hold"),
        own(acts.DestructionHeld),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/destruction/release"): (
        lambda w: decide(w, "release"),
        own(acts.DestructionReleased),
    ),
    ("GET", "/api/v1/tenants/{tenant_id}/certificate"): (
        see_certificate,
        own(acts.CertificateRead),
    ),
    ("GET", "/certificates/{token}"): (follow_certificate, own(acts.CertificateRead)),
    ("GET", "/certificates/{token}/json"): (
        lambda w: follow_certificate(w, "/json"),
        own(acts.CertificateRead),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/suspend"): (
        lambda w: w.operator.post(w.at(TENANT + "/suspend"), json={"reason": "unpaid"}),
        own(acts.SubscriptionSuspended),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/resume"): (
        lambda w: w.operator.post(w.at(TENANT + "/resume"), json={"reason": "paid"}),
        own(acts.SubscriptionResumed),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/end"): (
        lambda w: w.operator.post(w.at(TENANT + "/end"), json={"reason": "moves"}),
        own(acts.SubscriptionEnded),
    ),
    ("POST", "/api/v1/tenants/{tenant_id}/reinstate"): (
        lambda w: w.operator.post(w.at(TENANT + "/reinstate"), json={"reason": "stays"}),
        own(acts.SubscriptionReinstated),
    ),
    ("POST", "/clients/{tenant_id}/{step}"): (
        lambda w: w.send(w.desk, CLIENT + "/suspend", reason="unpaid"),
        own(acts.SubscriptionSuspended),
    ),
    ("POST", "/sign-out"): (lambda w: w.send(w.desk, "/sign-out"), nobody(acts.SignedOut)),
    ("DELETE", "/api/v1/tokens"): (lambda w: w.api.delete("/api/v1/tokens"), own(acts.SignedOut)),
    ("POST", "/password"): (
        lambda w: w.page.post(
            "/password",
            data={"password": PASSWORD, "new_password": PASSWORD * 2, "repeated": PASSWORD * 2},
        ),
        own(acts.PasswordChanged, acts.SignedIn),
    ),
}


async def test_every_route_leaves_its_act(world: World) -> None:
    assert list_routes(build(world.portal.parts)) == {*ACTING, *NOTHING_OF_ANYBODY}
    for route, (call, expected) in ACTING.items():
        before = await world.heads()
        answer = await call(world)
        assert answer.status_code < 400, (route, answer.text)
        assert await left(world, before) == expected, route
    assert {kind for _, expected in ACTING.values() for _, kind in expected} | ELSEWHERE == set(
        ACTS
    )


ELSEWHERE = {
    acts.FileViewed,  # of a HEAD, below
    acts.FolderViewed,
    acts.SignInRefused,  # below
    acts.OrderTookEffect,  # in a job, in test_orders
    acts.OrderKept,
    acts.ClientErased,  # in tests/destruction
    acts.OperatorAdded,  # by a command
    acts.SubscriptionEndAnnounced,  # the same route with a day
    acts.OperatorTokenInstalled,  # at the start of the process
}


async def left(world: World, before: dict[UUID, int]) -> list[Left]:
    """Which acts came to which chain since then, each with the fields that it has."""
    rows = await world.portal.admin.fetch("SELECT * FROM portal.access_log ORDER BY at, number")
    known = {kind.code: kind for kind in ACTS}
    found = []
    for row in rows:
        if row["number"] > before.get(row["tenant_id"], 0):
            kind = known[row["act"]]
            assert {field.name for field in fields(kind)} == set(json.loads(row["fields"]))
            chain = {world.client.tenant_id: "own", NOBODY: "nobody"}
            found.append((chain.get(row["tenant_id"], "another"), kind))
    return found


async def test_routes_that_are_of_nobody_leave_nothing(world: World) -> None:
    before = await world.heads()
    for method, path in NOTHING_OF_ANYBODY:
        address = "/static/coffre.css" if method == "*" else path
        status = {"/agent/{name}": 404, "/v1/{path:path}": 421}.get(path, 200)
        answer = await world.page.request(method.replace("*", "GET"), address)
        assert answer.status_code in (status, 303), path
    assert await left(world, before) == []


async def test_what_answers_to_get_answers_to_head_and_leaves_its_act(world: World) -> None:
    for path in ("/account", "/static/coffre.css", "/health/live"):
        assert (await world.page.head(path)).status_code == 200, path
    assert (await world.api.head("/api/v1/tokens")).status_code == 405
    assert (await world.api.head(world.at(f"{PLAN}/archive?path=nowhere"))).status_code == 404
    assert (await world.program.head(world.at(f"{PLAN}/archive"))).status_code == 401
    # Nothing is held by what nobody read.
    for _ in range(2 * DOWNLOADS_OF_USER):
        for read in ("file?path=srv/a", "archive", "manifest"):
            assert (await world.api.head(world.at(f"{PLAN}/{read}"))).status_code == 200
    for (method, path), (call, expected) in ACTING.items():
        whole = await call(world)
        if method != "GET":
            continue
        before = await world.heads()
        head = await call(replace(world, reads_by="HEAD"))
        assert (head.status_code, head.content) == (200, b""), path
        for name in ("content-type", "content-length", "content-disposition"):
            assert head.headers.get(name) == whole.headers.get(name), (path, name)
        assert await left(world, before) == VIEWED.get(path, expected), path


VIEWED = {PLAN + "/file": own(acts.FileViewed), PLAN + "/archive": own(acts.FolderViewed)}
"""What is noted otherwise where nothing was handed over."""


async def test_a_restore_is_in_the_log_once_and_not_with_each_of_its_requests(
    world: World,
) -> None:
    before = await world.heads()
    chunks = world.at(PLAN + "/chunks")
    for _ in range(3):  # three workers at once, again and again
        await asyncio.gather(*(world.api.post(chunks, content=world.asked) for _ in range(3)))
    assert await left(world, before) == own(acts.RestoreRead)
    async with world.portal.client(await world.portal.sign_in(world.client.email)) as next_one:
        before = await world.heads()
        await next_one.post(chunks, content=world.asked)
    assert await left(world, before) == own(acts.RestoreRead)


async def test_what_is_refused_to_a_stranger_is_no_act(world: World) -> None:
    token = await world.portal.sign_in(world.other)
    before = await world.heads()
    async with world.portal.client(token) as stranger:
        for method, path in ACTING:
            if path.startswith(PLAN):
                answer = await stranger.request(method, world.at(path + "?path=srv/a"))
                assert answer.status_code in (404, 422), path
    assert await left(world, before) == []


def test_the_list_of_acts_is_closed() -> None:
    def leaves(kind: type[Act]) -> list[type[Act]]:
        below = kind.__subclasses__()
        return [one for sub in below for one in leaves(sub)] if below else [kind]

    assert set(leaves(Act)) == set(ACTS)
    assert len({kind.code for kind in ACTS}) == len(ACTS)
