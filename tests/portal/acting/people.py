"""Accounts of a client's people, passwords, signing in."""

from __future__ import annotations

from typing import Any

import pyotp

from libs.shared import clock
from services.portal.rules.log import acts
from tests.portal.acting.world import (
    Acting,
    World,
    own,
)
from tests.portal.test_pages import PASSWORD, sign_in

UGO = "ugo@dupre.example"
FACTORS = "/api/v1/second-factors"
AGAIN = {"password": PASSWORD}


async def ugo(world: World) -> Any:
    return await world.portal.admin.fetchval(
        "SELECT user_id FROM portal.users WHERE email = $1", UGO
    )


async def change_user(world: World, method: str, **more: Any) -> Any:
    return await world.api.request(method, f"/api/v1/users/{await ugo(world)}", **more)


async def reset_user(world: World) -> Any:
    return await world.api.post(f"/api/v1/users/{await ugo(world)}/reset")


async def sign_out_user(world: World) -> Any:
    return await world.api.post(f"/api/v1/users/{await ugo(world)}/sign-out")


async def forget_factors(world: World) -> Any:
    return await world.api.delete(f"/api/v1/users/{await ugo(world)}/second-factors")


async def view_user(world: World) -> Any:
    return await world.get(world.page, f"/people/{await ugo(world)}")


async def save_user(world: World) -> Any:
    values = {"name": "Hugo", "role": "user", "locale": "en", "change": "save"}
    return await world.send(world.page, f"/people/{await ugo(world)}", **values)


async def confirm_totp(world: World) -> Any:
    setup = (await world.api.post(FACTORS + "/totp", json=AGAIN)).json()
    code = pyotp.TOTP(setup["secret"]).at(clock.now())
    return await world.api.post(FACTORS + "/totp/confirm", json={"code": code})


def new_password(world: World) -> dict[str, str]:
    return {"email": world.other, "password": PASSWORD, "new_password": PASSWORD + "!"}


ACTING: Acting = {
    ("GET", "/api/v1/users"): (lambda w: w.get(w.api, "/api/v1/users"), own(acts.UsersListed)),
    ("POST", "/api/v1/users"): (
        lambda w: w.api.post("/api/v1/users", json={"name": "Ugo", "email": UGO}),
        own(acts.UserOpened),
    ),
    ("PATCH", "/api/v1/users/{user_id}"): (
        lambda w: change_user(w, "PATCH", json={"name": "Hugo"}),
        own(acts.UserChanged),
    ),
    ("POST", "/api/v1/users/{user_id}/reset"): (
        reset_user,
        own(acts.PasswordReset),
    ),
    ("POST", "/api/v1/users/{user_id}/sign-out"): (
        sign_out_user,
        own(acts.UserSignedOut),
    ),
    ("DELETE", "/api/v1/users/{user_id}/second-factors"): (
        forget_factors,
        own(acts.SecondFactorsForgotten),
    ),
    ("GET", "/api/v1/log"): (lambda w: w.get(w.api, "/api/v1/log"), own(acts.LogViewed)),
    ("GET", "/api/v1/log/export"): (
        lambda w: w.get(w.api, "/api/v1/log/export"),
        own(acts.LogExported),
    ),
    ("PUT", "/api/v1/language"): (
        lambda w: w.api.put("/api/v1/language", json={"locale": "fr"}),
        own(acts.LanguageChosen),
    ),
    ("POST", FACTORS + "/totp"): (
        lambda w: w.api.post(FACTORS + "/totp", json=AGAIN),
        [],
    ),
    ("POST", FACTORS + "/totp/confirm"): (confirm_totp, own(acts.SecondFactorAdded)),
    ("POST", FACTORS + "/recovery-codes"): (
        lambda w: w.api.post(FACTORS + "/recovery-codes", json=AGAIN),
        own(acts.RecoveryCodesMade),
    ),
    ("POST", FACTORS + "/remove"): (
        lambda w: w.api.post(FACTORS + "/remove", json=AGAIN),
        own(acts.SecondFactorRemoved),
    ),
    ("GET", "/log"): (lambda w: w.get(w.page, "/log"), own(acts.LogViewed)),
    ("GET", "/log/export"): (lambda w: w.get(w.page, "/log/export"), own(acts.LogExported)),
    ("GET", "/people"): (lambda w: w.get(w.page, "/people"), own(acts.UsersListed)),
    ("GET", "/people/{user_id}"): (view_user, own(acts.UsersListed)),
    ("POST", "/people/{user_id}"): (save_user, own(acts.UserChanged)),
    ("POST", "/people"): (
        lambda w: w.send(
            w.page, "/people", name="Zoé", email="zoe@dupre.example", role="user", locale="fr"
        ),
        own(acts.UserOpened),
    ),
    ("POST", "/forgotten"): (
        lambda w: w.visitor.post("/forgotten", data={"email": w.client.email}),
        own(acts.PasswordForgotten),
    ),
    ("POST", "/api/v1/password/forgotten"): (
        lambda w: w.program.post("/api/v1/password/forgotten", json={"email": w.other}),
        [("another", acts.PasswordForgotten)],
    ),
    ("DELETE", "/api/v1/users/{user_id}"): (
        lambda w: change_user(w, "DELETE"),
        own(acts.UserClosed),
    ),
    ("POST", "/account"): (
        lambda w: w.send(w.page, "/account", locale="en"),
        own(acts.LanguageChosen),
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
    ("POST", "/api/v1/password"): (
        lambda w: w.program.post("/api/v1/password", json=new_password(w)),
        [("another", acts.PasswordChanged)],
    ),
    ("POST", "/api/v1/administrators/reset"): (
        lambda w: w.operator.post("/api/v1/administrators/reset", json={"email": w.other}),
        [("another", acts.PasswordReset)],
    ),
}
