"""How often a page asks the database: as often for much as for little of what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD
from tests.portal.test_desk import opened
from tests.portal.test_pages import browser, sign_in

FOLDER = "/plans/{plan}/files?path=srv&run=1"
CLIENTS = (
    "/",
    "/plans/{plan}",
    "/plans/{plan}/runs/1",
    FOLDER,
    FOLDER + "&deleted=1",
    "/plans/{plan}/versions?path=srv/devis.txt",
    "/search?q=devis",
    "/selection",
    "/machines",
    "/volume",
    "/reports",
    "/orders",
    "/account",
    "/people",
    "/log",
)
OPERATORS = (
    "/queue",
    "/clients",
    "/clients/days",
    "/clients/{tenant}",
    "/clients/{tenant}/contract",
    "/clients/{tenant}/plans/{plan}",
    "/clients/{tenant}/plans/{plan}/runs/1",
    "/overages",
    "/notices",
    "/billing/2026-10",
    "/prices",
    "/destructions",
    "/parked",
    "/operators",
)


@contextmanager
def counted(portal: Any) -> Iterator[list[str]]:
    """The statements that the portal sends to the database meanwhile."""
    asked: list[str] = []

    def note(record: Any) -> None:
        asked.append(" ".join(record.query.split()))

    connections = [holder._con for holder in portal.parts.pool._holders if holder._con]
    for connection in connections:
        connection.add_query_logger(note)
    try:
        yield asked
    finally:
        for connection in connections:
            connection.remove_query_logger(note)


async def count_all(
    portal: Any, client: builder.Client, asking: dict[httpx2.AsyncClient, Sequence[str]]
) -> dict[str, int]:
    """How many statements each page takes, the second time that it is asked for."""
    found = {}
    for who, pages in asking.items():
        for path in pages:
            at = path.format(plan=client.plan_id, tenant=client.tenant_id)
            assert (await who.get(at)).status_code == 200, at
            with counted(portal) as asked:
                assert (await who.get(at)).status_code == 200, at
            found[path] = len(asked)
    return found


async def grow(portal: Any, client: builder.Client) -> None:
    """More of everything that pages list: machines, plans, runs, files, people, codes, clients."""
    more = {b"srv/%d/devis %d.txt" % (n, n): builder.text(b"deux %d" % n) for n in range(3)}
    await client.commit({b"srv/devis.txt": builder.text(b"deux"), **more}, 2)
    await client.commit({}, 3, removed=[b"srv/1/devis 1.txt"])
    for number in range(3):
        added = await client.add_machine(f"srv-{number}", f"plan {number}")
        await added.commit({b"srv/devis.txt": builder.text(b"trois %d" % number)})
        await builder.live(added, ["failed", "succeeded", None, "failed"])
        await builder.hear(portal, opened(added, "failed"))
        await builder.hear(portal, opened(added, "missed"))
    for number in range(2):
        other = await builder.open_client(portal, f"b{number}@c.example", f"Client {number}")
        await builder.live(other, ["succeeded_with_warnings", "failed"])
        await builder.hear(portal, opened(other, "failed"))
    text = {"fr": "Nous changeons un routeur.", "en": "We change a router."}
    notice = {"kind": "text", "title": {"fr": "Réseau", "en": "Network"}, "text": text}
    async with portal.operator() as api:
        for number in range(2):
            at = f"/api/v1/tenants/{client.tenant_id}"
            person = {"name": "Paul", "email": f"p{number}@c.example", "role": "user"}
            assert (await api.post(f"{at}/users", json=person)).is_success
            assert (await api.post(f"{at}/enrolments", json={"label": "neuf"})).is_success
            assert (await api.post(f"{at}/notes", json={"text": "à rappeler"})).is_success
            assert (await api.post("/api/v1/notices", json=notice)).is_success


async def test_a_page_asks_as_often_for_much_as_for_little(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.commit(
        {b"srv/devis.txt": builder.text(b"un"), b"srv/0/devis 0.txt": builder.text(b"un")}
    )
    await builder.live(client, ["failed", "succeeded", None, "failed"])
    await builder.hear(portal, opened(client, "failed"))
    async with browser(portal) as page, browser(portal) as desk:
        await sign_in(page, client.email, PASSWORD)
        await sign_in(desk, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        asking = {page: CLIENTS, desk: OPERATORS}
        little = await count_all(portal, client, asking)
        await grow(portal, client)
        assert await count_all(portal, client, asking) == little
    assert little["/"] < 25, "the first page is opened most of all"
