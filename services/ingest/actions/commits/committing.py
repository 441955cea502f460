"""The commit of a run: all of it becomes a restore point at once, or nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from libs.shared import bucket, clock, logs, reasons, timekeeping
from libs.shared.catalogue import volumes
from libs.shared.catalogue.volumes import Volume
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection
from libs.shared.entries import EntryFault, EntryRejected
from libs.shared.events import Counted, Outcome
from libs.shared.keys import TenantKeys
from libs.shared.proofs import Prover
from libs.shared.reasons import Reason
from services.ingest import rules, store
from services.ingest.actions.agents import check_again
from services.ingest.actions.commits.applying import Application
from services.ingest.actions.intake.deltas import hold_packs
from services.ingest.actions.manifests.ends import put_head, tell_end
from services.ingest.actions.proofs import find_root, is_as_sealed, seal
from services.ingest.actions.resources import WAIT_SECONDS, Resources
from services.ingest.actions.runs.ending import say_finished
from services.ingest.actions.runs.holding import find_run, hold_plan, use_run
from services.ingest.actions.scripts.bundling import bundle_files, check_bundled
from services.ingest.actions.usage import tell


async def commit_run(
    resources: Resources, agent: rules.agents.Agent, run_id: UUID, commit: rules.reported.Commit
) -> dict[str, Any]:
    """Ends a run; the same again gives the same answer.

    The manifest's head is stored before the transaction, under a key of its own, and the run's
    end after it: which heads became restore points is told by docs/decisions/0013.
    """
    ending = commit.shortened()
    plan_id = (await find_run(resources, agent, run_id)).plan_id
    async with hold_plan(resources, agent, plan_id) as (conn, plan):
        run, answer = await _look(resources, conn, agent, run_id)
        if answer is not None:
            return answer
        outcome, reason = rules.commits.decide_outcome(
            commit.outcome_hint,
            ending.counters,
            ending.dumps,
            plan.declaration["dumps"],
            ending.warnings,
            ending.reason,
        )
        ending = await tell(conn, run.tenant_id, ending, clock.now())
        has_files = await store.scripts.has_files(conn, run_id)
        rules.scripts.check_form(commit, has_files=has_files)
    mark: store.scripts.Mark | None = None
    count = commit.batches or 0
    if has_files:
        # By the same commit, sent twice: the next look tells.
        with suppress(rules.refusals.RunClosed):
            count, mark = await bundle_files(resources, agent, run)
    async with hold_plan(resources, agent, plan_id) as (conn, plan):
        run, answer = await _look(resources, conn, agent, run_id)
        if answer is not None:
            return answer
        batches = await _check_delta(conn, run, plan, count)
        await _find_dropped(conn, run, names_all=has_files or commit.full)
        await store.manifests.due.mark_tried(conn, run.tenant_id, run_id, clock.now())
    head = _head(run, plan, ending, batches, (outcome, reason), full=commit.full)
    head_key = await put_head(resources, head)
    crashpoint("ingest.before_commit_run")
    keys = await resources.keys.get(run.tenant_id)
    async with resources.batches.hold(agent.tenant_id, 1, WAIT_SECONDS):
        answer = await _apply(
            resources,
            keys,
            agent,
            run,
            ending,
            (outcome, reason, head_key),
            count,
            mark,
            full=commit.full,
        )
    crashpoint("ingest.after_commit_run")
    await tell_end(resources, run.tenant_id, run_id)
    crashpoint("ingest.after_tell_end")
    return answer


async def _look(
    resources: Resources, conn: Connection, agent: rules.agents.Agent, run_id: UUID
) -> tuple[rules.runs.Run, dict[str, Any] | None]:
    """The run, whose plan is held, and the answer where it was committed before."""
    run = await store.runs.find(conn, agent.tenant_id, agent.agent_id, run_id)
    assert run is not None
    if run.answer is not None:
        return run, run.answer
    return await use_run(resources, conn, agent, run_id), None


def _answer(run: rules.runs.Run, outcome: Outcome, volume: Volume) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "reason": reasons.write(run.reason),
        "run_id": str(run.run_id),
        "number": run.number,
        "restore_point": True,
        "stored_bytes": volume.stored_bytes,
        "protected_bytes": volume.protected_bytes,
    }


async def _check_delta(
    conn: Connection, run: rules.runs.Run, plan: store.plans.Plan, count: int
) -> list[store.intake.deltas.Batch]:
    """The run's batches, all there and on top of the newest restore point."""
    if run.parent != plan.last_run:
        raise rules.refusals.ParentOutdated(run.parent, plan.last_run)
    batches = await store.intake.deltas.list_batches(conn, run.run_id, count)
    if len(batches) != count:
        have = {batch.batch for batch in batches}
        raise rules.refusals.BatchesMissing(
            [number for number in range(count) if number not in have]
        )
    return batches


