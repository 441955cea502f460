"""`/v1/runs`: a run from its start to its end."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from libs.shared.batches import Faults
from libs.shared.reasons import Reason
from services.ingest import actions, rules
from services.ingest.actions.runs.starting import Started
from services.ingest.api.problems import problems
from services.ingest.api.requests import Agent, AgentFirst, Resources, read_body, upload_of

_OCTETS = {"content": {"application/octet-stream": {}}, "required": True}
_BODY: dict[str, Any] = {"requestBody": _OCTETS}

router = APIRouter(prefix="/v1/runs", route_class=AgentFirst)

PackId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of its index.")]


class Start(BaseModel):
    """A run to begin; `run_key` is the agent's own, so that asking twice starts one run."""

    plan_id: UUID
    parent: int | None = None
    estimated_new_bytes: Annotated[int, Field(ge=0, lt=2**62)] = 0
    run_key: UUID
    chunk_key_id: Annotated[str, Field(max_length=16)] | None = None


class Stored(BaseModel):
    """What a pack adds to the stored volume, 0 where it was there already."""

    stored_bytes: int


class Refused(BaseModel):
    """Entries of a batch that can't be kept, and why.

    `folder` counts the batch's folders from 0; `entries` count that folder's upserts and then its
    removed names, and are null where all of it is refused.
    """

    folder: int
    entries: list[int] | None
    reason: Reason


class Taken(BaseModel):
    """What of a batch was refused: all else is taken."""

    refused: list[Refused]


class Committed(BaseModel):
    """What became of a run; `reason` is null unless it failed."""

    outcome: str
    reason: Reason | None
    run_id: UUID
    number: int
    restore_point: bool
    stored_bytes: int
    protected_bytes: int


class Aborted(BaseModel):
    """A run that ended badly, and why."""

    outcome: str
    number: int
    reason: Reason


@router.post("", status_code=201, responses=problems(401, 403, 404, 409, 413, 507))
async def start_run(start: Start, agent: Agent, resources: Resources) -> Started:
    """Begins a run of a plan; an open one of the same plan is closed as abandoned."""
    return await actions.runs.starting.start_run(
        resources,
        agent,
        start.plan_id,
        start.run_key,
        start.estimated_new_bytes,
        start.chunk_key_id,
    )


@router.post(
    "/{run_id}/missing",
    response_class=Response,
    openapi_extra=_BODY,
    responses=problems(401, 403, 404, 408, 409, 413),
)
async def find_missing(
    run_id: UUID, request: Request, agent: Agent, resources: Resources
) -> Response:
    """Ids of 32 bytes, up to 16,384, to a bitmap, lowest bit first: 1 is missing."""
    ids = bytes(await read_body(request))
    bitmap = await actions.intake.packs.find_missing(resources, agent, run_id, ids)
    return Response(bitmap, media_type="application/octet-stream")


@router.put(
    "/{run_id}/packs/{pack}",
    status_code=201,
    openapi_extra=_BODY,
    responses={200: {"model": Stored}, **problems(401, 403, 404, 408, 409, 413, 507)},
)
async def put_pack(
    run_id: UUID,
    pack: PackId,
    request: Request,
    response: Response,
    agent: Agent,
    resources: Resources,
) -> Stored:
    """One pack; the same again is answered 200."""
    async with upload_of(request) as upload:
        stored = await actions.intake.packs.take_pack(resources, agent, run_id, pack, upload)
    if not stored.is_new:
        response.status_code = 200
    return Stored(stored_bytes=stored.stored_bytes)


@router.post(
    "/{run_id}/entries",
    status_code=204,
    openapi_extra=_BODY,
    responses={200: {"model": Taken}, **problems(401, 403, 404, 408, 409, 413)},
)
async def take_batch(
    run_id: UUID,
    batch: Annotated[int, Query(ge=0, lt=100_000)],
    request: Request,
    agent: Agent,
    resources: Resources,
) -> Response:
    """One batch of the delta; the same number again replaces it.

    200 where some of it is refused and the rest taken.
    """
    body = await read_body(request)
    faults = await actions.intake.deltas.take_batch(resources, agent, run_id, batch, body)
    if not faults:
        return Response(status_code=204)
    return JSONResponse(Taken(refused=_refused(faults)).model_dump(mode="json"))


def _refused(faults: Faults) -> list[Refused]:
    """Entries of one folder with the same fault together: there may be fifty thousand."""
    found: dict[tuple[int, Reason], list[int]] = {}
    whole: set[tuple[int, Reason]] = set()
    for place, fault in faults.items():
        entries = found.setdefault((place.folder, fault.reason), [])
        if place.entry is None:
            whole.add((place.folder, fault.reason))
        else:
            entries.append(place.entry)
    return [
        Refused(
            folder=folder,
            entries=None if (folder, reason) in whole else sorted(entries),
            reason=reason,
        )
        for (folder, reason), entries in found.items()
    ]


@router.post("/{run_id}/commit", responses=problems(401, 403, 404, 409, 413))
async def commit_run(
    run_id: UUID, commit: rules.reported.Commit, agent: Agent, resources: Resources
) -> Committed:
    """Makes the run a restore point, all of it or nothing; the same again, the same answer."""
    return Committed.model_validate(
        await actions.commits.committing.commit_run(resources, agent, run_id, commit)
    )


@router.post("/{run_id}/abort", responses=problems(401, 404, 409, 413))
async def abort_run(
    run_id: UUID, abort: rules.reported.Abort, agent: Agent, resources: Resources
) -> Aborted:
    """Ends the run as failed; the same again, the same answer."""
    return Aborted.model_validate(
        await actions.runs.ending.abort_run(resources, agent, run_id, abort)
    )
