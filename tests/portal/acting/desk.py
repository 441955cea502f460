"""The operators' desk: pages, and the routes of the API that came with them."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from libs.shared import clock
from libs.shared.events import IncidentOpened
from services.portal.rules.log import acts
from tests.portal import builder
from tests.portal.acting import destruction, notices
from tests.portal.acting.world import (
    AGENTS,
    AT_PARKED,
    CLIENT,
    TENANT,
    TENANTS,
    Acting,
    World,
    nobody,
    own,
)

PAGE = "/clients/{tenant_id}"
OPENED = {
    "name": "Ouverte au guichet", "locale": "fr", "timezone": "Europe/Paris",
    "contracted_gb": "100", "seats": "2", "retention_days": "30", "administrator_name": "A",
    "administrator_email": "guichet@another.example",
}  # fmt: skip
TEXTS = {"title_fr": "Lieu", "title_en": "Place", "text_fr": "Ici", "text_en": "Here"}


async def ask_for_second(world: World) -> str:
    """Another operator asks to let the client grow; the path of what waits."""
    asker, approval = uuid4(), uuid4()
    await world.portal.admin.execute(
        """INSERT INTO portal.users (user_id, role, name, email, locale, password_hash, one_time,
           created_at, duty) VALUES ($1, 'operator', 'Anne', $2, 'fr', '', false, now(),
           'administrator')""",
        asker, f"{asker}@provider.example",
    )  # fmt: skip
    await world.portal.admin.execute(
        """INSERT INTO portal.approvals (approval_id, tenant_id, kind, subject, reason, asked_by,
           asker, asked_at, expires_at) VALUES ($1, $2, 'unblock', '', 'paid', $3, 'Anne', now(),
           now() + interval '1 day')""",
        approval, world.client.tenant_id, asker,
    )  # fmt: skip
    return f"/approvals/{approval}"


async def open_incident(world: World) -> str:
    """The id of an incident that nobody closed yet."""
    now = clock.now()
    opened = IncidentOpened(
        tenant_id=world.client.tenant_id,
        incident_id=uuid4(),
        version=1,
        plan_id=world.client.plan_id,
        cause="failed",
        opened_at=now,
        last_at=now,
        times=1,
    )
    await builder.hear(world.portal, opened)
    return str(opened.incident_id)


async def open_code(world: World) -> str:
    """The id of a code that no machine used, and that nobody is noted to have made."""
    found = uuid4()
    admin, tenant_id = world.portal.admin, world.client.tenant_id
    await admin.execute(
        """INSERT INTO portal.enrolments VALUES ($1, $2, 'srv', $1, now(), now() + '1 day')""",
        found, tenant_id,
    )  # fmt: skip
    await admin.execute(
        """INSERT INTO ingest.enrolments (enrolment_id, tenant_id, code_sha256, label, expires_at)
           VALUES ($1, $2, $3, 'srv', now() + interval '1 day')""",
        found, tenant_id, uuid4().hex * 2,
    )  # fmt: skip
    return str(found)


async def write_note(world: World) -> str:
    """The id of a note."""
    found = uuid4()
    await world.portal.admin.execute(
        "INSERT INTO portal.notes VALUES ($1, $2, 'text', 'Anne', now())",
        world.client.tenant_id, found,
    )  # fmt: skip
    return str(found)


async def hold_plan(world: World) -> None:
    """Something is unusual of the client's plan."""
    await world.portal.admin.execute(
        """INSERT INTO portal.expiry_holds VALUES ($1, $2, 9, 1, $3, now())
           ON CONFLICT DO NOTHING""",
        world.client.tenant_id, world.client.plan_id, json.dumps({"code": "many-removed"}),
    )  # fmt: skip


async def add_operator(world: World) -> str:
    """The id of another operator."""
    found = uuid4()
    await world.portal.admin.execute(
        """INSERT INTO portal.users (user_id, role, name, email, locale, password_hash, one_time,
           created_at, duty) VALUES ($1, 'operator', 'Hélène', $2, 'fr', '', false, now(),
           'hotline')""",
        found, f"{found}@provider.example",
    )  # fmt: skip
    return str(found)


