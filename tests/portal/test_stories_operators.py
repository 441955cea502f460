"""Stories of operators in a browser: the daily round, a client's life, every page by axe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from libs.shared import clock
from libs.shared.reasons import Reason
from tests.portal import builder
from tests.portal.browsing import PageOf, check_page
from tests.portal.conftest import OPERATOR_EMAIL, PASSWORD
from tests.portal.test_desk import opened

pytestmark = pytest.mark.asyncio(loop_scope="session")
PARKED = UUID(int=77)
BAKERY, STUDY = "Boulangerie Dupré", "Étude Lefèvre & Associés"


@dataclass
class Provider:
    """A provider with a client that is well and one with all that operators look after.

    english: an administrator of its own people who reads English."""

    well: builder.Client
    ill: builder.Client
    notice_id: str
    english: str = "grace@provider.example"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def provider(stage: Any) -> AsyncIterator[Provider]:
    now, admin = clock.now(), stage.admin
    well = await builder.open_client(stage, "camille@dupre.example", BAKERY)
    ill = await builder.open_client(stage, "anne@lefevre.example", STUDY)
    await well.add_run(1, started_at=now, finished_at=now)
    gone = Reason("folder-missing", "/srv/compta", detail="No such file").as_dict()
    await ill.add_run(1, "failed", reason=gone, started_at=now, finished_at=now)
    for cause in ("failed", "missed", "called"):
        await builder.hear(stage, opened(ill, cause))
    await admin.execute(
        """INSERT INTO portal.overages (case_id, tenant_id, version, is_open, opened_at, passed_at,
           deadline_at, final_at, fills) VALUES ($1, $2, 1, true, $3, $3, $4, $4, '[]')""",
        uuid4(), ill.tenant_id, now - timedelta(days=20), now + timedelta(days=10),
    )  # fmt: skip
    await admin.execute(
        """INSERT INTO portal.parked (service, event_id, tenant_id, event_type, error, attempts,
           parked_at) VALUES ('quota', $1, $2, 'volume.changed.v1', 'KeyError: 1', 12, now())""",
        PARKED, ill.tenant_id,
    )  # fmt: skip
    await admin.execute(
        """INSERT INTO portal.destructions (tenant_id, told, state, due_at, reasons)
           VALUES ($1, 1, 'waiting', $2, '[{"code": "still-sends"}]')""",
        well.tenant_id, now,
    )  # fmt: skip
    text = {"fr": "Nous changeons un routeur.", "en": "We change a router."}
    body = {"kind": "text", "title": {"fr": "Réseau", "en": "Network"}, "text": text}
    async with stage.operator() as api:
        drafted = await api.post("/api/v1/notices", json=body)
        label = {"label": "serveur neuf"}
        await api.post(f"/api/v1/tenants/{ill.tenant_id}/enrolments", json=label)
        found = Provider(well, ill, drafted.json()["notice_id"])
        person = {"name": "Grace", "email": found.english, "duty": "administrator", "locale": "en"}
        made = (await api.post("/api/v1/operators", json=person)).json()
    change = {"email": found.english, "password": made["password"], "new_password": PASSWORD}
    async with stage.client() as api:
        assert (await api.post("/api/v1/password", json=change)).status_code == 204
    yield found


async def test_the_daily_round_goes_without_scripts_and_by_keyboard(
    provider: Provider, page_of: PageOf
) -> None:
    page = await page_of(OPERATOR_EMAIL, 1440, scripts=False)
    await page.goto("/")
    assert page.url.endswith("/queue")
    first = page.locator("li.item").first
    assert "Demande de rappel" in await first.inner_text()
    await first.get_by_role("button", name="Je m’en charge").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/queue?#i-*")
    in_hand = page.get_by_text("1 pris en charge ou reporté")
    await in_hand.click()
    assert "s’en charge." in await page.locator("details.in-hand").inner_text()
    missed = page.locator("li.item.missed")
    await missed.get_by_text("Reporter").first.focus()
    await page.keyboard.press("Enter")
    await missed.get_by_label("Jusqu’au").select_option("7")
    await missed.get_by_role("button", name="Reporter").click()
    failed = page.locator("li.item.failed")
    told = await failed.inner_text()
    assert "Le dossier /srv/compta n’est plus là." in told
    assert "No such file" not in told, "what is foreign stands behind a summary"
    await failed.get_by_role("link", name="documents").click()
    assert await page.get_by_role("heading", level=1).inner_text() == "Sauvegarde n°\xa01"


async def test_ending_now_takes_the_client_s_name(provider: Provider, page_of: PageOf) -> None:
    page = await page_of(OPERATOR_EMAIL, 360)
    await page.goto(f"/clients/{provider.ill.tenant_id}/contract")
    await page.get_by_role("link", name="Mettre fin à l’abonnement").click()
    told = await page.locator("main").inner_text()
    assert "30 jours plus tard toutes les données sont détruites" in told
    now = page.locator("form.danger")
    await now.get_by_label("Pour confirmer").fill("Étude Lefèvre")
    await now.get_by_label("Motif").fill("résilié")
    await now.get_by_role("button").click()
    assert "Tapez le nom du client" in await page.get_by_role("alert").inner_text()
    await check_page(page)
    end = page.locator("form.form").first
    await end.get_by_label("Motif").fill("résilié par courrier")
    await end.get_by_role("button", name="Annoncer la fin").click()
    await page.wait_for_url("**/contract")
    assert "L’abonnement prend fin le" in await page.locator("main").inner_text()
    await page.get_by_role("link", name="Reprendre").click()
    await page.get_by_label("Motif").fill("reste")
    await page.get_by_role("button", name="Reprendre").click()
    await page.wait_for_url("**/contract")


async def test_a_client_is_opened_by_a_form_that_keeps_what_was_typed(
    provider: Provider, page_of: PageOf
) -> None:
    page = await page_of(provider.english, 1440, "en-GB")
    await page.goto("/clients/new")
    for label, text in (
        ("Name of the company", "Café du Port"),
        ("Contracted volume, in GB", "500"),
        ("Name", "Léa"),
        ("Mail address", "camille@dupre.example"),
    ):
        await page.get_by_label(label, exact=True).fill(text)
    await page.get_by_role("button", name="Open a client").click()
    assert "already has an account" in await page.locator("main").inner_text()
    assert await page.get_by_label("Name of the company").input_value() == "Café du Port"
    await check_page(page)
    await page.get_by_label("Mail address").fill("lea@port.example")
    await page.get_by_role("button", name="Open a client").click()
    await page.wait_for_url("**/clients/*-*")
    assert await page.get_by_role("heading", level=1).inner_text() == "Café du Port"


ADDRESSES = (
    "/queue",
    "/clients",
    "/clients/days",
    "/clients/new",
    "{ill}",
    "{ill}/plans/{plan}",
    "{ill}/plans/{plan}/runs/1",
    "{ill}/contract",
    "{ill}/terms",
    "{ill}/orders/preview?storage_gb=2000",
    "{ill}/agents/{agent}/revoke",
    "/overages",
    "/notices",
    "/notices/new",
    "/notices/{notice}",
    "/billing/2026-10",
    "/prices",
    "/parked",
    f"/parked/quota/{PARKED}",
    "/destructions",
    "/operators",
)


@pytest.mark.parametrize(
    ("width", "locale", "dark", "turn"),
    [(360, "fr-FR", True, 0), (1440, "en-GB", False, 1)],
)
async def test_every_page_passes_axe_and_is_no_wider_than_its_screen(
    provider: Provider, page_of: PageOf, width: int, locale: str, dark: bool, turn: int
) -> None:
    """Every other page at each width; the four that are used most at both."""
    reader = provider.english if locale == "en-GB" else OPERATOR_EMAIL
    page = await page_of(reader, width, locale, dark=dark)
    places = {
        "ill": f"/clients/{provider.ill.tenant_id}",
        "plan": provider.ill.plan_id,
        "agent": provider.ill.agent_id,
        "notice": provider.notice_id,
    }
    for number, address in enumerate(ADDRESSES):
        if number % 2 == turn or address in ("/queue", "/clients", "{ill}", "{ill}/contract"):
            answer = await page.goto(address.format(**places))
            assert answer is not None
            assert answer.status == 200, address
            await check_page(page)
