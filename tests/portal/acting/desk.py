"""The operators' desk: pages, and the routes of the API that came with them."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

from libs.shared import clock
from libs.shared.events import IncidentOpened
from services.portal.rules.log import acts
from tests.portal import builder
from tests.portal.acting.world import (
    AGENTS,
    CLIENT,
    REASON,
    TENANT,
    TENANTS,
    Acting,
    World,
    after,
    asked,
    nobody,
    nothing,
    own,
    page,
)

PAGE = "/clients/{tenant_id}"
FILES, OF_PLAN = TENANTS + "/plans/{plan}", TENANT + "/plans/{plan}"
OPENED = {
    "name": "Ouverte au guichet", "locale": "fr", "timezone": "Europe/Paris",
    "contracted_gb": "100", "seats": "2", "retention_days": "30", "administrator_name": "A",
    "administrator_email": "guichet@another.example",
}  # fmt: skip


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


async def order(world: World) -> Any:
    """The preview's form, sent."""
    preview = await world.desk.get(world.at(CLIENT + "/orders/preview?seats=7"))
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', preview.text))
    return await world.desk.post(world.at(CLIENT + "/orders"), data=fields)


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
    ("GET", PAGE + "/plans/{plan}/files"): (
        page(CLIENT + "/plans/{plan}/files?path=srv"),
        own(acts.FolderListed),
    ),
    # Where it takes two operators, it is asked for first: see test_approvals.
    ("POST", PAGE + "/look"): (
        after(nothing, CLIENT + "/look", **REASON),
        own(acts.LookOpened),
    ),
    ("GET", PAGE + "/plans/{plan}/changes"): (
        page(CLIENT + "/plans/{plan}/changes?older=1&newer=2"),
        own(acts.PointsCompared),
    ),
    ("GET", PAGE + "/volume"): (page(CLIENT + "/volume"), own(acts.VolumeViewed)),
    ("GET", PAGE + "/log"): (page(CLIENT + "/log"), own(acts.LogViewed)),
    ("GET", PAGE + "/log/export"): (page(CLIENT + "/log/export"), own(acts.LogExported)),
    ("GET", PAGE + "/search"): (page(CLIENT + "/search?q=srv"), own(acts.Searched)),
    ("GET", PAGE + "/plans/{plan}/file"): (
        page(CLIENT + "/plans/{plan}/file?path=srv/a"),
        own(acts.FilePreviewed),
    ),
    ("GET", PAGE + "/plans/{plan}/versions"): (
        page(CLIENT + "/plans/{plan}/versions?path=srv/a"),
        own(acts.HistoryListed),
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
}
API: Acting = {
    ("GET", "/api/v1/queue"): (
        lambda w: w.get(w.operator, "/api/v1/queue"),
        nobody(acts.QueueListed),
    ),
    ("GET", "/api/v1/days"): (
        lambda w: w.get(w.operator, "/api/v1/days"),
        nobody(acts.DaysListed),
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
    ("DELETE", TENANTS + "/enrolments/{enrolment_id}"): (
        asked(open_code, "DELETE", TENANT + "/enrolments/{}"),
        own(acts.EnrolmentWithdrawn),
    ),
    ("GET", FILES + "/entries"): (
        lambda w: w.get(w.operator, OF_PLAN + "/entries?path=srv"),
        own(acts.FolderListed),
    ),
    ("POST", TENANTS + "/look"): (
        asked(nothing, "POST", TENANT + "/look", REASON),
        own(acts.LookOpened),
    ),
    ("GET", TENANTS + "/log"): (
        lambda w: w.get(w.operator, TENANT + "/log"),
        own(acts.LogViewed),
    ),
    ("GET", TENANTS + "/log/export"): (
        lambda w: w.get(w.operator, TENANT + "/log/export"),
        own(acts.LogExported),
    ),
    ("GET", TENANTS + "/search"): (
        lambda w: w.get(w.operator, TENANT + "/search?q=srv"),
        own(acts.Searched),
    ),
    ("GET", FILES + "/points"): (
        lambda w: w.get(w.operator, OF_PLAN + "/points"),
        own(acts.RunsListed),
    ),
    ("GET", FILES + "/runs/{number}"): (
        lambda w: w.get(w.operator, OF_PLAN + "/runs/1"),
        own(acts.RunViewed),
    ),
    ("GET", TENANTS + "/recipients"): (
        lambda w: w.get(w.operator, TENANT + "/recipients"),
        own(acts.RecipientsListed),
    ),
    ("POST", TENANTS + "/recipients"): (
        asked(nothing, "POST", TENANT + "/recipients", {"email": "y@dupre.example"}),
        own(acts.RecipientAdded),
    ),
    ("DELETE", TENANTS + "/recipients/{email}"): (
        asked(nothing, "DELETE", TENANT + "/recipients/y@dupre.example"),
        own(acts.RecipientRemoved),
    ),
    ("GET", FILES + "/runs"): (
        lambda w: w.get(w.operator, OF_PLAN + "/runs"),
        own(acts.RunsListed),
    ),
    ("GET", FILES + "/changes"): (
        lambda w: w.get(w.operator, OF_PLAN + "/changes?older=1&newer=2"),
        own(acts.PointsCompared),
    ),
    ("GET", FILES + "/history"): (
        lambda w: w.get(w.operator, OF_PLAN + "/history?path=srv/a"),
        own(acts.HistoryListed),
    ),
    ("GET", FILES + "/file"): (
        lambda w: w.get(w.operator, OF_PLAN + "/file?path=srv/a"),
        own(acts.FileDownloaded),
    ),
    ("GET", FILES + "/archive"): (
        lambda w: w.get(w.operator, OF_PLAN + "/archive?path=srv"),
        own(acts.FolderDownloaded),
    ),
    ("GET", FILES + "/preview"): (
        lambda w: w.get(w.operator, OF_PLAN + "/preview?path=srv/a"),
        own(acts.FilePreviewed),
    ),
    ("GET", FILES + "/checksum"): (
        lambda w: w.get(w.operator, OF_PLAN + "/checksum?path=srv/a"),
        own(acts.FileDownloaded),
    ),
    ("POST", TENANTS + "/plans/{plan}/clear"): (
        asked(hold_plan, "POST", TENANT + "/plans/{plan}/clear", REASON),
        own(acts.HoldsCleared),
    ),
}  # fmt: skip
ACTING: Acting = {**PAGES, **API}