async def _find_dropped(conn: Connection, run: rules.runs.Run, *, names_all: bool) -> list[UUID]:
    """The reductions whose versions this run closes, as its machine was told what they left.

    names_all: the run needs no list: it names all files, or only what a script puts.
    """
    unsettled = await store.reductions.list_unsettled(conn, run.tenant_id, run.plan_id)
    dropped = [one for one in unsettled if not one.is_withdrawn]
    if run.parent is not None and not names_all:
        was_told = all(one.told_run == run.number for one in dropped)
        is_undone = any(one.is_withdrawn and one.told_run == run.number for one in unsettled)
        if is_undone or not was_told:
            raise rules.refusals.ParentOutdated(run.parent, run.parent)
    return [one.reduction_id for one in dropped]


def _head(
    run: rules.runs.Run,
    plan: store.plans.Plan,
    ending: rules.reported.Ending,
    batches: list[store.intake.deltas.Batch],
    verdict: tuple[Outcome, Reason | None],
    *,
    full: bool,
) -> bucket.Head:
    """A manifest's head: with it and its parts the run can be rebuilt."""
    return bucket.Head(
        tenant_id=run.tenant_id,
        plan_id=run.plan_id,
        plan=plan.name,
        plan_version=plan.version,
        plan_created_at=plan.created_at,
        agent_id=run.agent_id,
        hostname=plan.hostname,
        platform=plan.platform,
        agent_version=plan.agent_version,
        enrolled_at=plan.enrolled_at,
        declaration=plan.declaration,
        run_id=run.run_id,
        number=run.number,
        parent=run.parent,
        full=full,
        started_at=run.started_at,
        asked_at=clock.now(),
        outcome=verdict[0],
        reason=verdict[1],
        counters=ending.counters.model_dump(exclude_none=True),
        parts=[
            bucket.StoredPart(batch.object_key, batch.sha256.hex(), batch.entries)
            for batch in batches
        ],
    )


async def _apply(
    resources: Resources,
    keys: TenantKeys,
    agent: rules.agents.Agent,
    run: rules.runs.Run,
    ending: rules.reported.Ending,
    verdict: tuple[Outcome, Reason | None, str],
    count: int,
    mark: store.scripts.Mark | None,
    *,
    full: bool,
) -> dict[str, Any]:
    """The one transaction: delta, restore point, volume, run and events.

    mark: the files that the batches were made of, where a script put them.
    """
    try:
        async with hold_plan(resources, agent, run.plan_id) as (conn, plan):
            run, answer = await _look(resources, conn, agent, run.run_id)
            if answer is not None:
                return answer
            now = await _tell_time(conn, run)
            await store.sessions.allow_long_statements(conn)
            batches = await _check_delta(conn, run, plan, count)
            names_all = full or mark is not None
            dropped = await _find_dropped(conn, run, names_all=names_all)
            if mark is not None:
                await check_bundled(conn, run, mark)
            resurrected_bytes = await hold_packs(resources, conn, run, batches)
            prover = Prover(keys)
            delta = Application(
                resources, conn, run, now, prover, full=full, counts=mark is not None
            )
            place = store.plans.CommitPlace(run.tenant_id, run.plan_id, run.number)
            before = await find_root(conn, place, prover)
            if dropped:
                await delta.drop(dropped)
            if count or full or dropped:
                await delta.apply(count)
            totals = await _add_point(conn, keys, run, delta, prover, before, now)
            counted = await _count(conn, run, plan, delta, totals, batches)
            answer = await _close(
                conn, run, plan, ending, verdict, delta, counted, resurrected_bytes, mark, now
            )
            entries = sum(batch.entries for batch in batches)
            is_whole = full or run.parent is None
            await store.manifests.due.count_delta(
                conn, run.tenant_id, run.plan_id, entries, is_whole=is_whole
            )
            crashpoint("ingest.in_commit_run")
            await check_again(conn, agent)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "versions_pkey":
            raise
        raise EntryRejected(b"", EntryFault("an entry is in two batches of the run")) from None
    logs.get().info(
        "run.committed",
        tenant_id=str(run.tenant_id),
        run_id=str(run.run_id),
        outcome=verdict[0],
        entries=entries,
    )
    return answer


