"""What operators and clients do in the half year, and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from devstack.provider.cast import GB, Company, Story
from devstack.provider.people import HOTLINE, SALES, Office, publish
from devstack.provider.rhythm import PARIS
from libs.shared import clock, database, outbox
from libs.shared.events import StorageDamaged, StorageMended
from libs.shared.inbox import parked, table

Act = Callable[[Office], Awaitable[object]]


def of_story(story: Story, act: Callable[[Office, Company], Awaitable[object]]) -> Act:
    """What is done for the client of a story, where it is played."""

    async def do(office: Office) -> None:
        company = office.find(story)
        if company is not None:
            await act(office, company)

    return do


def operate(story: Story, path: str, body: Callable[[datetime], dict[str, Any]]) -> Act:
    """An operator's act on the client of a story; body: by the moment."""

    async def act(office: Office, company: Company) -> None:
        await office.ask("POST", f"/tenants/{company.tenant_id}/{path}", body(clock.now()))

    return of_story(story, act)


def answer(story: Story, wish: str) -> Act:
    """An administrator answers an overage case."""

    async def act(office: Office, company: Company) -> None:
        first = company.administrator
        await office.as_person(first, "POST", "/quota/answer", {"answer": wish})

    return of_story(story, act)


def order(story: Story, **wish: int) -> Act:
    """An administrator orders."""

    async def act(office: Office, company: Company) -> None:
        first, key = company.administrator, f"{company.slug}-{clock.now():%Y-%m-%d}"
        body: dict[str, Any] = {**wish}
        await office.as_person(first, "POST", "/orders", body, **{"Idempotency-Key": key})

    return of_story(story, act)


def note(story: Story, text: str) -> Act:
    """An operator's note on a client."""
    return operate(story, "notes", lambda _: {"text": text})


async def clear(office: Office, company: Company) -> None:
    """What looked unusual was meant."""
    if not (await office.ask("GET", f"/tenants/{company.tenant_id}/overview"))["holds"]:
        return
    plan = office.plans[company.slug, "ged"].plan_id
    body = {"reason": "purge annuelle des exercices 2015 à 2018, confirmée par Mme Moreau"}
    await office.ask("POST", f"/tenants/{company.tenant_id}/plans/{plan}/clear", body)


async def pause(office: Office, company: Company) -> None:
    """A machine is put away."""
    last = [plan for machine in company.machines for plan in machine.plans]
    until = (clock.now() + timedelta(days=150)).isoformat()
    body = {"until": until, "reason": "ancien serveur débranché, gardé jusqu’au printemps"}
    where = f"/plans/{office.find_plan(company, len(last) - 1)}/pause"
    await office.as_person(company.administrator, "POST", where, body)


async def damage(office: Office, company: Company) -> None:
    """Retention finds a pack damaged."""
    await _tell(
        office,
        StorageDamaged(
            tenant_id=company.tenant_id,
            damage_id=uuid4(),
            plan_id=office.plans[company.slug, "siège"].plan_id,
            pack_id="5d" * 32,
            missing=False,
            chunks=7,
            files=3,
            paths=("srv/siege/Adhérents/2025.ods", "srv/siege/Bureau/CR janvier.odt",
                   "srv/siege/Photos/fête d’été.jpg"),
            found_at=clock.now(),
        ),
    )  # fmt: skip


async def mend(office: Office, company: Company) -> None:
    """What was damaged came again with the next run."""
    mended = StorageMended(
        tenant_id=company.tenant_id, pack_id="5d" * 32, mended_at=clock.now()
    )  # fmt: skip
    await _tell(office, mended)


async def _tell(office: Office, event: StorageDamaged | StorageMended) -> None:
    async with database.transaction(office.house.pools["retention"]) as conn:
        await outbox.add(conn, event)
    await office.house.settle()


async def destroy(office: Office) -> None:
    """What is due to be destroyed is, as far as the hour lets it."""
    await office.house.turn_retention("destroy")


async def ask_for_help(office: Office, company: Company) -> None:
    """Somebody of a client doesn't understand a run."""
    plan, asker = office.find_plan(company), company.people[1]
    runs = await office.as_person(asker, "GET", f"/plans/{plan}/runs?limit=1")
    body = {"message": "This file has been skipped two nights in a row. Is it lost?"}
    await office.as_person(asker, "POST", f"/runs/{runs['runs'][0]['run_id']}/help", body)


async def browse(office: Office) -> None:
    """Who has files copied looks at them, and takes one back."""
    for company in office.companies:
        real = [plan for machine in company.machines for plan in machine.plans if plan.copied]
        for plan in real:
            person = company.people[-1]
            where = f"/plans/{office.plans[company.slug, plan.name].plan_id}"
            folder = quote(plan.folders[0].strip("/"))
            await office.as_person(person, "GET", f"{where}/entries?path={folder}")
            await office.as_person(person, "GET", "/search?q=facture")


async def reduce(office: Office, company: Company) -> None:
    """A folder's copies are dropped; for a week that can be taken back."""
    await office.house.turn_retention("count_fills")
    plan = next(plan for machine in company.machines for plan in machine.plans if plan.copied)
    folder = quote(f"{plan.folders[0].strip('/')}/Agence")
    plan_id = str(office.plans[company.slug, plan.name].plan_id)
    wish = {"what": "folder", "plan": plan_id, "folder": folder}
    await office.as_person(company.administrator, "POST", "/reductions", wish)
    await office.house.turn_retention("reduce")


