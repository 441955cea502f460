"""How much sixteen sign-ins a second slow the first page of everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Any

import httpx2

from bench.portal import people
from bench.portal.driving import Ask, drive
from bench.portal.provider import PASSWORD, email_of

PAGES_A_SECOND, SIGN_INS_A_SECOND = 20, 16
_PEOPLE = 60


async def measure(
    http: httpx2.AsyncClient, sessions: Sequence[str], clients: int, seconds: float
) -> dict[str, Any]:
    """First pages alone, then beside the sign-ins of people at as many addresses."""
    numbers = count()

    async def sign_in() -> int:
        """One of many, each from an address of its own."""
        number = next(numbers) % min(_PEOPLE, clients)
        body = {"email": email_of(clients - number), "password": PASSWORD}
        address = {"X-Forwarded-For": f"10.2.0.{number}"}
        return (await http.post("/api/v1/tokens", json=body, headers=address)).status_code

    turns = count()
    pages: dict[str, Ask] = {
        "page": lambda: people.get(http, "/", sessions[next(turns) % len(sessions)])
    }
    ask = partial(drive, pages, PAGES_A_SECOND, seconds)
    alone = (await ask())["page"]
    both, signed = await asyncio.gather(
        ask(), drive({"sign-in": sign_in}, SIGN_INS_A_SECOND, seconds)
    )
    beside, signing = both["page"], signed["sign-in"]
    return {
        "alone": alone.tell(),
        "beside": beside.tell(),
        "sign_ins": signing.tell(),
        "let_in": signing.statuses[201],
    }
