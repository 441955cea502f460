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
from libs.shared.words.tongue import Tongue
from tests.portal import builder
from tests.portal.browsing import (
    EACH_PAGE_ONCE,
    PageOf,
    Screen,
    check_page,
    check_shift,
    follow,
)
from tests.portal.conftest import OPERATOR_EMAIL, PASSWORD
from tests.portal.test_desk import opened

pytestmark = pytest.mark.asyncio(loop_scope="session")
PARKED = UUID(int=77)
HOTLINE, SALES = "hotline@provider.example", "sales@provider.example"
BAKERY, STUDY = "Boulangerie Dupré", "Étude Lefèvre & Associés"


@dataclass
class Provider:
    """A provider with a client that is well and one with all that operators look after.

    english: an administrator of its own people who reads English. Both administrators have a look
    at the files of the client that is well."""

    well: builder.Client
    ill: builder.Client
    notice_id: str
    english: str = "grace@provider.example"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def provider(stage: Any) -> AsyncIterator[Provider]:
    now, admin = clock.now(), stage.admin
    well = await builder.open_client(stage, "camille@dupre.example", BAKERY)
    ill = await builder.open_client(stage, "anne@lefevre.example", STUDY)
    await well.commit(
        {b"srv/devis.txt": builder.text(b"douze mille"), b"srv/a.bin": builder.text(b"\0")}
    )
    await well.commit({b"srv/devis.txt": builder.text(b"treize mille")}, 2)
    await well.add_run(1, started_at=now, finished_at=now)
    await ill.commit({b"srv/devis.txt": builder.text(b"douze mille")})
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
        for email, duty in (
            (found.english, "administrator"),
            (HOTLINE, "hotline"),
            (SALES, "sales"),
        ):
            person = {"name": email.partition("@")[0].title(), "email": email, "duty": duty}
            person["locale"] = "en" if email == found.english else "fr"
            made = (await api.post("/api/v1/operators", json=person)).json()
            change = {"email": email, "password": made["password"], "new_password": PASSWORD}
            async with stage.client() as own:
                assert (await own.post("/api/v1/password", json=change)).status_code == 204
        look = f"/api/v1/tenants/{well.tenant_id}/look", {"reason": "demandé par téléphone"}
        assert (await api.post(look[0], json=look[1])).is_success
    async with stage.client(await stage.sign_in(found.english, PASSWORD)) as api:
        assert (await api.post(look[0], json=look[1])).is_success
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
    await follow(missed.get_by_role("button", name="Reporter"))
    failed = page.locator("li.item.failed")
    told = await failed.inner_text()
    assert "Le dossier /srv/compta n’est plus là." in told
    assert "No such file" not in told, "what is foreign stands behind a summary"
    await follow(failed.get_by_role("link", name="documents"))
    assert await page.get_by_role("heading", level=1).inner_text() == "Sauvegarde n°\xa01"


async def test_ending_now_takes_the_client_s_name(provider: Provider, page_of: PageOf) -> None:
    page = await page_of(OPERATOR_EMAIL, 360)
    await page.goto(f"/clients/{provider.ill.tenant_id}/contract")
    await follow(page.get_by_role("link", name="Mettre fin à l’abonnement"))
    told = await page.locator("main").inner_text()
    assert "30 jours plus tard toutes les données sont détruites" in told
    now = page.locator("form.danger")
    await now.get_by_label("Pour confirmer").fill("Étude Lefèvre")
    await now.get_by_label("Motif").fill("résilié")
    await follow(now.get_by_role("button"))
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


async def test_each_duty_is_shown_what_it_may_do_and_refused_the_rest(
    provider: Provider, page_of: PageOf
) -> None:
    client = f"/clients/{provider.ill.tenant_id}"
    plan = f"{client}/plans/{provider.ill.plan_id}"
    # By duty: words of the menu, what the client's pages offer, and what nobody of it opens.
    seen = {
        HOTLINE: (
            {"À traiter", "Événements en attente"},
            {"Je m’en charge"},
            {"/billing/2026-10", "/prices"},
        ),
        SALES: ({"À traiter", "Facturation"}, {"Voir le prix"}, {"/parked"}),
    }
    for person, (menu, offered, shut) in seen.items():
        page = await page_of(person, 360 if person == HOTLINE else 1440)
        words, answers = "", {}
        for address in ("/queue", client, f"{client}/contract"):
            answer = await page.goto(address)
            assert answer is not None
            answers[address] = answer.status
            words += await page.locator("body").text_content() or ""
        assert set(answers.values()) == {200}, (person, answers)
        assert [word for word in (*menu, *offered) if word not in words] == [], person
        others = {
            word for of, told in seen.items() if of != person for part in told[:2] for word in part
        }
        never = {"Opérateurs", "Suspendre", "Mettre fin à l’abonnement", "Journal des accès"}
        assert [word for word in (others | never) - menu if word in words] == [], person
        for address in (
            *shut,
            "/operators",
            f"{client}/log",
            f"{plan}/files",
            f"{plan}/file?path=a",
        ):
            refused = await page.goto(address)
            assert refused is not None
            assert refused.status == 403, (person, address)
        await check_page(page)
        await page.goto("/account")
        token = await page.locator("[name=form_token]").first.get_attribute("value")
        form = {"form_token": token or "", "reason": "unpaid"}
        sent = await page.request.post(f"{client}/subscription/suspend", form=form)
        assert sent.status == 403, person


