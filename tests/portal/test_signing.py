"""Signing in tells and gives nothing; what was handed out can be taken back."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Any

import argon2

from services.portal.actions.people import signing
from services.portal.actions.people.passwords import Passwords
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, open_portal
from tests.world.files import write_secret

EMAIL = "camille@dupre.example"
PASSWORD = "la pluie tombe sur Nantes"


async def tokens(portal: Any, email: str, password: str) -> Any:
    async with portal.client() as api:
        return await api.post("/api/v1/tokens", json={"email": email, "password": password})


async def change(portal: Any, password: str, new: str) -> Any:
    async with portal.client() as api:
        return await api.post(
            "/api/v1/password", json={"email": EMAIL, "password": password, "new_password": new}
        )


async def test_the_first_password_must_be_changed(portal: Any) -> None:
    tenant_id = await portal.open_tenant("Dupré", EMAIL)
    one_time = await portal.one_time_password(EMAIL)

    early = await tokens(portal, EMAIL, one_time)
    assert early.status_code == 403
    assert early.json()["type"] == "urn:coffre:problem:password-change-required"
    for weak in ("short", one_time, EMAIL, "x" * 2000, "Dupré Dupré 2026"):
        refused = await change(portal, one_time, weak)
        assert refused.status_code == 422
        assert refused.json()["type"] == "urn:coffre:problem:password-too-weak"
    assert (await change(portal, "wrong password", PASSWORD)).status_code == 401
    assert (await change(portal, one_time, PASSWORD)).status_code == 204
    assert (await change(portal, one_time, "another long one")).status_code == 401
    assert (await tokens(portal, EMAIL, one_time)).status_code == 401

    signed = await tokens(portal, EMAIL.upper(), PASSWORD)
    assert signed.status_code == 201
    assert signed.json()["role"] == "administrator"
    assert signed.json()["tenant_id"] == tenant_id


async def test_a_one_time_password_lasts_a_day(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    one_time = await portal.one_time_password(EMAIL)
    [issued] = await portal.events("password.issued.v1")
    life = await portal.admin.fetchval(
        "SELECT password_expires_at - created_at FROM portal.users WHERE email = $1", EMAIL
    )
    assert life.total_seconds() == 24 * 3600
    assert issued["expires_at"]
    await portal.admin.execute(
        "UPDATE portal.users SET password_expires_at = password_expires_at - interval '25 hours'"
        " WHERE one_time"
    )
    assert (await tokens(portal, EMAIL, one_time)).status_code == 401
    assert (await change(portal, one_time, PASSWORD)).status_code == 401


async def test_unknown_and_wrong_get_the_same_answer(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    await portal.sign_in(EMAIL)
    wrong = await tokens(portal, EMAIL, "not the password")
    unknown = await tokens(portal, "nobody@dupre.example", "not the password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    odd = await tokens(portal, "x\0y' OR 1=1 --", "p" * 4000)
    assert odd.status_code in (401, 422)


async def test_unknown_and_wrong_take_the_same_time() -> None:
    passwords = Passwords()
    stored = await passwords.hash(PASSWORD)

    async def seconds(known: str | None) -> float:
        begun = time.process_time()  # the machine has other things to do
        assert not await passwords.is_right(known, "not the password")
        return time.process_time() - begun

    pairs = [(await seconds(stored), await seconds(None)) for _ in range(7)]
    # The least disturbed of each tells.
    known = min(pair[0] for pair in pairs)
    unknown = min(pair[1] for pair in pairs)
    assert 0.6 < known / unknown < 1.7
    assert stored.startswith("$argon2id$")


async def test_who_hashes_steps_back_for_pages() -> None:
    seen: list[int] = []

    class Noting(argon2.PasswordHasher):
        def hash(self, *_: Any, **_more: Any) -> str:
            seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return "hashed"

    await Passwords(hasher=Noting()).hash(PASSWORD)
    here, there = seen
    assert there == min(here + 10, 19)


async def test_guesses_are_counted_and_then_refused(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    await portal.sign_in(EMAIL)
    await portal.admin.execute("DELETE FROM portal.throttles")
    for _ in range(12):  # what is right costs nothing
        assert (await tokens(portal, EMAIL, PASSWORD)).status_code == 201
    await portal.admin.execute("DELETE FROM portal.known_sources")
    answers = [await tokens(portal, EMAIL, f"guess {n}") for n in range(7)]
    assert [a.status_code for a in answers] == [401] * 5 + [429] * 2
    assert 0 < int(answers[-1].headers["retry-after"]) <= 30
    # Where nobody was known, even the right one must wait, or the answer would tell.
    assert (await tokens(portal, EMAIL, PASSWORD)).status_code == 429
    unknown = [await tokens(portal, "nobody@x.example", f"guess {n}") for n in range(6)]
    assert [a.status_code for a in unknown] == [401] * 5 + [429]
    await portal.admin.execute(
        "UPDATE portal.throttles SET counted_at = counted_at - interval '31 seconds'"
    )
    assert (await tokens(portal, EMAIL, PASSWORD)).status_code == 201


async def test_an_address_can_not_go_through_the_accounts(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    statuses = [
        (await tokens(portal, f"user{n}@x.example", "guess")).status_code for n in range(104)
    ]
    assert statuses[:100] == [401] * 100
    assert statuses[-1] == 429


async def test_a_token_dies_at_once(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    token = await portal.sign_in(EMAIL)
    other = await portal.sign_in(EMAIL)
    third = await portal.sign_in(EMAIL)

    async def status(used: str) -> int:
        async with portal.client(used) as api:
            return int((await api.get("/api/v1/plans")).status_code)

    assert await status(token) == 200
    async with portal.client(token) as api:
        assert (await api.delete("/api/v1/tokens")).status_code == 204
    assert await status(token) == 401
    assert await status(other) == 200
    await portal.admin.execute(
        "UPDATE portal.credentials SET expires_at = now() - interval '1 second'"
        " WHERE token_sha256 = sha256($1)",
        third.encode(),
    )
    assert await status(third) == 401
    assert (await change(portal, PASSWORD, "quite another password")).status_code == 204
    assert await status(other) == 401


async def test_nothing_kept_opens_a_door(portal: Any) -> None:
    await portal.open_tenant("Dupré", EMAIL)
    token = await portal.sign_in(EMAIL)
    kept = await portal.admin.fetchval(
        "SELECT string_agg(t, ' ') FROM (SELECT c::text AS t FROM portal.credentials c"
        " UNION ALL SELECT u::text FROM portal.users u) AS rows"
    )
    assert token not in kept
    assert PASSWORD not in kept


async def test_the_installation_token_can_be_replaced(portal: Any, tmp_path: Path) -> None:
    write_secret(tmp_path / "other", "another token of the operator")
    for _ in range(2):
        await signing.bootstrap_operator(
            portal.parts.pool, portal.parts.passwords, email="second@provider.example",
            password_file=tmp_path / "password", token_file=tmp_path / "other",
        )  # fmt: skip
    async with portal.operator() as api:
        assert (await api.get("/api/v1/tenants")).status_code == 401
    async with portal.client("another token of the operator") as api:
        assert (await api.get("/api/v1/tenants")).status_code == 200
    assert await portal.admin.fetchval("SELECT count(*) FROM portal.users") == 1
    signed = await tokens(portal, "operator@provider.example", "operator-password-of-tests")
    assert signed.status_code == 201
    assert signed.json()["role"] == "operator"
    async with portal.client(signed.json()["token"]) as api:
        assert (await api.get("/api/v1/plans")).status_code == 403


async def test_a_password_that_was_just_replaced_opens_nothing(
    database: Any, servers: Any, bucket: str, tmp_path: Path
) -> None:
    has_begun, goes_on = threading.Event(), threading.Event()

    class Held(argon2.PasswordHasher):
        def verify(self, *given: Any) -> Any:
            has_begun.set()
            goes_on.wait(60)
            return super().verify(*given)

    held = Held(1, 8, 1)
    async with open_portal(database, servers, bucket, tmp_path, hasher=held) as portal:
        signing_in = asyncio.create_task(tokens(portal, OPERATOR_EMAIL, OPERATOR_PASSWORD))
        assert await asyncio.to_thread(has_begun.wait, 60)
        # It is being compared; meanwhile somebody else sets another and ends all sign-ins.
        hashed = argon2.PasswordHasher(1, 8, 1).hash("quite another password")
        await portal.admin.execute("UPDATE portal.users SET password_hash = $1", hashed)
        await portal.admin.execute("DELETE FROM portal.credentials")
        goes_on.set()
        assert (await signing_in).status_code == 401
        assert await portal.admin.fetchval("SELECT count(*) FROM portal.credentials") == 0
