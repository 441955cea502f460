"""Who has an account, by page: let in, renamed, given a new password, closed, forgotten."""

from __future__ import annotations

import asyncio
import html
from datetime import timedelta
from typing import Any

from services.portal.rules import guesses
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, PASSWORD
from tests.portal.test_pages import browser, form_token, sign_in

CAMILLE, UGO = "camille@dupre.example", "ugo@dupre.example"
UGO_TYPED = {"name": "Ugo Petit", "email": UGO, "role": "user", "locale": "fr"}


async def open_people(page: Any, email: str = CAMILLE) -> dict[str, str]:
    """Signs in; the token that forms carry."""
    assert (await sign_in(page, email, PASSWORD)).status_code == 303
    return {"form_token": form_token((await page.get("/account")).text)}


async def find_user(portal: Any, email: str) -> str:
    found = await portal.admin.fetchval("SELECT user_id FROM portal.users WHERE email = $1", email)
    return f"/people/{found}"


async def forgotten(portal: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = await portal.events("password.forgotten.v1")
    return events


async def test_an_administrator_lets_somebody_in_by_page_and_out_again(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page, browser(portal) as his:
        token = await open_people(page)
        before = html.unescape((await page.get("/people")).text)
        assert "1 siège sur 3 de votre contrat est occupé" in before
        assert "Un siège de plus" in before
        assert "€" in before, "the price comes before the order"
        opened = await page.post("/people", data={**token, **UGO_TYPED})
        assert opened.headers["location"] == "/people?done=opened"
        await portal.sign_in(UGO)
        assert (await sign_in(his, UGO, PASSWORD)).status_code == 303
        assert (await his.get("/people")).status_code == 403
        address = await find_user(portal, UGO)
        change = {**token, "name": "Ugo Grand", "role": "user", "locale": "en", "change": "save"}
        assert (await page.post(address, data=change)).status_code == 303
        assert "Sign out" in (await his.get("/account")).text, "his pages are English now"
        again = await page.post("/people", data={**token, **UGO_TYPED, "name": "<i>Two"})
        assert again.status_code == 409
        assert "a déjà un compte" in html.unescape(again.text)
        assert "&lt;i&gt;Two" in again.text, "what was typed is still there"
        for typed, said in (({"name": " "}, "manque un nom"), ({"email": "ugo@"}, "adresse")):
            wrong = await page.post("/people", data={**token, **UGO_TYPED, **typed})
            assert (wrong.status_code, said in html.unescape(wrong.text)) == (422, True)
        closed = await page.post(address, data={**token, "change": "close"})
        assert closed.headers["location"] == "/people?done=closed"
        assert (await his.get("/account")).headers["location"].startswith("/sign-in")


async def test_a_new_password_ends_the_old_one_and_all_sign_ins(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page, browser(portal) as his:
        token = await open_people(page)
        await page.post("/people", data={**token, **UGO_TYPED})
        await portal.sign_in(UGO)
        await sign_in(his, UGO, PASSWORD)
        address = await find_user(portal, UGO)
        reset = await page.post(address, data={**token, "change": "reset"})
        assert reset.headers["location"] == "/people?done=reset"
        assert (await his.get("/account")).headers["location"].startswith("/sign-in")
        assert (await sign_in(his, UGO, PASSWORD)).status_code == 401
        asked = await sign_in(his, UGO, await portal.one_time_password(UGO))
        assert "ne sert qu’une fois" in asked.text
        chosen = {"first": "yes", "email": UGO, "password": await portal.one_time_password(UGO)}
        new = "quatre chevaux sans selle"
        done = await his.post("/password", data={**chosen, "new_password": new, "repeated": new})
        home = await his.get(done.headers["location"])
        assert "Votre mot de passe est enregistré" in home.text
        own = await page.post(await find_user(portal, CAMILLE), data={**token, "change": "reset"})
        assert (own.status_code, "prestataire" in own.text) == (403, True)


async def test_two_administrators_who_click_at_once_both_get_an_answer(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page, browser(portal) as other:
        token = await open_people(page)
        await page.post("/people", data={**token, **UGO_TYPED, "role": "administrator"})
        await portal.sign_in(UGO)
        theirs = await open_people(other, UGO)
        await page.post("/people", data={**token, **UGO_TYPED, "email": "zoe@dupre.example"})
        address = await find_user(portal, "zoe@dupre.example")
        answers = await asyncio.gather(
            page.post(address, data={**token, "change": "close"}),
            other.post(address, data={**theirs, "change": "close"}),
        )
        led_to = sorted(one.headers["location"] for one in answers)
        assert led_to == ["/people?done=closed", "/people?done=gone"]
        assert "déjà fermé" in (await page.get("/people?done=gone")).text
        # Each closes the other: one of them stays, for somebody must.
        both = await asyncio.gather(
            page.post(await find_user(portal, UGO), data={**token, "change": "close"}),
            other.post(await find_user(portal, CAMILLE), data={**theirs, "change": "close"}),
        )
        left = await portal.admin.fetch(
            "SELECT email FROM portal.users WHERE role = 'administrator'"
        )
        assert len(left) == 1, [one.text for one in both]


async def test_who_forgot_gets_one_answer_and_those_who_can_help_a_mail(portal: Any) -> None:
    await builder.open_client(portal)
    async with browser(portal) as page, browser(portal) as visitor:
        token = await open_people(page)
        await page.post("/people", data={**token, **UGO_TYPED})
        assert "/forgotten" in (await visitor.get("/sign-in")).text
        emails = (UGO, CAMILLE, "nobody@x.example", OPERATOR_EMAIL, "\0", "")
        answers = [await visitor.post("/forgotten", data={"email": email}) for email in emails]
        assert {(one.status_code, one.text) for one in answers} == {(200, answers[0].text)}
        assert "sont prévenus" in answers[0].text
        told = await forgotten(portal)
        assert [(one["email"], one["is_administrator"]) for one in told] == [
            (UGO, False),
            (CAMILLE, True),
        ]
        for _ in range(4):
            again = await visitor.post("/forgotten", data={"email": UGO.upper()})
            assert again.text == answers[0].text
        assert len(await forgotten(portal)) == 3, "two a day of one account, then silence"


def test_two_mails_a_day_say_that_a_password_was_forgotten() -> None:
    tally, begun, told = guesses.GuessTally(0, builder.NOW), builder.NOW, []
    for minutes in range(0, 4 * 24 * 60, 10):
        now = begun + timedelta(minutes=minutes)
        if now - tally.counted_at >= guesses.MEMORY:
            tally = guesses.GuessTally(0, now)
        if not guesses.FORGOTTEN.find_wait(tally, now):
            tally = guesses.FORGOTTEN.count(tally, now)
            told.append(now)
    for one in told:
        assert sum(one <= other < one + timedelta(days=1) for other in told) <= 2
    assert len(told) == 8


async def test_the_language_is_chosen_before_anybody_signs_in(portal: Any) -> None:
    async with browser(portal) as page:
        door = await page.get("/sign-in?next=/orders")
        assert 'lang="fr"' in door.text
        assert "English" in door.text
        led = await page.get("/language/en?next=/sign-in%3Fnext%3D/orders")
        assert led.headers["location"] == "/sign-in?next=/orders"
        assert "Forgotten your password?" in (await page.get("/sign-in")).text
        assert (await page.get("/language/de")).status_code == 422
        away = await page.get("/language/fr?next=//evil.example")
        assert away.headers["location"] == "/"
