"""What `coffre-agent restore` asks: one list, then chunks in bulk."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from libs.shared import web
from services.portal.actions.files import browsing, spans
from services.portal.actions.restore import chunks, manifests, permitting
from services.portal.api.access import Client, Downloading, ResourcesOf
from services.portal.api.places import AtPoint
from services.portal.api.streams import Stream, primed

router = APIRouter(tags=["restore"])

_OCTETS = "application/octet-stream"


@router.get("/plans/{plan}/manifest", dependencies=[Downloading])
async def list_manifest(asked: AtPoint, resources: ResourcesOf) -> Response:
    """Every entry at and below a path with its chunks and their places."""
    place = await browsing.find_place(resources.pool, asked)
    reader = await spans.open_reader(resources, place.tenant_id)
    body = await primed(manifests.write(reader, place))
    headers = {
        "X-Coffre-Run": str(place.run.number),
        "X-Coffre-Run-At": place.run.committed_at.isoformat(),
        "X-Coffre-Files": str(place.run.files_total),
        "X-Coffre-Bytes": str(place.run.bytes_protected),
        "X-Coffre-Chunk-Keys": ",".join(key.hex() for key in reader.keys.chunk_keys),
        "Cache-Control": "private, no-store",
    }
    return Stream(body, 200, headers, _OCTETS)


@router.post("/plans/{plan}/chunks", dependencies=[Downloading])
async def read_chunks(
    plan: str, request: Request, actor: Client, resources: ResourcesOf
) -> Response:
    """Chunks, still compressed, in the order asked for, from where the manifest says they lie."""
    wanted = chunks.parse(await web.read_body(request))
    await permitting.check_plan(resources.pool, actor, plan)
    reader = await spans.open_reader(resources, actor.tenant_id)
    stream = await primed(chunks.write(reader, wanted))
    return Stream(stream, 200, {"Cache-Control": "private, no-store"}, _OCTETS)
