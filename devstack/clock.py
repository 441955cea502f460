"""`run clock`: moves the time of a whole installation, so that months can be watched in minutes.

The servers below stay in the present; what each service decides by is moved, and said to be right.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from devstack import say
from devstack.processes import write_atomically
from devstack.stack import OFFSET_FILE, SERVICES, Stack, read_offset
from libs.shared import clock, database, timekeeping
from libs.shared.errors import Unavailable

WAIT_SECONDS = 180
CALM_SECONDS = 30
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_REASON = "moved by `./run clock`"


class NoTime(ValueError):  # noqa: N818 - named after what is wrong
    """Somebody typed what names no time; the text says what does."""


def find_offset(text: str, offset_seconds: int, now: datetime) -> int:
    """Gives how far a time lies from the machine's, in seconds.

    text: a step from the installation's time such as `+31d`, a moment such as `2026-12-24T03:00`
    in the machine's zone, or `reset`. now: the machine's time. Raises NoTime.
    """
    if text == "reset":
        return 0
    if step := re.fullmatch(r"\+(\d{1,5})([mhdw])", text):
        length = timedelta(**{_UNITS[step[2]]: int(step[1])})
        return offset_seconds + int(length.total_seconds())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NoTime("give a step such as +31d or +12h, 2026-12-24T03:00, or reset") from None
    return round((moment.astimezone(UTC) - now).total_seconds())


def describe(offset_seconds: int) -> str:
    """Says which time an installation has, and how far it is from the machine's."""
    moved = datetime.now().astimezone() + timedelta(seconds=offset_seconds)
    if not offset_seconds:
        return f"{moved:%Y-%m-%d %H:%M}, the machine's own"
    side = "ahead" if offset_seconds > 0 else "behind"
    gap = str(timedelta(seconds=abs(offset_seconds))).removesuffix(", 0:00:00")
    return f"{moved:%Y-%m-%d %H:%M}, {gap} {side}"


def order(folder: Path, text: str) -> int:
    """Has the running supervisor move the clock, and waits until it has; gives the exit status."""
    try:
        wanted = find_offset(text, read_offset(folder), datetime.now(UTC))
    except NoTime as error:
        say.failure(str(error))
        return 2
    write_atomically(folder / OFFSET_FILE, json.dumps({"offset_seconds": wanted}))
    say.line(f"The services start again at {describe(wanted)}…")
    deadline = time.monotonic() + WAIT_SECONDS
    while (told := _told(folder)) is None or told["offset_seconds"] != wanted:
        if time.monotonic() > deadline:
            say.failure("the clock didn't move; look at `./run logs supervisor`.")
            return 1
        time.sleep(0.2)
    for sentence in told["confirmed"]:
        say.done(sentence)
    say.line("Agents go by what the services tell them: the next run is one of that day.")
    return 0


def _told(folder: Path) -> dict[str, Any] | None:
    """What the supervisor says of the clock, None while it starts services."""
    try:
        found: dict[str, Any] = json.loads((folder / "stack.json").read_text())["clock"]
    except (OSError, ValueError, KeyError):
        return None
    return found


def settle(installation: Stack) -> bool:
    """Waits until what was said has been heard: an event of long ago would not be believed."""
    deadline = time.monotonic() + CALM_SECONDS
    while asyncio.run(_count_underway(installation.admin_dsn)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


async def _count_underway(dsn: str) -> int:
    """Events that are not published or handled yet, and mails that were not sent."""
    parts = [
        f"SELECT count(*) AS n FROM {service}.outbox WHERE published_at IS NULL UNION ALL"
        f" SELECT count(*) FROM {service}.inbox WHERE state = 'pending'"
        for service in SERVICES
    ]
    parts.append("SELECT count(*) FROM reporting.mails WHERE state = 'queued'")
    conn = await asyncpg.connect(dsn)
    try:
        return int(await conn.fetchval(f"SELECT sum(n) FROM ({' UNION ALL '.join(parts)}) AS all_"))
    finally:
        await conn.close()


def confirm(installation: Stack) -> list[str]:
    """Has each service believe, while none runs, that its new time is right; gives what was said.

    As its command `clock --accept` does, without starting five programs for it.
    """
    before = clock.offset()
    clock._offset = timedelta(seconds=read_offset(installation.folder))
    try:
        return asyncio.run(_believe(installation))
    finally:
        clock._offset = before


async def _believe(installation: Stack) -> list[str]:
    said = []
    objects = installation.servers.store.open(installation.bucket)
    try:
        for service in SERVICES:
            ask_store = objects.date if service == "retention" else None
            dsn = installation.dsn(f"coffre_{service}")
            try:
                async with await database.create_pool(dsn, service, max_size=1) as pool:
                    now = await timekeeping.accept_time(pool, _REASON, ask_store)
            except Unavailable as doubt:
                said.append(f"{service}: {doubt.detail}")
            else:
                said.append(f"{service}: {now:%Y-%m-%d %H:%M} UTC is believed from now on.")
    finally:
        await objects.close()
    return said
