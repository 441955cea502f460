"""What `coffre-agent restore` asks: one list, then chunks in bulk."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from libs.shared import restores, web
from libs.shared.database import tenant_transaction, transaction
from services.portal.actions import browsing, chunks, manifests, signing, spans
from services.portal.api.access import Address, PartsOf, SignedIn, TenantId
from services.portal.api.files import At, Run, path_of
from services.portal.api.streams import Stream, primed
from services.portal.rules import names

router = APIRouter(tags=["restore"])

_OCTETS = "application/octet-stream"


@router.get("/plans/{plan}/manifest")
async def list_manifest(
    plan: str,
    request: Request,
    person: SignedIn,
    tenant_id: TenantId,
    parts: PartsOf,
    address: Address,
    run: Run = None,
    at: At = "",
) -> Response:
    """Every entry below a path with its chunks and their places."""
    place = await browsing.find_place(parts.pool, tenant_id, plan, run, path_of(request), at)
    reader = await spans.open_reader(parts, tenant_id)
    body = await primed(manifests.write(reader, place))
    async with transaction(parts.pool) as conn:
        await signing.log(
            conn, person, address, "restore-listed",
            {"plan": place.plan.name, "run": place.run.number, "path": names.display(place.path)},
        )  # fmt: skip
    headers = {
        "X-Coffre-Run": str(place.run.number),
        "X-Coffre-Run-At": place.run.committed_at.isoformat(),
        "X-Coffre-Files": str(place.run.files_total),
        "X-Coffre-Bytes": str(place.run.bytes_protected),
        "X-Coffre-Chunk-Key": reader.keys.chunk_key.hex(),
        "Cache-Control": "private, no-store",
    }
    return Stream(body, 200, headers, _OCTETS)


@router.post("/plans/{plan}/chunks")
async def read_chunks(
    plan: str, request: Request, person: SignedIn, tenant_id: TenantId, parts: PartsOf
) -> Response:
    """Chunks, still compressed, in the order asked for, from where the manifest says they lie."""
    wanted = chunks.parse(await web.read_body(request, restores.MAX_REQUEST_BYTES))
    async with tenant_transaction(parts.pool, tenant_id) as conn:
        await browsing.find_plan(conn, tenant_id, plan)
        await browsing.check_recovery(conn, tenant_id)
    reader = await spans.open_reader(parts, tenant_id)
    stream = await primed(chunks.write(reader, wanted))
    return Stream(stream, 200, {"Cache-Control": "private, no-store"}, _OCTETS)