async def add_administrator(world: World) -> None:
    """The client has a second administrator."""
    await world.portal.admin.execute(
        """INSERT INTO portal.users (user_id, tenant_id, role, name, email, locale, password_hash,
           one_time, created_at) VALUES (gen_random_uuid(), $1, 'administrator', 'Second',
           'second@dupre.example', 'fr', 'x', false, now()) ON CONFLICT DO NOTHING""",
        world.client.tenant_id,
    )  # fmt: skip


async def add_user(world: World) -> str:
    """The id of somebody of the client with an account."""
    found = uuid4()
    await world.portal.admin.execute(
        """INSERT INTO portal.users (user_id, tenant_id, role, name, email, locale, password_hash,
           one_time, created_at) VALUES ($1, $2, 'user', 'Paul', $3, 'fr', 'x', false, now())""",
        found, world.client.tenant_id, f"{found}@dupre.example",
    )  # fmt: skip
    return str(found)


async def make_room(world: World) -> None:
    """The client has seats for some more."""
    await world.portal.admin.execute(
        """UPDATE portal.orders SET after = 50 WHERE tenant_id = $1 AND what = 'seats'""",
        world.client.tenant_id,
    )
    await world.portal.admin.execute(
        "UPDATE portal.tenants SET seats = 50 WHERE tenant_id = $1", world.client.tenant_id
    )


async def open_case(world: World) -> None:
    """The client stores more than it contracted."""
    await world.portal.admin.execute(
        """INSERT INTO portal.overages (case_id, tenant_id, version, is_open, opened_at, passed_at,
           deadline_at, final_at, fills) VALUES ($1, $1, 1, true, now(), now(),
           now() + interval '9 days', now() + interval '39 days', '[]') ON CONFLICT DO NOTHING""",
        world.client.tenant_id,
    )  # fmt: skip


async def order(world: World) -> Any:
    """The preview's form, sent."""
    preview = await world.desk.get(world.at(CLIENT + "/orders/preview?seats=7"))
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', preview.text))
    return await world.desk.post(world.at(CLIENT + "/orders"), data=fields)


async def put_prices(world: World) -> Any:
    """The price lists that count, put once more."""
    lists = await world.portal.admin.fetchval(
        "SELECT lists FROM portal.price_lists ORDER BY version DESC LIMIT 1"
    )
    return await world.send(world.desk, "/prices", lists=lists)


async def draft_notice(world: World) -> str:
    """The path of a notice that nobody is told of."""
    found = uuid4()
    await world.portal.admin.execute(
        """INSERT INTO portal.notices (notice_id, kind, title_fr, title_en, text_fr, text_en,
           ahead, everybody, drafted_at, drafted_by)
           VALUES ($1, 'text', 'a', 'a', 'a', 'a', '0', true, now(), 'Anne')""",
        found,
    )  # fmt: skip
    return f"/notices/{found}"


async def send_again(world: World) -> Any:
    """Writes once more to a client that was told."""
    path = await draft_notice(world)
    notice_id = UUID(path.rpartition("/")[2])
    await world.portal.admin.execute(
        "UPDATE portal.notices SET published_at = now(), published_by = 'Anne'"
        " WHERE notice_id = $1",
        notice_id,
    )
    await world.portal.admin.execute(
        "INSERT INTO portal.notice_clients VALUES ($1, $2, 1, gen_random_uuid(), now())",
        notice_id, world.client.tenant_id,
    )  # fmt: skip
    return await world.send(world.desk, f"{path}/clients/{world.client.tenant_id}/send")


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


