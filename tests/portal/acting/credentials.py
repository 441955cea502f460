"""What people are signed in with, tokens of programs, second factors."""

from __future__ import annotations

import re
import time
from typing import Any

import pyotp

from libs.shared import keys
from services.portal.rules import factors
from services.portal.rules.log import acts
from tests.portal.acting.world import Acting, World, own
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in

FACTORS, ZOE = "/account/second-factor", "zoe@dupre.example"
TOKEN = {"label": "dashboard", "scope": "all", "days": 1}


async def newest(world: World, kind: str) -> Any:
    """What the client's administrator got last of one kind."""
    return await world.portal.admin.fetchval(
        """SELECT credential_id FROM portal.credentials JOIN portal.users USING (user_id)
           WHERE kind = $1 AND email = $2 ORDER BY portal.credentials.created_at DESC LIMIT 1""",
        kind,
        world.client.email,
    )


async def end_by_page(world: World) -> Any:
    credential_id = str(await newest(world, "session"))
    return await world.send(world.page, "/account/sessions", credential_id=credential_id)


async def end_by_api(world: World) -> Any:
    return await world.api.delete(f"/api/v1/sessions/{await newest(world, 'token')}")


async def end_all(world: World) -> Any:
    async with world.portal.client(await world.portal.sign_in(ZOE)) as api:
        return await api.delete("/api/v1/sessions")


async def revoke(world: World) -> Any:
    made = await newest(world, "personal")
    return await world.api.delete(f"/api/v1/tokens/personal/{made}")


async def make_by_page(world: World) -> Any:
    values = {"label": "x", "scope": "read", "days": "30", "password": PASSWORD, "change": "make"}
    return await world.send(world.page, "/account/tokens", **values)


async def set_up(world: World) -> Any:
    async with browser(world.portal) as page:
        await sign_in(page, ZOE, PASSWORD)
        token = {"form_token": form_token((await page.get("/account")).text)}
        begin = {**token, "change": "begin-totp", "password": PASSWORD}
        begun = await page.post(FACTORS, data=begin)
        [secret] = re.findall(r'<code class="once">([A-Z2-7]+)</code>', begun.text)
        code = pyotp.TOTP(secret).now()
        return await page.post(FACTORS, data={**token, "change": "confirm-totp", "code": code})


async def second(world: World) -> Any:
    row = await world.portal.admin.fetchrow("SELECT user_id, sealed_secret FROM portal.totps")
    context = factors.seal_context(row["user_id"])
    secret = keys.open_text(world.portal.parts.mail_key, row["sealed_secret"], context)
    async with browser(world.portal) as page:
        await sign_in(page, ZOE, PASSWORD)
        code = pyotp.TOTP(secret).at(int(time.time()) + factors.STEP_SECONDS)
        return await page.post("/sign-in/second", data={"code": code})


ACTING: Acting = {
    ("POST", "/account/sessions"): (end_by_page, own(acts.SessionEnded)),
    ("DELETE", "/api/v1/sessions/{credential_id}"): (end_by_api, own(acts.SessionEnded)),
    ("DELETE", "/api/v1/sessions"): (
        end_all,
        own(acts.SignInRefused, acts.PasswordChanged, acts.SignedIn, acts.SignedOutEverywhere),
    ),
    ("POST", "/api/v1/tokens/personal"): (
        lambda w: w.api.post("/api/v1/tokens/personal", json=TOKEN),
        own(acts.TokenMade),
    ),
    ("DELETE", "/api/v1/tokens/personal/{credential_id}"): (revoke, own(acts.TokenRevoked)),
    ("POST", "/account/tokens"): (make_by_page, own(acts.TokenMade)),
    ("POST", "/account/second-factor"): (
        set_up,
        own(acts.SignedIn, acts.SecondFactorAdded),
    ),
    ("POST", "/sign-in/second"): (second, own(acts.SignedIn)),
}
