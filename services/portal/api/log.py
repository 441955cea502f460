"""A client's access log by program: who looked at what, and who changed what."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel

from libs.shared import errors, web
from services.portal.actions import log, looks
from services.portal.api.access import (
    Administrator,
    Operator,
    OperatorFirst,
    ResourcesOf,
    admit_administrator,
)
from services.portal.rules.log.reading import KINDS, LogWish, SeenLine

router = APIRouter(tags=["log"], route_class=web.behind(admit_administrator))
operators = APIRouter(tags=["log"], route_class=OperatorFirst)


class LogLine(BaseModel):
    """Who did what; by_provider: the provider's staff. sha256: binds it to the lines before."""

    number: int
    at: datetime
    actor: str
    by_provider: bool
    act: str
    fields: dict[str, str | int | bool]
    address: str
    sha256: str


class LogRead(BaseModel):
    """Lines, the newest first; whole: whether the chain is, null where nobody followed it."""

    lines: list[LogLine]
    older: bool
    whole: bool | None


class LogExport(BaseModel):
    """Lines, the newest first, as many as one export holds."""

    lines: list[LogLine]


def read_wish(
    user_id: UUID | None = None,
    by: Literal["anybody", "provider"] = "anybody",
    kind: Annotated[str, Query(max_length=20)] = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> LogWish:
    """Which lines: of somebody, of the provider's staff, of a kind of acts, of some time."""
    if kind and kind not in KINDS:
        raise errors.InvalidRequest(f"The kind is one of {', '.join(KINDS)}.")
    whose: Literal["anybody", "provider", "person"] = "person" if user_id else by
    return LogWish(whose, user_id, kind, since, until)


Wished = Annotated[LogWish, Depends(read_wish)]


@router.get("/log")
async def list_lines(
    administrator: Administrator,
    resources: ResourcesOf,
    wish: Wished,
    before: Annotated[int | None, Query(ge=1)] = None,
    *,
    verify: bool = False,
) -> LogRead:
    """Fifty lines; `before` goes on where a list ended, `verify` follows the chain to its end."""
    page = await log.view(
        resources.pool, administrator, replace(wish, before=before), verify_all=verify
    )
    whole = None if page.verdict is None else page.verdict.fault is None
    return LogRead(lines=[_show(one) for one in page.lines], older=page.older, whole=whole)


@operators.get("/tenants/{tenant_id}/log")
async def list_of_client(
    tenant_id: UUID,
    operator: Operator,
    resources: ResourcesOf,
    wish: Wished,
    before: Annotated[int | None, Query(ge=1)] = None,
    *,
    verify: bool = False,
) -> LogRead:
    """Fifty lines of a client's log, as its administrators read them."""
    await looks.check_names(resources, operator, tenant_id)
    actor = operator.within(tenant_id)
    return await list_lines(actor, resources, wish, before, verify=verify)


@router.get("/log/export")
async def export_lines(
    administrator: Administrator, resources: ResourcesOf, wish: Wished
) -> LogExport:
    """All lines of that choice at once."""
    lines = await log.export(resources.pool, administrator, wish)
    return LogExport(lines=[_show(one) for one in lines])


@operators.get("/tenants/{tenant_id}/log/export")
async def export_of_client(
    tenant_id: UUID, operator: Operator, resources: ResourcesOf, wish: Wished
) -> LogExport:
    """All lines of that choice of a client's log at once."""
    await looks.check_names(resources, operator, tenant_id)
    return await export_lines(operator.within(tenant_id), resources, wish)


def _show(seen: SeenLine) -> LogLine:
    line = seen.line
    return LogLine(
        number=seen.link.number,
        at=line.at,
        actor=line.actor,
        by_provider=seen.by_provider,
        act=line.act,
        fields=line.fields,
        address=line.address,
        sha256=seen.link.hash.hex(),
    )
