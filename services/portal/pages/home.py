"""What a client sees: is everything all right? Then plans, their runs, their files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from libs.shared import catalogue, errors
from libs.shared.database import tenant_transaction, transaction
from services.portal import store
from services.portal.actions import browsing, signing
from services.portal.api.access import Address, PartsOf
from services.portal.pages.charts import STRIP_LENGTH
from services.portal.pages.rendering import render
from services.portal.pages.sessions import Client, Reader, SignInFirst
from services.portal.rules import names

router = APIRouter()

_RUNS_AT_ONCE = 50
_ENTRIES_SHOWN = 2_000


@router.get("/")
async def show_home(request: Request, reader: Reader, parts: PartsOf) -> Response:
    """Plans at a glance; operators go to their clients."""
    if reader is None:
        raise SignInFirst
    if reader.tenant_id is None:
        return RedirectResponse("/clients", 303)
    tenant_id = reader.tenant_id
    async with tenant_transaction(parts.pool, tenant_id) as conn:
        tenant = await store.tenants.find(conn, tenant_id)
        plans = await store.shown.list_plans(conn, tenant_id)
        runs = await store.shown.list_latest_runs(
            conn, tenant_id, [plan.plan_id for plan in plans], STRIP_LENGTH
        )
        volume = await store.shown.find_volume(conn, tenant_id)
    if tenant is None:
        raise errors.NotFound
    finished = {
        plan.plan_id: next((run for run in runs[plan.plan_id] if run.outcome), None)
        for plan in plans
    }
    return render(
        request,
        "home.html",
        reader,
        timezone=tenant.timezone,
        tenant=tenant,
        plans=plans,
        runs=runs,
        finished=finished,
        volume=volume,
        mood=_mood([run.outcome if run else None for run in finished.values()]),
    )


def _mood(outcomes: list[str | None]) -> str:
    """The worst of the plans' last outcomes."""
    for worst in ("failed", "succeeded_with_warnings", "succeeded"):
        if worst in outcomes:
            return worst if None not in outcomes or worst != "succeeded" else "waiting"
    return "waiting"


@router.get("/plans/{plan}")
async def show_plan(
    plan: str,
    request: Request,
    person: Client,
    parts: PartsOf,
    before: Annotated[int, Query(ge=0, lt=2**31)] = 2**31 - 1,
) -> Response:
    """One plan with its runs."""
    assert person.tenant_id is not None
    async with tenant_transaction(parts.pool, person.tenant_id) as conn:
        tenant = await store.tenants.find(conn, person.tenant_id)
        found = await browsing.find_plan(conn, person.tenant_id, plan)
        known = await store.shown.list_plans(conn, person.tenant_id)
        runs = await store.shown.list_runs(
            conn, person.tenant_id, found.plan_id, before=before, limit=_RUNS_AT_ONCE + 1
        )
    if tenant is None:
        raise errors.NotFound
    return render(
        request,
        "plan.html",
        person,
        timezone=tenant.timezone,
        tenant=tenant,
        plan=next(one for one in known if one.plan_id == found.plan_id),
        runs=runs[:_RUNS_AT_ONCE],
        older=runs[_RUNS_AT_ONCE - 1].number if len(runs) > _RUNS_AT_ONCE else None,
        is_first=before == 2**31 - 1,
    )


@router.get("/plans/{plan}/runs/{number}")
async def show_run(
    plan: str, number: int, request: Request, person: Client, parts: PartsOf
) -> Response:
    """One run: its summary, what was not copied and why."""
    assert person.tenant_id is not None
    if not 0 <= number < 2**31:
        raise errors.NotFound
    async with tenant_transaction(parts.pool, person.tenant_id) as conn:
        tenant = await store.tenants.find(conn, person.tenant_id)
        found = await browsing.find_plan(conn, person.tenant_id, plan)
        run = await store.shown.find_run(conn, person.tenant_id, found.plan_id, number)
        reports = await store.shown.list_reports(conn, person.tenant_id, run.run_id) if run else []
    if run is None or tenant is None:
        raise errors.NotFound
    return render(
        request,
        "run.html",
        person,
        timezone=tenant.timezone,
        plan=found,
        run=run,
        reports=reports,
    )


@router.get("/plans/{plan}/files")
async def show_files(
    plan: str,
    request: Request,
    person: Client,
    parts: PartsOf,
    address: Address,
    run: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """A folder of a restore point."""
    assert person.tenant_id is not None
    tenant_id = person.tenant_id
    raw = names.query_bytes(request.scope["query_string"], b"path") or b""
    async with tenant_transaction(parts.pool, tenant_id) as conn:
        tenant = await store.tenants.find(conn, tenant_id)
        found = await browsing.find_plan(conn, tenant_id, plan)
        points = await catalogue.list_runs(conn, tenant_id, found.plan_id)
    if tenant is None:
        raise errors.NotFound
    if not points:
        return render(request, "files_none.html", person, timezone=tenant.timezone, plan=found)
    place = await browsing.find_place(parts.pool, tenant_id, str(found.plan_id), run, raw)
    entries = await browsing.list_folder(parts.pool, place)
    async with transaction(parts.pool) as conn:
        await signing.log(
            conn, person, address, "folder-listed",
            {"plan": found.name, "run": place.run.number, "path": names.display(place.path)},
        )  # fmt: skip
    return render(
        request,
        "files.html",
        person,
        timezone=tenant.timezone,
        plan=found,
        place=place,
        points=points,
        crumbs=_crumbs(place.path),
        path_text=_as_field(place.path),
        entries=[_shown(place, entry) for entry in entries[:_ENTRIES_SHOWN]],
        left_out=max(0, len(entries) - _ENTRIES_SHOWN),
    )


def _as_field(path: bytes) -> str | None:
    """A path that a form can carry as text; None where it has bytes that a form would change."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _crumbs(path: bytes) -> list[tuple[str, str]]:
    """(name to show, path for an address) of each folder on the way."""
    parts = path.split(b"/") if path else []
    return [
        (names.display(part), names.quoted(b"/".join(parts[: depth + 1])))
        for depth, part in enumerate(parts)
    ]


def _shown(place: browsing.Place, entry: catalogue.EntryRow) -> dict[str, Any]:
    return {
        "name": names.display(entry.name),
        "path": names.quoted(browsing.join(place.path, entry.name)),
        "kind": entry.kind,
        "size": entry.size,
        "mtime": _moment(entry.mtime_ns),
        "target": names.display(entry.target),
    }


def _moment(mtime_ns: int) -> datetime | None:
    """When a file was changed; None outside the years that a date can have."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=mtime_ns // 10**9)
    except OverflowError:
        return None
