"""One plan brought back: its manifests, gathered on disk, written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import uuid4

import asyncpg
import msgspec

from libs.shared import bucket, clock, database, outbox
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.entries import EntryRejected
from libs.shared.events import AgentEnrolled, PlanDeclared
from libs.shared.keys import TenantKeys
from libs.shared.proofs import Prover
from libs.shared.reasons import Reason
from services.ingest import rules, store
from services.ingest.actions import proofs
from services.ingest.actions.commits.applying import Application
from services.ingest.actions.manifests.ends import put_head
from services.ingest.actions.plans import declared
from services.ingest.actions.rebuild.gathering import Gathered, Step
from services.ingest.actions.rebuild.resealing import seal_points
from services.ingest.actions.resources import Resources

_VERSIONS_AHEAD = 1_000
"""A declaration made after the newest run got a later version; ours must be later still."""


@dataclass(frozen=True)
class Written:
    """How many restore points of a plan came back, and how many did not."""

    points: int
    points_left_out: int


@dataclass
class _Replay:
    """A plan on its way into the catalogue: the totals so far, and what was whole."""

    gathered: Gathered
    head: bucket.Head
    prover: Prover
    files: int = 0
    size_bytes: int = 0
    points: list[bucket.Point] = field(default_factory=list)
    points_left_out: int = 0
    pending: dict[int, str] = field(default_factory=dict)
    expired: set[tuple[int, int]] = field(default_factory=set)
    roots: dict[int, int] = field(default_factory=dict)


async def write_plan(resources: Resources, keys: TenantKeys, gathered: Gathered) -> Written | None:
    """Writes a plan, its versions and the restore points that are whole; None if none is known.

    Where the newest state lacks something, an empty run is added, so that the agent, which knows
    of no such run, compares all it has with what is there and sends what is missing.
    """
    head = gathered.newest
    if head is None or not gathered.steps:
        gathered.troubles.append(f"of plan {gathered.plan_id} no restore point can be read")
        return None
    prover = Prover(keys)
    replay = _Replay(gathered, head, prover)
    mend, mend_key = None, ""
    if not gathered.is_whole:
        mend = _mend(gathered, head)
        mend_key = await put_head(resources, mend)
    now = clock.now()
    async with database.transaction(resources.pool) as conn:
        await store.sessions.allow_long_statements(conn)
        if await store.rebuild.put_vacant_agent(conn, head, now):
            await outbox.add(conn, _enrolled(head))
        version = head.plan_version + _VERSIONS_AHEAD
        last_number = max(gathered.last_number, mend.number if mend else 0)
        if not await store.rebuild.put_rebuilt_plan(conn, head, version, last_number):
            return None
        for step in gathered.steps:
            await _apply(resources, conn, replay, step)
        await _drop_expired(conn, replay)
        if mend is not None:
            await _close_orphans(conn, replay, _place(replay, mend.number))
            files, size_bytes = await store.rebuild.count_current(conn, _place(replay, mend.number))
            replay.points.append(_mended(mend, files, size_bytes))
            replay.pending[mend.number] = mend_key
        seals = seal_points(replay.points, replay.roots, keys, prover, head, gathered.troubles)
        await store.rebuild.add_points(conn, head, replay.points, replay.pending, seals)
        await store.rebuild.note_all_names(conn, _place(replay, 0))
        if mend is None:
            await store.rebuild.want_list(
                conn, head.tenant_id, head.plan_id, rules.manifests.history.LIST_RUNS
            )
        await outbox.add(conn, _declared(head, version))
        crashpoint("ingest.in_rebuild_plan")
    return Written(len(replay.points), replay.points_left_out)


def _place(replay: _Replay, number: int) -> store.plans.CommitPlace:
    return store.plans.CommitPlace(replay.head.tenant_id, replay.head.plan_id, number)


async def _apply(resources: Resources, conn: Connection, replay: _Replay, step: Step) -> None:
    if step.listed is not None:
        await _apply_list(resources, conn, replay, step, step.listed)
        return
    if step.point is None:
        replay.points_left_out += 1
        return
    if step.slots or step.full:
        try:
            async with conn.transaction():
                await _apply_delta(resources, conn, replay, step, step.point)
        except (EntryRejected, asyncpg.UniqueViolationError):
            if step.number != replay.gathered.undecided:
                raise
            return  # what the commit would have refused as well
    root = await proofs.find_root(conn, _place(replay, step.number), replay.prover)
    replay.roots[step.number] = root
    _add_point(replay, step, step.point)


async def _apply_delta(
    resources: Resources, conn: Connection, replay: _Replay, step: Step, point: bucket.Point
) -> None:
    delta = Application(
        resources,
        conn,
        _run(replay, step, point),
        point.committed_at,
        replay.prover,
        full=step.full,
    )
    parts = replay.gathered.read_deltas(resources, step)
    await delta.apply_parts(parts, is_whole=step.is_whole)
    replay.files += delta.files
    replay.size_bytes += delta.size_bytes


def _run(replay: _Replay, step: Step, point: bucket.Point) -> rules.runs.Run:
    return rules.runs.Run(
        run_id=point.run_id,
        tenant_id=replay.head.tenant_id,
        plan_id=replay.head.plan_id,
        agent_id=replay.head.agent_id,
        number=step.number,
        parent=step.parent,
        state="open",
        started_at=point.started_at,
        outcome=point.outcome,
        reason=point.reason,
        answer=None,
    )


def _add_point(replay: _Replay, step: Step, point: bucket.Point) -> None:
    """Keeps a restore point if it is whole; says so where its totals are not what they were."""
    if step.number == replay.gathered.undecided:
        replay.pending[step.number] = step.head_key
    if not step.is_whole or replay.gathered.gone.is_seen_by(step.number):
        replay.points_left_out += 1
        return
    total = (replay.files, replay.size_bytes)
    known = (point.files_total, point.bytes_protected)
    if known == (-1, -1):
        point = _with_totals(point, *total)
    elif known != total and not replay.gathered.gone.count:
        replay.gathered.troubles.append(
            f"run {point.number} of plan {replay.head.plan_id} came back with {total[0]} files of"
            f" {total[1]} bytes, and had {known[0]} of {known[1]}"
        )
    replay.points.append(point)


async def _apply_list(
    resources: Resources, conn: Connection, replay: _Replay, step: Step, listed: bucket.ListHead
) -> None:
    newest = listed.points[-1]
    run = replace(_run(replay, step, newest), parent=None)
    everything = Application(resources, conn, run, newest.committed_at, replay.prover, full=True)
    replay.expired = await everything.apply_list(
        replay.gathered.read_lists(resources, step), listed.received, replay.gathered.expired_before
    )
    numbers = [point.number for point in listed.points]
    place = _place(replay, step.number)
    replay.roots |= await proofs.digest_points(conn, place, numbers, replay.prover)
    replay.files, replay.size_bytes = newest.files_total, newest.bytes_protected
    for point in listed.points:
        if replay.gathered.gone.is_seen_by(point.number):
            replay.points_left_out += 1
        else:
            replay.points.append(point)


async def _close_orphans(conn: Connection, replay: _Replay, place: store.plans.CommitPlace) -> None:
    """What lies in folders that got lost goes with them: nobody could reach or prove it."""
    await store.rebuild.close_orphans(conn, place)
    changes = proofs.Changes(replay.prover)
    await changes.subtract_closed(conn, place)
    await changes.settle(conn, place)
    replay.roots[place.number] = await proofs.find_root(conn, place, replay.prover)


async def _drop_expired(conn: Connection, replay: _Replay) -> None:
    """Leaves out restore points that had lost a version to expiry, as retention had."""
    numbers = [point.number for point in replay.points]
    broken = set(
        await store.rebuild.list_broken_points(
            conn, _place(replay, 0), numbers, replay.gathered.expired_before
        )
    )
    broken |= {n for n in numbers if any(first <= n <= last for first, last in replay.expired)}
    replay.points = [point for point in replay.points if point.number not in broken]


def _mend(gathered: Gathered, head: bucket.Head) -> bucket.Head:
    """An empty run on top of a newest one that did not come back whole."""
    now = clock.now()
    fields = {name: getattr(head, name) for name in head.__struct_fields__}
    return bucket.Head(
        **fields
        | {
            "run_id": uuid4(),
            "number": gathered.last_number + 1,
            "parent": max(s.number for s in gathered.steps if s.number != gathered.undecided),
            "full": False,
            "started_at": now,
            "asked_at": now,
            "outcome": "succeeded_with_warnings",
            "reason": Reason("rebuilt"),
            "counters": {},
            "parts": [],
        }
    )


def _mended(mend: bucket.Head, files: int, size_bytes: int) -> bucket.Point:
    return bucket.Point(
        number=mend.number,
        run_id=mend.run_id,
        parent=mend.parent,
        started_at=mend.started_at,
        committed_at=mend.asked_at,
        outcome=mend.outcome,
        reason=mend.reason,
        files_total=files,
        bytes_protected=size_bytes,
    )


def _with_totals(point: bucket.Point, files: int, size_bytes: int) -> bucket.Point:
    return msgspec.structs.replace(point, files_total=files, bytes_protected=size_bytes)


def _enrolled(head: bucket.Head) -> AgentEnrolled:
    return AgentEnrolled(
        tenant_id=head.tenant_id,
        agent_id=head.agent_id,
        hostname=head.hostname,
        platform=head.platform,
        agent_version=head.agent_version,
        enrolled_at=head.enrolled_at,
    )


def _declared(head: bucket.Head, version: int) -> PlanDeclared:
    declaration = rules.reported.Declaration.model_validate(head.declaration)
    machine = head.tenant_id, head.agent_id, head.hostname
    return declared(*machine, head.plan_id, head.plan, version, declaration)
