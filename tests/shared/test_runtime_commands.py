"""The commands that every service has."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from libs.shared import bus, clock
from tests.shared.conftest import Sides, volume
from tests.shared.deliveries import delivery, store

ROOT = Path(__file__).parents[2]


async def test_parked_events_by_command(start: Any, side: Sides) -> None:
    quota = await side("quota")
    ids = [uuid.uuid4() for _ in range(3)]
    good = [delivery(volume(n), message_id=str(event_id)) for n, event_id in enumerate(ids)]
    await store(quota, *good, bus.Delivery(4, "x", "y", b"unreadable \x00\xff"))

    async def command(*arguments: str) -> tuple[int, str, str]:
        process = await start("events", *arguments)
        return await process.ends(), process.printed, "".join(process.log)

    await quota.pool.execute(
        "UPDATE inbox SET state = 'parked', error = 'broken' WHERE raw IS NULL"
    )
    code, listed, _ = await command("list")
    assert code == 0
    assert len(listed.splitlines()) == 4
    assert all(str(event_id) in listed for event_id in ids)
    raw_id = next(line.split()[0] for line in listed.splitlines() if "unreadable" in line)

    code, shown, _ = await command("show", str(ids[0]))
    assert (code, "broken" in shown, '"sequence": 0' in shown) == (0, True, True)
    code, shown, _ = await command("show", raw_id)
    assert (code, r"unreadable \x00\xff" in shown) == (0, True)

    code, said, problem = await command("replay", str(ids[0]), str(uuid.UUID(int=5)), raw_id)
    assert code == 1
    assert f"{ids[0]} will be handled again." in said
    assert str(uuid.UUID(int=5)) in problem
    assert raw_id in problem
    code, said, _ = await command("drop", str(ids[1]), raw_id)
    assert (code, said.count("was dropped")) == (0, 2)
    states = await quota.pool.fetch("SELECT state, next_at <= $1 AS due FROM inbox", clock.now())
    assert sorted(row["state"] for row in states) == ["done", "done", "parked", "pending"]

    code, _, problem = await command("show", "no-uuid")
    assert (code, "usage" in problem) == (2, True)


async def test_migrate_by_command(start: Any) -> None:
    process = await start("migrate")
    assert (await process.ends(), process.printed) == (0, "0 applied\n")


@pytest.mark.parametrize("words", [("--help",), ("events", "list")])
async def test_a_reader_that_goes_away_ends_a_command_without_a_word(
    database: Any, words: tuple[str, ...]
) -> None:
    """As after `python -m services.quota events list | head -1`: shells give 141 for that."""
    read, write = os.pipe()
    os.close(read)
    ended = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.quota", *words),
        cwd=ROOT,
        env={
            **os.environ,
            "COFFRE_DATABASE_URL": database.dsn("quota"),
            "PYTHONUNBUFFERED": "",  # argparse minds no error of writing, only that of the flush
        },
        stdout=write,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(write)
    _, told = await ended.communicate()
    assert (ended.returncode, told) == (141, b"")