async def _tell_time(conn: Connection, run: rules.runs.Run) -> datetime:
    """Now; whatever the clocks say, a restore point never came before its parent."""
    place = store.plans.CommitPlace(run.tenant_id, run.plan_id, run.number)
    parent_at = await store.commits.find_committed_at(conn, place, run.parent)
    now = await timekeeping.tell_time(conn)
    return max(now, parent_at or now)


async def _add_point(
    conn: Connection,
    keys: TenantKeys,
    run: rules.runs.Run,
    delta: Application,
    prover: Prover,
    before: int,
    now: datetime,
) -> tuple[int, int]:
    """Seals what the plan came to and makes it a restore point; returns its (files, bytes).

    before: the digest of the root folder before the delta.
    """
    place = store.plans.CommitPlace(run.tenant_id, run.plan_id, run.number)
    parent = await store.proofs.find_point(conn, place, run.parent)
    totals = (parent.files_total + delta.files, parent.bytes_protected + delta.size_bytes)
    sealed = None
    # A seal on top of what was altered would make it good.
    if is_as_sealed(keys, place, run.parent, parent.sealed, before):
        root = await find_root(conn, place, prover)
        link = (run.run_id, run.parent, parent.sealed)
        sealed = seal(keys, prover, place, link, totals, root, now)
    else:
        logs.get().error("restore_point.unproven", run_id=str(run.run_id), parent=run.parent)
    await store.commits.add_restore_point(conn, place, run.run_id, *totals, now, sealed)
    return totals


async def _count(
    conn: Connection,
    run: rules.runs.Run,
    plan: store.plans.Plan,
    delta: Application,
    totals: tuple[int, int],
    batches: Sequence[store.intake.deltas.Batch],
) -> Counted:
    """What the restore point is beside the one before; where nothing came, nothing is looked at."""
    place = store.plans.CommitPlace(run.tenant_id, run.plan_id, run.number)
    ending = rules.commits.find_commonest(delta.endings)
    gone = store.counts.Superseded(0, 0, 0, 0, 0)
    if run.parent is not None and delta.is_applied:
        gone = await store.counts.count_superseded(conn, place, ending)
    dumps = await store.counts.list_dumps(conn, place) if plan.declaration["dumps"] else []
    return Counted(
        files_total=totals[0],
        files_new=max(delta.added - gone.replaced, 0),
        files_changed=gone.changed,
        files_removed=gone.removed,
        bytes_protected=totals[1],
        bytes_replaced=gone.size_bytes,
        new_bytes=sum(batch.new_bytes for batch in batches),
        packed_bytes=sum(batch.packed_bytes for batch in batches),
        ending=ending.decode("utf-8", "replace"),
        files_renamed=gone.renamed,
        dumps=tuple(dumps),
    )


async def _close(
    conn: Connection,
    run: rules.runs.Run,
    plan: store.plans.Plan,
    ending: rules.reported.Ending,
    verdict: tuple[Outcome, Reason | None, str],
    delta: Application,
    counted: Counted,
    resurrected_bytes: int,
    mark: store.scripts.Mark | None,
    now: datetime,
) -> dict[str, Any]:
    outcome, reason, head_key = verdict
    if mark is not None:
        ending = rules.scripts.count_files(
            ending,
            files_total=counted.files_total,
            bytes_protected=counted.bytes_protected,
            bytes_sent=mark.size_bytes,
            added=delta.added,
            changed=delta.changed,
            more=delta.files,
        )
    volume = await volumes.change(conn, run.tenant_id, resurrected_bytes, delta.size_bytes)
    run = replace(run, state="committed", outcome=outcome, reason=reason)
    answer = _answer(run, outcome, volume)
    closed = await store.runs.finish(
        conn,
        run.tenant_id,
        run.run_id,
        state="committed",
        outcome=outcome,
        reason=reason,
        answer=answer,
        now=now,
        head_key=head_key,
    )
    if not closed:
        raise rules.refusals.RunClosed("failed", None)
    await say_finished(conn, run, plan, outcome, ending, volume.stored_bytes, now, counted)
    await store.proofs.count_point(conn, run.tenant_id)
    return answer
