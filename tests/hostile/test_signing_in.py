"""Guesses at passwords are few, whoever makes them from wherever, and shut out no owner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import argon2
import httpx2
import pytest
import time_machine

from tests.hostile.counting import Campaign
from tests.portal.conftest import PASSWORD, Portal, open_portal

EMAIL = "camille@dupre.example"
OWNER = "198.51.100.7"
ELSEWHERE = "198.51.100.200"
PROXIES = [ip_network("127.0.0.0/8")]


@pytest.fixture
async def door(database: Any, servers: Any, bucket: str, tmp_path: Path) -> AsyncIterator[Portal]:
    """A portal behind a proxy that it trusts, which runs on the same machine."""
    proxies = [ip_network("127.0.0.0/8")]
    async with open_portal(database, servers, bucket, tmp_path, trusted_proxies=proxies) as portal:
        await portal.open_tenant("Dupré", EMAIL)
        await sign_in(portal, OWNER)
        await portal.admin.execute("DELETE FROM portal.throttles")
        yield portal


async def ask(
    portal: Portal, address: str, password: str = "a guess", email: str = EMAIL
) -> tuple[int, int]:
    """(status, seconds to wait) of a program's sign-in that comes from an address."""
    async with portal.client(headers={"X-Forwarded-For": address}) as api:
        answer = await api.post("/api/v1/tokens", json={"email": email, "password": password})
    return answer.status_code, int(answer.headers.get("retry-after", "0"))


async def sign_in(portal: Portal, address: str, cookies: Any = None) -> Any:
    """The owner's browser signs in, for the first time where needed; gives its answer."""
    headers = {"X-Forwarded-For": address, "Accept": "text/html"}
    async with portal.client(headers=headers, cookies=cookies) as page:
        fields = {"email": EMAIL, "password": PASSWORD}
        answer = await page.post("/sign-in", data=fields)
        if answer.status_code == 401:
            first = await portal.one_time_password(EMAIL)
            fields = {"first": "yes", "email": EMAIL, "password": first}
            answer = await page.post(
                "/password", data={**fields, "new_password": PASSWORD, "repeated": PASSWORD}
            )
    return answer


async def test_a_hundred_guesses_from_behind_the_proxy_shut_nobody_else_out(
    door: Portal, campaign: Campaign
) -> None:
    answers = [await ask(door, "203.0.113.9", email=f"user{n}@x.example") for n in range(130)]
    campaign.tried("guesses at passwords", len(answers))
    assert [status for status, _ in answers[:100]] == [401] * 100
    assert {status for status, _ in answers[102:]} == {429}
    assert await ask(door, ELSEWHERE, PASSWORD) == (201, 0)
    # What a client writes into the header itself stands before what the proxy adds.
    for n in range(8):
        assert (await ask(door, f"192.0.2.{n}, 203.0.113.9"))[0] == 429
    async with door.client(
        headers={"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=1.2.3.4"}
    ) as api:
        await api.post("/api/v1/tokens", json={"email": EMAIL, "password": "a guess"})
    told = {
        row["address"] for row in await door.admin.fetch("SELECT address FROM portal.access_log")
    }
    assert told == {"", "127.0.0.1", OWNER, ELSEWHERE, "203.0.113.9"}


async def test_a_known_browser_passes_where_all_share_one_address(
    database: Any, servers: Any, bucket: str, tmp_path: Path, campaign: Campaign
) -> None:
    async with open_portal(database, servers, bucket, tmp_path) as portal:  # trusts no proxy
        await portal.open_tenant("Dupré", EMAIL)
        cookies = (await sign_in(portal, OWNER)).cookies
        answers = [await ask(portal, OWNER, email=f"user{n}@x.example") for n in range(130)]
        campaign.tried("guesses at passwords", len(answers))
        assert answers[-1][0] == 429
        assert (await sign_in(portal, OWNER, cookies)).status_code == 303
        assert (await sign_in(portal, OWNER)).status_code == 429


async def test_guesses_do_not_shut_the_owner_out(door: Portal, campaign: Campaign) -> None:
    cookies = (await sign_in(door, OWNER)).cookies
    attack = [await ask(door, f"203.0.113.{n}") for n in range(40)]
    campaign.tried("guesses at passwords", len(attack))
    assert [status for status, _ in attack] == [401] * 5 + [429] * 35
    # Known by the browser, wherever it is; known by the address, whatever asks.
    assert (await sign_in(door, ELSEWHERE, cookies)).status_code == 303
    assert await ask(door, OWNER, PASSWORD) == (201, 0)
    # Not known by anything: even who is right must wait, or the answer would tell.
    status, seconds = await ask(door, "192.0.2.1", PASSWORD)
    assert status == 429
    assert 0 < seconds <= 30
    # The browser of somebody else, or one that never was, is no stranger's help.
    for made_up in ("", "x" * 43, cookies["coffre"]):
        stranger = await sign_in(door, "192.0.2.2", {"coffre-device": made_up})
        assert stranger.status_code == 429


