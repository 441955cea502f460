"""Who looked at what, and who changed what: by page, and as a table for spreadsheets."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from libs.shared.words.foreign import plain
from libs.shared.words.tongue import DEFAULT_TIMEZONE, Tongue, find_zone
from services.portal.actions import log
from services.portal.actions.resources import Resources
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.log.sentences import KINDS, tell
from services.portal.pages.rendering import render, speak
from services.portal.pages.sessions import Administrator
from services.portal.rules.log.chain import Actor
from services.portal.rules.log.reading import LogWish, SeenLine
from services.portal.rules.people import Person

router = APIRouter()

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Day = Annotated[str, Query(max_length=10)]
Text = Annotated[str, Query(max_length=36)]


@router.get("/log")
async def show_log(
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
    asked: Asked,
) -> Response:
    """The newest lines first, what was asked for kept in the address."""
    return await render_log(request, person, resources, person.at(address), asked)


@dataclass(frozen=True)
class AskedLines:
    """What of a log is asked for; verify: follow the chain to its end."""

    words: Mapping[str, str]
    before: int | None
    verify: bool


async def read_asked(
    who: Text = "",
    kind: Text = "",
    since: Day = "",
    until: Day = "",
    before: Annotated[int | None, Query(ge=1)] = None,
    verify: Annotated[bool, Query()] = False,
) -> AskedLines:
    """The address of a page of the log."""
    words = {"who": who, "kind": kind, "since": since, "until": until}
    return AskedLines(words, before, verify)


Asked = Annotated[AskedLines, Depends(read_asked)]


async def render_log(
    request: Request, person: Person, resources: Resources, actor: Actor, asked: AskedLines
) -> Response:
    """A page of a client's log, to its administrators and to the provider's alike."""
    wish = replace(_read(asked.words, DEFAULT_TIMEZONE), before=asked.before)
    page = await log.view(resources.pool, actor, wish, verify_all=asked.verify)
    kept = {name: value for name, value in asked.words.items() if value}
    at = f"/clients/{actor.tenant_id}/log" if actor.duty else "/log"
    oldest = page.lines[-1].link.number if page.lines else 1
    return render(
        request,
        "log.html",
        person,
        timezone=page.tenant.timezone,
        page=page,
        tell=tell,
        kinds=KINDS,
        asked=asked.words,
        at=at,
        older=f"{at}?" + urlencode({**kept, "before": oldest}) if page.older else "",
        newest=f"{at}?" + urlencode(kept) if asked.before else "",
        whole=f"{at}?" + urlencode({**kept, "verify": "true"}),
        exported=f"{at}/export?" + urlencode(kept),
    )


@router.get("/log/export")
async def export_log(
    request: Request,
    person: Administrator,
    resources: ResourcesOf,
    address: Address,
    asked: Asked,
) -> Response:
    """The same lines as CSV, in the reader's language."""
    return await render_export(request, person, resources, person.at(address), asked)


async def render_export(
    request: Request, person: Person, resources: Resources, actor: Actor, asked: AskedLines
) -> Response:
    """All lines of a choice as CSV, to a client's administrators and to the provider's alike."""
    lines = await log.export(resources.pool, actor, _read(asked.words, DEFAULT_TIMEZONE))
    tongue = speak(request, person, DEFAULT_TIMEZONE)
    return StreamingResponse(
        _write(tongue, lines),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="coffre-log.csv"',
            "Cache-Control": "private, no-store",
        },
    )


def _read(asked: Mapping[str, str], timezone: str) -> LogWish:
    """What the address asks for; what can't be read asks for nothing."""
    wish = LogWish(kind=asked["kind"] if asked["kind"] in KINDS else "")
    if asked["who"] == "provider":
        wish = replace(wish, whose="provider")
    elif asked["who"]:
        with contextlib.suppress(ValueError):
            wish = replace(wish, whose="person", user_id=UUID(asked["who"]))
    since, until = _day(asked["since"], timezone), _day(asked["until"], timezone)
    return replace(wish, since=since, until=until + timedelta(days=1) if until else None)


def _day(text: str, timezone: str) -> datetime | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    if not 1970 <= day.year <= 9000:
        return None
    return datetime.combine(day, time(), find_zone(timezone))


def _write(tongue: Tongue, lines: list[SeenLine]) -> Iterator[str]:
    """The table line by line, with the mark by which spreadsheets know UTF-8."""
    yield "\ufeff" + _row(
        tongue.say("Number"),
        tongue.say("Moment"),
        tongue.say("Who"),
        tongue.say("Provider’s staff"),
        tongue.say("What"),
        tongue.say("Code"),
        tongue.say("Address"),
        "SHA-256",
    )
    for seen in lines:
        line = seen.line
        yield _row(
            str(seen.link.number),
            line.at.isoformat(),
            plain(line.actor),
            tongue.say("yes") if seen.by_provider else "",
            tell(tongue, line.act, line.fields),
            line.act,
            line.address,
            seen.link.hash.hex(),
        )


def _row(*cells: str) -> str:
    table = io.StringIO()
    csv.writer(table).writerow(
        [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
    )
    return table.getvalue()