async def accept_annex(office: Office) -> None:
    """A new annex is published; two of three clients have accepted it."""
    await publish(office, "data-processing", "2026-2", "Annexe sur les données personnelles")
    over = {"suspended", "ended", "destroyed"}
    for place, company in enumerate(office.companies):
        if place % 3 and company.story not in over:
            where = "/documents/data-processing/2026-2/accept"
            await office.as_person(company.administrator, "POST", where)


async def take_in_hand(office: Office) -> None:
    """The hotline takes up what it saw this morning."""
    token = await office.sign_in(HOTLINE.email)
    found = await office.ask("GET", "/incidents", token=token)
    for one in found["incidents"]:
        if one["cause"] == "failed" and not one["acknowledged_by"]:
            body = {"note": "client appelé, dossier renommé par un stagiaire : à corriger ce soir"}
            where = f"/incidents/{one['incident_id']}/acknowledge"
            await office.ask("POST", where, body, token=token)
            return


async def park(office: Office) -> None:
    """An event came to quota that it can't read."""
    now, pool = clock.now(), office.house.pools["quota"]
    arrival = table.Arrival(
        uuid4(), "volume.changed.v1", "/services/ingest", tenant_id=office.companies[0].tenant_id,
        payload='{"stored_bytes": "beaucoup"}', occurred_at=now, parked=True,
        error="1 validation error for VolumeChanged: stored_bytes: not a whole number",
    )  # fmt: skip
    async with database.transaction(pool) as conn:
        await table.insert(conn, [arrival], now)
        await parked.tell(conn, "quota")
    await office.house.settle()


async def announce(office: Office, days_ahead: int, kind: str) -> str:
    """An operator announces maintenance, or another place for the data; gives the notice's id."""
    begins = (clock.now() + timedelta(days=days_ahead)).replace(hour=21, minute=0)
    body: dict[str, Any] = {
        "kind": kind,
        "begins_at": begins.isoformat(),
        "ahead_days": days_ahead,
        "title": {"fr": "Maintenance du stockage", "en": "Maintenance of the storage"},
        "text": {
            "fr": "Les sauvegardes de cette nuit-là attendront la fin des travaux.",
            "en": "That night’s backups will wait for the end of the work.",
        },
    }
    if kind == "maintenance":
        body["ends_at"] = (begins + timedelta(hours=4)).isoformat()
    else:
        body |= {
            "title": {"fr": "Nouveau centre de données", "en": "New data centre"},
            "text": {
                "fr": "Vos sauvegardes seront conservées à Strasbourg au lieu de Roubaix.",
                "en": "Your backups will be kept in Strasbourg instead of Roubaix.",
            },
        }
    notice_id = str((await office.ask("POST", "/notices", body))["notice_id"])
    await office.ask("POST", f"/notices/{notice_id}/publish")
    return notice_id


async def close_month(office: Office) -> None:
    """The month before is over for the books."""
    first = clock.now().astimezone(PARIS).replace(day=1)
    token = await office.sign_in(SALES.email)
    month = f"{first - timedelta(days=1):%Y-%m}"
    await office.ask("POST", f"/billing/{month}/close", token=token)


def _announcing(days_ahead: int, kind: str) -> Act:
    return lambda office: announce(office, days_ahead, kind)


def _until(days: float) -> Callable[[datetime], str]:
    return lambda now: (now + timedelta(days=days)).isoformat()


def _end(reason: str) -> Callable[[datetime], dict[str, Any]]:
    return lambda _: {"reason": reason}


SCHEDULE: tuple[tuple[int, float, Act], ...] = (
    (70, 10.2, order("calm", seats=6)),
    (62, 9.5, order("ordered", storage_bytes=300 * GB)),
    (60, 9.8, _announcing(9, "maintenance")),
    (52, 11.0, operate("destroyed", "end", _end("cession du fonds de commerce"))),
    (46, 9.0, of_story("cleared", clear)),
    (38, 15.0, of_story("paused", pause)),
    (30, 10.0, accept_annex),
    (25, 11.0, operate("lapsing", "maintenance", lambda now: {
        "until": f"{now + timedelta(days=45):%Y-%m-%d}", "reason": "contrat annuel"})),
    (24, 9.0, _announcing(32, "location")),
    (22, 12.0, destroy),
    (22, 13.5, destroy),
    (20, 3.2, of_story("damaged", damage)),
    (19, 4.5, of_story("damaged", mend)),
    (15, 14.0, note("blocked", "Rappeler M. Marchand : il attend un devis pour 200 Go.")),
    (13, 16.0, operate("ended", "end", _end("cessation d’activité"))),
    (12, 10.5, operate("ending", "end", lambda now: {
        "reason": "fusion avec un autre éditeur", "at": _until(40)(now)})),
    (10, 9.3, answer("reminded", "reduce")),
    (9, 17.0, operate("suspended", "suspend", _end("facture de septembre impayée"))),
    (8, 11.5, operate("extended", "quota/extend", lambda now: {
        "until": _until(21)(now), "reason": "tri des photographies en cours"})),
    (7, 9.1, answer("to-be-called", "call")),
    (6, 10.0, browse),
    (4, 9.4, order("helped", storage_bytes=100 * GB)),
    (3, 10.0, _announcing(8, "maintenance")),
    (3, 15.5, of_story("heads-up", reduce)),
    (2, 8.6, take_in_hand),
    (1, 3.4, of_story("damaged", damage)),
    (1, 9.4, note("silent", "Réception fermée pour travaux ; le PC est peut-être éteint.")),
    (1, 17.3, browse),
    (1, 18.1, of_story("helped", ask_for_help)),
    (1, 19.2, park),
)  # fmt: skip
"""What people do, by days before the end and the hour in Paris; the later ones rest on earlier.

Nothing on the last day: whoever plays it at night has it all, too."""
