"""Certificates of destruction, to be read and printed by who has their link; the public key."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from libs.shared.words.tongue import N_
from services.portal.actions import destruction
from services.portal.api.access import ResourcesOf
from services.portal.pages.rendering import HEADERS, render_in, speak_in

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