REASON = {"reason": "as agreed"}
PAGES: Acting = {
    ("GET", "/queue"): (page("/queue"), nobody(acts.QueueListed)),
    ("POST", "/queue/{incident_id}/{decision}"): (
        after(open_incident, "/queue/{}/note", note="called"),
        own(acts.IncidentDecided),
    ),
    ("POST", "/approvals/{approval_id}/{answer}"): (
        after(ask_for_second, "{}/confirm"),
        own(acts.GrowthUnblocked, acts.ApprovalConfirmed),
    ),
    ("GET", "/clients"): (page("/clients"), nobody(acts.TenantsListed)),
    ("GET", "/clients/days"): (page("/clients/days"), nobody(acts.DaysListed)),
    ("POST", "/clients/new"): (
        after(nothing, "/clients/new", **OPENED),
        [("another", acts.TenantOpened)],
    ),
    ("GET", PAGE): (page(CLIENT), own(acts.TenantViewed)),
    ("GET", PAGE + "/plans/{plan}"): (page(CLIENT + "/plans/{plan}"), own(acts.RunsListed)),
    ("GET", PAGE + "/plans/{plan}/runs/{number}"): (
        page(CLIENT + "/plans/{plan}/runs/1"),
        own(acts.RunViewed),
    ),
    ("POST", PAGE + "/plans/{plan}/clear"): (
        after(hold_plan, CLIENT + "/plans/{plan}/clear", **REASON),
        own(acts.HoldsCleared),
    ),
    ("POST", PAGE + "/plans/{plan}/pause"): (
        after(nothing, CLIENT + "/plans/{plan}/pause", until="2029-01-01", **REASON),
        own(acts.PlanPaused),
    ),
    ("POST", PAGE + "/enrolments"): (
        after(nothing, CLIENT + "/enrolments", key=str(uuid4())),
        own(acts.EnrolmentOpened, acts.TenantViewed),
    ),
    ("POST", PAGE + "/enrolments/{enrolment_id}/withdraw"): (
        after(open_code, CLIENT + "/enrolments/{}/withdraw"),
        own(acts.EnrolmentWithdrawn),
    ),
    ("GET", PAGE + "/agents/{agent_id}/revoke"): (
        page(f"{CLIENT}/agents/{AGENTS[0]}/revoke"),
        own(acts.TenantViewed),
    ),
    ("POST", PAGE + "/agents/{agent_id}/revoke"): (
        after(nothing, f"{CLIENT}/agents/{AGENTS[0]}/revoke"),
        own(acts.AgentRevoked),
    ),
    ("POST", PAGE + "/notes"): (
        after(nothing, CLIENT + "/notes", text="Rappeler jeudi"),
        own(acts.NoteWritten),
    ),
    ("POST", PAGE + "/notes/{note_id}/remove"): (
        after(write_note, CLIENT + "/notes/{}/remove"),
        own(acts.NoteRemoved),
    ),
    ("POST", PAGE + "/reset"): (
        after(add_administrator, CLIENT + "/reset", email="second@dupre.example"),
        own(acts.PasswordReset),
    ),
    ("POST", PAGE + "/people"): (
        after(make_room, CLIENT + "/people", name="Léa", email="lea@dupre.example"),
        own(acts.UserOpened),
    ),
    ("POST", PAGE + "/people/{user_id}/close"): (
        after(add_user, CLIENT + "/people/{}/close"),
        own(acts.UserClosed),
    ),
    ("GET", PAGE + "/terms"): (
        page(CLIENT + "/terms"),
        own(acts.TenantViewed, acts.RecipientsListed),
    ),
    ("POST", PAGE + "/terms"): (
        after(
            nothing,
            CLIENT + "/terms",
            name="Boulangerie Dupré",
            locale="fr",
            timezone="Europe/Paris",
            retention_days="60",
        ),
        own(acts.TermsChanged),
    ),
    ("POST", PAGE + "/recipients"): (
        after(nothing, CLIENT + "/recipients", change="add", email="x@dupre.example"),
        own(acts.RecipientAdded),
    ),
    ("POST", PAGE + "/maintenance"): (
        after(nothing, CLIENT + "/maintenance", until="2099-12-31", **REASON),
        own(acts.MaintenanceSet),
    ),
    ("GET", PAGE + "/contract"): (page(CLIENT + "/contract"), own(acts.ContractViewed)),
    ("GET", PAGE + "/subscription/{step}"): (
        page(CLIENT + "/subscription/end"),
        own(acts.ContractViewed),
    ),
    ("GET", PAGE + "/orders/preview"): (
        page(CLIENT + "/orders/preview?seats=9"),
        own(acts.OrderPreviewed),
    ),
    ("POST", PAGE + "/orders"): (order, own(acts.OrderPreviewed, acts.OrderPlaced)),
    ("POST", PAGE + "/orders/allowed"): (
        after(nothing, CLIENT + "/orders/allowed", allowed="yes"),
        own(acts.OrdersAllowed),
    ),
    ("POST", PAGE + "/orders/revise"): (
        # The contract holds what is stored: the route of the API is tried with more.
        after(nothing, CLIENT + "/orders/revise", clause="7.3", **REASON),
        [],
    ),
    ("POST", PAGE + "/quota/{decision}"): (
        after(nothing, CLIENT + "/quota/block", **REASON),
        own(acts.GrowthBlocked),
    ),
    ("GET", "/overages"): (page("/overages"), nobody(acts.OveragesListed)),
    ("GET", "/notices"): (page("/notices"), nobody(acts.NoticesListed)),
    ("POST", "/notices/new"): (
        after(nothing, "/notices/new", kind="text", ahead_days="0", **TEXTS),
        nobody(acts.NoticeDrafted),
    ),
    ("GET", "/notices/{notice_id}"): (
        lambda w: notices.step(w, "", w.reads_by, by=w.desk, root="/notices"),
        nobody(acts.NoticeViewed),
    ),
    ("POST", "/notices/{notice_id}/{step}"): (
        after(draft_notice, "{}/publish"),
        nobody(acts.NoticePublished),
    ),
    ("POST", "/notices/{notice_id}/clients/{tenant_id}/send"): (
        send_again,
        own(acts.NoticeSentAgain),
    ),
    ("GET", "/billing/{month}"): (page("/billing/2026-10"), nobody(acts.BillingExported)),
    ("GET", "/billing/{month}/export"): (
        page("/billing/2026-10/export"),
        nobody(acts.BillingExported),
    ),
    ("POST", "/billing/{month}/close"): (
        after(nothing, "/billing/{month}/close"),
        nobody(acts.MonthClosed),
    ),
    ("GET", "/prices"): (page("/prices"), nobody(acts.PricesViewed)),
    ("POST", "/prices"): (put_prices, nobody(acts.PricesPut)),
    ("GET", "/parked"): (page("/parked"), nobody(acts.ParkedListed)),
    ("GET", "/parked/{service}/{event_id}"): (
        page(AT_PARKED.removeprefix("/api/v1")),
        nobody(acts.ParkedViewed),
    ),
    ("POST", "/parked/{service}/{event_id}/{decision}"): (
        after(nothing, AT_PARKED.removeprefix("/api/v1") + "/replay", **REASON),
        nobody(acts.ParkedDecided),
    ),
    ("GET", "/operators"): (page("/operators"), nobody(acts.OperatorsListed)),
    ("POST", "/operators"): (
        after(nothing, "/operators", name="Anne", email="anne@provider.example", duty="sales"),
        nobody(acts.OperatorAdded, acts.OperatorsListed),
    ),
    ("POST", "/operators/{user_id}/{change}"): (
        after(add_operator, "/operators/{}/duty", duty="sales"),
        nobody(acts.OperatorChanged),
    ),
}
API: Acting = {
    ("GET", "/api/v1/queue"): (
        lambda w: w.get(w.operator, "/api/v1/queue"),
        nobody(acts.QueueListed),
    ),
    ("GET", "/api/v1/overages"): (
        lambda w: w.get(w.operator, "/api/v1/overages"),
        nobody(acts.OveragesListed),
    ),
    ("GET", "/api/v1/approvals"): (
        lambda w: w.get(w.operator, "/api/v1/approvals"),
        nobody(acts.ApprovalsListed),
    ),
    ("POST", "/api/v1/approvals/{approval_id}/confirm"): (
        asked(ask_for_second, "POST", "/api/v1{}/confirm"),
        own(acts.GrowthUnblocked, acts.ApprovalConfirmed),
    ),
    ("POST", "/api/v1/approvals/{approval_id}/decline"): (
        asked(ask_for_second, "POST", "/api/v1{}/decline"),
        own(acts.ApprovalDeclined),
    ),
    ("PATCH", TENANTS): (
        asked(nothing, "PATCH", TENANT, {"retention_days": 31}),
        own(acts.TermsChanged),
    ),
    ("POST", TENANTS + "/notes"): (
        asked(nothing, "POST", TENANT + "/notes", {"text": "called"}),
        own(acts.NoteWritten),
    ),
    ("DELETE", TENANTS + "/notes/{note_id}"): (
        asked(write_note, "DELETE", TENANT + "/notes/{}"),
        own(acts.NoteRemoved),
    ),
    ("GET", TENANTS + "/overview"): (
        lambda w: w.get(w.operator, TENANT + "/overview"),
        own(acts.TenantViewed),
    ),
    ("POST", TENANTS + "/users"): (
        asked(make_room, "POST", TENANT + "/users", {"name": "Max", "email": "max@dupre.example"}),
        own(acts.UserOpened),
    ),
    ("DELETE", TENANTS + "/users/{user_id}"): (
        asked(add_user, "DELETE", TENANT + "/users/{}"),
        own(acts.UserClosed),
    ),
    ("DELETE", TENANTS + "/enrolments/{enrolment_id}"): (
        asked(open_code, "DELETE", TENANT + "/enrolments/{}"),
        own(acts.EnrolmentWithdrawn),
    ),
    ("POST", TENANTS + "/plans/{plan}/clear"): (
        asked(hold_plan, "POST", TENANT + "/plans/{plan}/clear", REASON),
        own(acts.HoldsCleared),
    ),
    ("GET", "/api/v1/operators"): (
        lambda w: w.get(w.operator, "/api/v1/operators"),
        nobody(acts.OperatorsListed),
    ),
    ("POST", "/api/v1/operators"): (
        asked(
            nothing, "POST", "/api/v1/operators",
            {"name": "B", "email": "b@provider.example", "duty": "hotline"},
        ),
        nobody(acts.OperatorAdded),
    ),
    ("PATCH", "/api/v1/operators/{user_id}"): (
        asked(add_operator, "PATCH", "/api/v1/operators/{}", {"duty": "sales"}),
        nobody(acts.OperatorChanged),
    ),
    ("POST", "/api/v1/operators/{user_id}/reset"): (
        asked(add_operator, "POST", "/api/v1/operators/{}/reset"),
        nobody(acts.OperatorReset),
    ),
    ("DELETE", "/api/v1/operators/{user_id}"): (
        asked(add_operator, "DELETE", "/api/v1/operators/{}"),
        nobody(acts.OperatorClosed),
    ),
}  # fmt: skip


async def destroy_by_page(world: World) -> Any:
    """A destruction that waits is held."""
    await destruction.due(world)
    return await world.send(world.desk, "/destructions/{tenant}/hold", **REASON)


async def certificate_by_page(world: World) -> Any:
    """A certificate, as a file."""
    await destruction.certify(world)
    return await world.get(world.desk, CLIENT + "/certificate")


DESTROYING: Acting = {
    ("GET", "/destructions"): (page("/destructions"), nobody(acts.DestructionsListed)),
    ("POST", "/destructions/{tenant_id}/{decision}"): (
        destroy_by_page,
        own(acts.DestructionHeld),
    ),
    ("GET", PAGE + "/certificate"): (certificate_by_page, own(acts.CertificateRead)),
}
ACTING: Acting = {**PAGES, **API, **DESTROYING}