async def test_a_known_address_gets_the_answers_of_a_stranger(door: Portal) -> None:
    nobody = "nobody@dupre.example"
    seen = {
        (address, email): [(await ask(door, address, email=email))[0] for _ in range(8)]
        for address in (OWNER, "192.0.2.1")
        for email in (EMAIL, nobody)
    }
    assert seen[OWNER, EMAIL] == seen[OWNER, nobody] == [401] * 5 + [429] * 3
    assert seen["192.0.2.1", EMAIL] == seen["192.0.2.1", nobody] == [429] * 8
    assert await ask(door, OWNER, PASSWORD) == (201, 0)


async def test_the_guesses_of_a_known_address_are_few_as_well(door: Portal) -> None:
    for n in range(60):
        await ask(door, OWNER, f"a guess {n}")
    assert (await ask(door, OWNER, PASSWORD))[0] == 429


async def test_a_one_time_password_opens_what_others_have_shut(door: Portal) -> None:
    async with door.operator() as api:
        await api.post("/api/v1/administrators/reset", json={"email": EMAIL})
    one_time = await door.one_time_password(EMAIL)
    await door.admin.execute("DELETE FROM portal.known_sources")
    for n in range(20):
        assert (await ask(door, f"203.0.113.{n}"))[0] == (401 if n < 5 else 429)
    fields = {"first": "yes", "email": EMAIL, "password": one_time}
    chosen = "quatre chats bleus sur un toit"
    async with door.client(headers={"X-Forwarded-For": ELSEWHERE}) as page:
        answer = await page.post(
            "/password", data={**fields, "new_password": chosen, "repeated": chosen}
        )
        assert answer.status_code == 303
        assert "coffre-device" in page.cookies


async def test_whoever_has_a_network_of_ipv6_has_one_address(
    door: Portal, campaign: Campaign
) -> None:
    answers = [
        await ask(door, f"2001:db8:1:2:{n:x}::{n:x}", email=f"user{n}@x.example")
        for n in range(110)
    ]
    campaign.tried("guesses at passwords", len(answers))
    assert answers[-1][0] == 429
    assert (await ask(door, "2001:db8:1:3::1", email="user@x.example"))[0] == 401


async def test_guesses_are_few_however_long_somebody_guesses(
    door: Portal, campaign: Campaign
) -> None:
    """Each time from an address that nobody knows, as soon as the answers allow."""
    moment = begin = datetime.now(UTC) + timedelta(days=1)
    looked_at = []
    with time_machine.travel(begin, tick=False) as clock:
        while moment < begin + timedelta(days=2):
            clock.move_to(moment)
            n = len(looked_at)
            status, seconds = await ask(door, f"203.0.{n % 256}.{n // 256}")
            campaign.tried("guesses at passwords")
            if status == 401:
                looked_at.append(moment - begin)
            moment += timedelta(seconds=max(seconds, 1))
        assert (await ask(door, OWNER, PASSWORD))[0] == 201
    first_hour = sum(at < timedelta(hours=1) for at in looked_at)
    second_day = sum(at >= timedelta(days=1) for at in looked_at)
    assert 5 <= first_hour <= 12
    assert 12 <= second_day <= 25


async def test_what_was_turned_away_is_in_the_log_and_does_not_fill_it(door: Portal) -> None:
    for n in range(45):
        await ask(door, f"203.0.113.{n}")
    rows = await door.admin.fetch(
        """SELECT fields->>'why' AS why, (fields->>'tries')::int AS tries FROM portal.access_log
           WHERE act = 'sign-in-refused' AND address LIKE '203.%' ORDER BY number"""
    )
    told = [tuple(row) for row in rows]
    assert told[:5] == [("password-wrong", 1)] * 5
    assert told[5:] == [("too-many-attempts", tries) for tries in (1, 2, 4, 8, 16, 32)]


async def test_a_flood_waits_for_itself_and_an_owner_does_not_wait_for_it(
    database: Any, servers: Any, bucket: str, tmp_path: Path, campaign: Campaign
) -> None:
    """Comparing takes its time, and what can't wait any more writes nothing."""
    slow = argon2.PasswordHasher(1, 2**14, 1)
    async with (
        open_portal(
            database, servers, bucket, tmp_path, trusted_proxies=PROXIES, hasher=slow
        ) as portal,
        portal.client(limits=httpx2.Limits(max_connections=None)) as flooder,
    ):
        await portal.open_tenant("Dupré", EMAIL)
        cookies = (await sign_in(portal, OWNER)).cookies

        async def guess(n: int) -> int:
            answer = await flooder.post(
                "/api/v1/tokens",
                json={"email": f"user{n}@x.example", "password": "a guess"},
                headers={"X-Forwarded-For": f"203.0.113.{n % 100}"},
            )
            return answer.status_code

        flood = [asyncio.create_task(guess(n)) for n in range(600)]
        campaign.tried("guesses at passwords", len(flood))
        while not any(one.done() for one in flood):
            await asyncio.sleep(0.01)
        assert (await sign_in(portal, ELSEWHERE, cookies)).status_code == 303
        assert not all(one.done() for one in flood)
        answers = await asyncio.gather(*flood)
        rows = await portal.admin.fetchval("SELECT count(*) FROM portal.throttles")
    assert set(answers) <= {401, 429, 503}
    compared = answers.count(401)
    # Of each that was compared a row for its account, and one for each address.
    assert rows <= compared + 100 + 5