async def test_a_file_is_read_once_it_is_said_why(provider: Provider, page_of: PageOf) -> None:
    page = await page_of(OPERATOR_EMAIL, 360)
    file = f"/clients/{provider.ill.tenant_id}/plans/{provider.ill.plan_id}/file?path=srv/devis.txt"
    shut = await page.goto(file)
    assert shut is not None
    assert (shut.status, "douze" in await page.locator("main").inner_text()) == (403, False)
    await check_page(page)
    await page.get_by_label("Motif").fill("ticket 12")
    await page.get_by_role("button", name="Les ouvrir pour 24 heures").click()
    await page.wait_for_url(f"**{file}")
    assert "ticket 12" in await page.locator("main").inner_text()
    assert "douze mille" in await page.locator("pre.preview").inner_text()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Télécharger").click()
    assert (await download.value).suggested_filename == "devis.txt"


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
    await follow(page.get_by_role("button", name="Open a client"))
    assert "already has an account" in await page.locator("main").inner_text()
    assert await page.get_by_label("Name of the company").input_value() == "Café du Port"
    await check_page(page)
    await page.get_by_label("Mail address").fill("lea@port.example")
    await page.get_by_role("button", name="Open a client").click()
    await page.wait_for_url("**/clients/*-*")
    assert await page.get_by_role("heading", level=1).inner_text() == "Café du Port"


_SEEN = """() => {
    const scroll = document.querySelector(".scroll:has(.matrix)").getBoundingClientRect();
    const within = one => {
        const box = one.getBoundingClientRect();
        return box.left >= scroll.left && box.right <= scroll.right + 1;
    };
    const days = [...document.querySelectorAll(".matrix .day")];
    return [within(document.querySelector(".matrix tbody th")), days.map(within)];
}"""


@pytest.mark.parametrize("width", [360, 2560])
async def test_the_newest_days_are_seen_first_beside_their_clients(
    provider: Provider, page_of: PageOf, width: int
) -> None:
    today = clock.now().date()
    page = await page_of(OPERATOR_EMAIL, width)
    await page.goto("/clients/days")
    named, days = await page.evaluate(_SEEN)
    assert named
    assert days[-5:] == [True] * 5
    assert all(days) == (width > 1000)
    titles = page.locator(".matrix .day abbr")
    newest = await titles.last.get_attribute("title")
    begun = (today, today + timedelta(days=1))  # where clients live
    assert newest in map(Tongue("fr").calendar_day, begun)  # and is read last
    await check_shift(page)
    await check_page(page)


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
    "{ill}/plans/{plan}/files",
    "{well}/volume",
    "{well}/search",
    "{well}/search?q=e",
    "{well}/log",
    "{well}/plans/{wells}/files",
    "{well}/plans/{wells}/file?path=srv/devis.txt",
    "{well}/plans/{wells}/versions?path=srv/devis.txt",
    "{well}/plans/{wells}/changes?older=1&newer=2",
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


@pytest.mark.parametrize("screen", EACH_PAGE_ONCE)
async def test_every_page_passes_axe_and_is_no_wider_than_its_screen(
    provider: Provider, page_of: PageOf, screen: Screen
) -> None:
    reader = provider.english if screen.locale == "en-GB" else OPERATOR_EMAIL
    page = await page_of(reader, screen.width, screen.locale, dark=screen.dark)
    places = {
        "ill": f"/clients/{provider.ill.tenant_id}",
        "well": f"/clients/{provider.well.tenant_id}",
        "wells": provider.well.plan_id,
        "plan": provider.ill.plan_id,
        "agent": provider.ill.agent_id,
        "notice": provider.notice_id,
    }
    for address in screen.shows(ADDRESSES):
        answer = await page.goto(address.format(**places))
        assert answer is not None
        assert answer.status == 200, address
        await check_page(page)
