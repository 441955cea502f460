"""How many downloads a person, and a client, may have at once: more are told to wait."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import httpx2

from services.portal.actions.resources import DOWNLOADS_OF_USER
from tests.portal import builder
from tests.world.agents import problem_of

# More than what server, system and client hold of an answer that nobody reads.
CHUNKS = [random.Random(number).randbytes(3_500_000) for number in range(8)]
FILE = "/api/v1/plans/documents/file?path=srv/big"


async def test_a_person_who_downloads_too_much_at_once_waits_and_nobody_else_does(
    portal: Any,
) -> None:
    client = await builder.open_client(portal)
    other = await builder.open_client(portal, "noe@durand.example", "Pharmacie Durand")
    for one in (client, other):
        await one.commit({b"srv/big": builder.File(CHUNKS), b"srv/small": builder.text(b"small")})
    limits = httpx2.Limits(max_connections=None)
    async with (
        portal.client(client.token, limits=limits) as mine,
        portal.client(other.token) as theirs,
    ):
        async with AsyncExitStack() as stack:
            for _ in range(DOWNLOADS_OF_USER):
                answer = await stack.enter_async_context(mine.stream("GET", FILE))
                assert answer.status_code == 200
            refused = asyncio.create_task(mine.get(FILE))
            assert (await theirs.get(FILE)).content == b"".join(CHUNKS)
            listed = await mine.get("/api/v1/plans/documents/entries?path=srv")
            assert len(listed.json()["entries"]) == 2
            assert problem_of(await refused) == (429, "share-used")
            assert (await refused).headers["retry-after"] == "10"
        assert (await mine.get(FILE)).content == b"".join(CHUNKS)
