"""Certificates of destruction for who has their link; destructions as operators decide them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from libs.shared import clock, errors, reasons
from libs.shared.words.tongue import N_
from services.portal.actions import destruction
from services.portal.api.access import Address, ResourcesOf
from services.portal.pages.operators import UNSETTLED
from services.portal.pages.rendering import HEADERS, render, render_in, speak_in
from services.portal.pages.sessions import Operator, Sent, field, line
from services.portal.store.destruction import Destruction

router = APIRouter()

GROUNDS = {
    "accounting": N_("accounting, kept for ten years by law"),
    "contract": N_("proof of what was agreed and done, until claims are barred"),
    "certificate": N_("this certificate, and what it rests on"),
    "until-mailed": N_("the addresses that this certificate is sent to, until it was sent"),
    "never-again": N_("an identifier alone, so that nothing of the client comes back"),
}


@router.get("/certificates/{token}")
async def show_certificate(token: str, request: Request, resources: ResourcesOf) -> Response:
    """The certificate as a page to print, in the client's language."""
    signed = await destruction.read_by_link(resources.pool, resources.mail_key, token)
    told: dict[str, Any] = json.loads(signed)["certificate"]
    return render_in(
        request,
        "certificate.html",
        speak_in(told["locale"]),
        told=told,
        grounds=GROUNDS,
        read=datetime.fromisoformat,
        token=token,
        portal_url=resources.portal_url,
    )


@router.get("/certificates/{token}/json")
async def download_certificate(token: str, resources: ResourcesOf) -> Response:
    """The certificate itself, byte by byte as it was signed."""
    signed = await destruction.read_by_link(resources.pool, resources.mail_key, token)
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="certificate.json"'}
    return Response(signed, media_type="application/json", headers=headers)


@router.get("/.well-known/coffre-certificate-key.pem")
async def show_key(resources: ResourcesOf) -> Response:
    """The public key that certificates are checked with."""
    return PlainTextResponse(resources.certificate_key, media_type="application/x-pem-file")


# --- for operators -------------------------------------------------------------------------------

_DECISIONS = frozenset({"confirm", "hold", "release"})
_PROBLEMS = {
    "reason-missing": N_("Say why: it stays in the log."),
    "nothing-to-confirm": N_("This destruction waits for no operator."),
    "second-operator-needed": N_("You ended this subscription: another operator confirms."),
    "operator-unsettled": UNSETTLED,
    "destruction-begun": N_("The destruction has begun: it can't be held any more."),
    "not-held": N_("There is no hold to be released."),
    "day-over": N_("The end of a hold must lie ahead."),
}


@router.get("/destructions")
async def list_destructions(
    request: Request,
    operator: Operator,
    resources: ResourcesOf,
    address: Address,
    problem: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Every destruction: due, waiting, running, done."""
    found = await destruction.list_destructions(resources.pool, operator.at(address))
    groups: dict[str, list[tuple[str, Destruction]]] = {}
    for name, one in found:
        is_held = one.held and one.permitted_at is None
        state = "held" if is_held and one.state in {"scheduled", "waiting"} else one.state
        groups.setdefault(state, []).append((name, one))
    return render(
        request,
        "destructions.html",
        operator,
        groups=groups,
        read=reasons.read,
        problem=_PROBLEMS.get(problem, ""),
    )


@router.get("/clients/{tenant_id}/certificate")
async def read_certificate(
    tenant_id: UUID, operator: Operator, resources: ResourcesOf, address: Address
) -> Response:
    """A client's certificate as it was signed, as a file."""
    signed = await destruction.read_certificate(resources.pool, operator.at(address), tenant_id)
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="certificate.json"'}
    return Response(signed, media_type="application/json", headers=headers)


@router.post("/destructions/{tenant_id}/{decision}")
async def decide(
    tenant_id: UUID,
    decision: str,
    sent: Sent,
    resources: ResourcesOf,
) -> Response:
    """Confirms a destruction that waits, holds one, or ends a hold."""
    if decision not in _DECISIONS:
        raise errors.NotFound
    reason, day, actor = line(sent.fields, "reason"), field(sent.fields, "until"), sent.actor
    if not reason:
        return RedirectResponse("/destructions?problem=reason-missing", 303)
    try:
        if decision == "confirm":
            await destruction.confirm(resources.pool, actor, tenant_id, reason)
        elif decision == "release":
            await destruction.release(resources.pool, actor, tenant_id, reason)
        else:
            until = datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None
            if until is not None and until <= clock.now():
                return RedirectResponse("/destructions?problem=day-over", 303)
            await destruction.hold(resources.pool, actor, tenant_id, reason, until)
    except errors.Refusal as refusal:
        if refusal.code not in _PROBLEMS:
            raise
        return RedirectResponse(f"/destructions?problem={refusal.code}", 303)
    except ValueError:
        raise errors.InvalidRequest("This is not a day.") from None
    return RedirectResponse("/destructions", 303)
