"""The entries of a plan's newest restore point, for an agent that lost its own list."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing
from functools import partial
from typing import BinaryIO
from uuid import UUID

from libs.shared import batches, catalogue, frames
from libs.shared.entries import Entry
from libs.shared.errors import NotFound
from libs.shared.passing_files import room_told
from services.ingest import rules, store
from services.ingest.actions.resources import WAIT_SECONDS, Resources

_BATCH_BYTES = 4 * 1024 * 1024
_READ_BYTES = 256 * 1024


async def list_entries(
    resources: Resources, agent: rules.agents.Agent, plan_id: UUID
) -> tuple[int | None, BinaryIO]:
    """Returns (number of the newest restore point or None, its entries as a file of frames).

    A frame holds a batch of entries as in a delta. Written to disk first, so that a slow reader
    holds up no other. Raises NotFound, NoRoom, and the refusal of a subscription that lets nothing
    in.
    """
    rules.agents.check_subscription(agent.subscription, agent.subscription_reason)
    with room_told(), ExitStack() as undo:
        file = undo.enter_context(tempfile.TemporaryFile())
        async with resources.transaction(agent.tenant_id) as conn:
            plan = await catalogue.find_plan(conn, agent.tenant_id, plan_id)
            if plan is None or plan.agent_id != agent.agent_id:
                raise NotFound("plan")
            # Before the list is read: what is dropped between is then told as well.
            await store.reductions.put_reported(conn, agent.tenant_id, plan_id)
        if plan.last_run is not None:
            tree = catalogue.Tree(agent.tenant_id, plan_id, plan.last_run)
            begin = partial(resources.transaction, agent.tenant_id)
            async with (
                resources.batches.hold(agent.tenant_id, 1, WAIT_SECONDS),
                aclosing(catalogue.walk(begin, tree, catalogue.ENTRIES)) as walked,
            ):
                async for folders in walked:
                    await resources.in_thread(agent.tenant_id, _write, file, folders)
        file.write(frames.END)
        file.seek(0)
        undo.pop_all()
    return plan.last_run, file


async def read_file(file: BinaryIO) -> AsyncIterator[bytes]:
    """Yields a file piece by piece, and closes it."""
    with file:
        while piece := file.read(_READ_BYTES):
            yield piece


def _write(file: BinaryIO, folders: list[tuple[bytes, list[Entry]]]) -> None:
    parts = batches.cut_deltas(folders, _BATCH_BYTES)
    file.writelines(frames.frame(batches.encode_batch(part)) for part in parts)
