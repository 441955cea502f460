"""Nothing of a client is left but what the list says: every table, every object, every log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.shared import clock, database, events
from libs.shared.database import SERVICES
from libs.shared.erasure import Deleted, Kept, Plan
from libs.shared.inbox import table
from services.ingest.store import erasure as ingest
from services.portal.store import erasure as portal
from services.quota.store import erasure as quota
from services.reporting import actions as reporting_actions
from services.reporting.store import erasure as reporting
from services.retention.store.destruction import erasing as retention
from tests.destruction.firm import Firm
from tests.portal import builder
from tests.world.tenants import tenant_changed

ROOT = Path(__file__).parents[2]
PLANS: dict[str, Plan] = {
    "ingest": ingest.PLAN,
    "quota": quota.PLAN,
    "reporting": reporting.PLAN,
    "retention": retention.PLAN,
    "portal": portal.PLAN,
}
OF_NOBODY = {
    "ingest": {"migrations", "outbox_counter", "outbox_readers", "seen_time", "time_acceptances"},
    "quota": {"migrations", "outbox_counter", "outbox_readers", "seen_time", "time_acceptances"},
    "reporting": {
        "migrations", "outbox_counter", "outbox_readers", "seen_time", "time_acceptances",
        "hearing",
    },
    # Of destructions that are over they have no rows.
    "retention": {
        "migrations", "outbox_counter", "outbox_readers", "seen_time", "time_acceptances",
        "inventory_objects", "erased_rows",
    },
    # Hashes of what was typed at a sign-in, for some hours.
    "portal": {
        "migrations", "outbox_counter", "outbox_readers", "seen_time", "time_acceptances",
        "throttles", "price_lists", "documents", "notices",
    },
}  # fmt: skip
"""Tables that have nothing of a client."""

PERSON, PLACE, PLAN_NAME = "Quetzalcoatl", "quetzal-mailbox", "quetzalplan"
FILE, CONTENT, HOST = b"quetzalfile", b"quetzalcontent", "quetzalhost"
MARKS = (PERSON, PLACE, PLAN_NAME, FILE.decode(), CONTENT.decode(), HOST, "quetzalreason")


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_is_on_the_list_of_its_service(firm: Firm, service: str) -> None:
    rows = await firm.fetch(
        "SELECT table_name::text FROM information_schema.tables"
        " WHERE table_schema = $1 AND table_type = 'BASE TABLE'",
        service,
    )
    listed = [each.table for each in PLANS[service]]
    assert len(listed) == len(set(listed))
    assert {name for (name,) in rows} == {*listed, *OF_NOBODY[service]}, (
        "say in store/erasure.py what becomes of it when a client is destroyed"
    )


async def test_the_whole_catalogue_is_on_the_list(firm: Firm) -> None:
    rows = await firm.fetch(
        "SELECT table_name::text FROM information_schema.tables"
        " WHERE table_schema = 'catalogue' AND table_type = 'BASE TABLE'"
    )
    assert {name for (name,) in rows} == {*retention.CATALOGUE, "migrations"}


@pytest.mark.parametrize("service", SERVICES)
async def test_what_may_be_deleted_can_be_deleted_by_the_service(firm: Firm, service: str) -> None:
    """Nobody is named by it: the grants are what is tried."""
    async with database.transaction(firm.pools[service]) as conn:
        for each in PLANS[service]:
            if isinstance(each, Deleted):
                await conn.execute(f"DELETE FROM {each.table} WHERE {each.where}", uuid4())
            elif each.blank:
                await conn.execute(
                    f"UPDATE {each.table} SET {each.blank} WHERE {each.where}", uuid4()
                )


def test_the_page_lists_what_stays_with_its_ground() -> None:
    page = (ROOT / "docs" / "destruction.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z_.]+)` \| `([a-z-]+)` \|", page, re.MULTILINE))
    kept = {
        (f"{service}.{each.table}", each.ground)
        for service, plan in PLANS.items()
        for each in plan
        if isinstance(each, Kept) and each.table not in {"inbox", "outbox", "erased_tenants"}
    }
    common = {(name, "never-again") for name in ("inbox", "outbox", "erased_tenants")}
    assert told == kept | common


async def test_planted_marks_are_nowhere_afterwards(
    firm: Firm, capfd: pytest.CaptureFixture[str]
) -> None:
    client = await _marked(firm)
    await firm.end(client.tenant_id, "quetzalreason")
    before = await _find_marks(firm)
    assert {"portal.users", "reporting.mails", "catalogue.versions", "portal.access_log"} <= before
    firm.later(days=31)
    await firm.destroy()
    assert (await firm.shown(client.tenant_id))["state"] == "completed"
    await firm.fetch("UPDATE reporting.mails SET state = 'sent'")  # as the mail server took them
    await reporting_actions.destructions.forget_farewells(firm.pools["reporting"])
    # Who destroyed whom and why is in the certificate, and in what carries it.
    assert await _find_marks(firm) <= {
        "portal.destructions", "retention.inventories", "retention.outbox", "portal.inbox",
        "reporting.inbox", "portal.orders",
    }  # fmt: skip
    assert await _find_marks(firm, MARKS[:-1]) == set(), "the reason alone stands there"
    async for key, _ in firm.keeper.objects.list(""):
        body = await firm.keeper.objects.get(key)
        assert not [mark for mark in MARKS[:-1] if mark.encode() in body or mark in key], key
        assert str(client.tenant_id) not in key or key.startswith("erased/"), key
    said = capfd.readouterr()
    logged = [mark for mark in MARKS[:-1] if mark in said.out + said.err]
    assert logged == [], "logs outlive their clients"


async def _marked(firm: Firm) -> builder.Client:
    client = await builder.open_client(firm.portal, f"{PLACE}@dupre.example", plan=PLAN_NAME)
    await firm.settle()
    await firm.portal.admin.execute(
        "UPDATE portal.users SET name = $1 WHERE tenant_id = $2", PERSON, client.tenant_id
    )
    await client.commit({b"srv/" + FILE: builder.text(CONTENT)})
    more = await client.add_machine(HOST, "other-" + PLAN_NAME)
    await more.commit({b"srv/" + FILE + b"2": builder.text(CONTENT + b"2")})
    await firm.settle()
    async with firm.portal.client(client.token) as api:
        path = f"/api/v1/plans/{client.plan_id}"
        assert (await api.get(path + "/entries", params={"path": "srv"})).status_code == 200
        answer = await api.get(path + "/file", params={"path": "srv/" + FILE.decode()})
        assert answer.status_code == 200
        asked = {"email": f"{PLACE}2@elsewhere.example"}
        assert (await api.post(path + "/recipients", json=asked)).status_code == 204
        declined = await api.put("/api/v1/reports", json={"declined": True})
        assert declined.status_code == 204
    # A message that nobody could read, with the client's id and a name in it.
    raw = f'{{"tenant_id": "{client.tenant_id}", "name": "{PERSON}"'.encode()
    async with database.transaction(firm.pools["quota"]) as conn:
        await table.insert(
            conn, [table.Arrival(uuid4(), "tenant.changed.v1", raw=raw, error=PERSON)], clock.now()
        )
        await conn.execute("UPDATE inbox SET state = 'done' WHERE raw IS NOT NULL")
    await firm.settle()
    return client


async def _find_marks(firm: Firm, marks: tuple[str, ...] = MARKS) -> set[str]:
    """Tables of any schema in which a mark stands, as text, or as bytes."""
    tables = await firm.fetch(
        "SELECT table_schema::text, table_name::text FROM information_schema.tables"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
    )
    found = set()
    for schema, name in tables:
        for mark in marks:
            seen = await firm.fetch(
                f"SELECT 1 FROM {schema}.{name} t"
                " WHERE position($1 IN t::text) > 0 OR position($2 IN t::text) > 0 LIMIT 1",
                mark,
                mark.encode().hex(),
            )
            if seen:
                found.add(f"{schema}.{name}")
    return found


async def test_the_log_is_blank_and_still_proven(firm: Firm) -> None:
    from services.portal.actions import log

    client = await firm.client()
    other = await firm.client("lea@martin.example")
    await firm.end(client.tenant_id)
    firm.later(days=31)
    await firm.destroy()

    async def judge() -> dict[Any, Any]:
        async with database.acquire(firm.pools["portal"]) as conn:
            return {one.tenant_id: one.fault for one in await log.verify(conn, None, {})}

    assert set((await judge()).values()) == {None}
    lines = await firm.fetch(
        "SELECT act, actor, address, fields::text, user_id FROM portal.access_log"
        " WHERE tenant_id = $1 AND blanked ORDER BY number",
        client.tenant_id,
    )
    assert {line[1:] for line in lines} == {("", "", "{}", None)}
    assert {"tenant-opened", "signed-in", "subscription-ended"} <= {line[0] for line in lines}
    # Whoever blanks a client's log who is not destroyed is found out, as is another act.
    admin = firm.portal.admin
    await admin.execute(
        "UPDATE portal.access_log SET blanked = true, salt = NULL, user_id = NULL, actor = '',"
        " address = '', fields = '{}' WHERE tenant_id = $1 AND number = 2",
        other.tenant_id,
    )
    await admin.execute(
        "UPDATE portal.access_log SET act = 'signed-out' WHERE tenant_id = $1 AND number = 3",
        client.tenant_id,
    )
    judged = await judge()
    assert judged[other.tenant_id].why == judged[client.tenant_id].why == "altered"
    async with database.acquire(firm.pools["portal"]) as conn:
        with pytest.raises(Exception, match="only the log of a destroyed client"):
            await conn.execute("SELECT blank_log($1)", other.tenant_id)
        with pytest.raises(Exception, match="permission denied"):
            await conn.execute("UPDATE access_log SET actor = ''")


async def test_what_comes_late_brings_nothing_back(firm: Firm) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    firm.later(days=31)
    await firm.destroy()
    late: list[tuple[str, events.Event]] = [
        (service, tenant_changed(client.tenant_id, 99, name="Back"))
        for service in ("ingest", "quota", "reporting", "retention")
    ]
    late.append(
        (
            "portal",
            events.VolumeChanged(
                tenant_id=client.tenant_id, stored_bytes=1, protected_bytes=1, sequence=10**9
            ),
        )
    )
    for service, event in late:
        arrival = table.Arrival(
            uuid4(), event.type, tenant_id=event.tenant_id, payload=event.model_dump_json()
        )
        async with database.transaction(firm.pools[service]) as conn:
            await table.insert(conn, [arrival], clock.now())
    await firm.settle()
    for name in ("ingest.tenants", "quota.allowances", "retention.tenants", "portal.volumes"):
        assert (
            await firm.fetch(f"SELECT 1 FROM {name} WHERE tenant_id = $1", client.tenant_id) == []
        )
    rows = await firm.fetch("SELECT 1 FROM quota.inbox WHERE position('Back' IN payload) > 0")
    assert rows == []
    again = await firm.post(f"{client.tenant_id}/reinstate", reason="please")
    assert again.status_code == 409
