"""A client of the random lives: its runs, cut at every step, and what must hold after each."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from libs.shared import clock
from tests.retention.house import Client, House, cancelled
from tests.world.agents import Refused

# Too small to be compressed, of sizes that make some packs worth repacking.
CONTENTS = [bytes([65 + n]) * (40 + 60 * (n % 4)) for n in range(8)]
NAMES = [b"a", b"b", b"c"]


@dataclass
class Run:
    """A run of the model: what it means to store, and whether its batch was taken."""

    plan_id: UUID
    run_id: UUID
    files: dict[bytes, tuple[bytes, ...]]
    removed: list[bytes]
    is_taken: bool = False


@dataclass
class Bench:
    """The loop and the house that all examples share."""

    runner: asyncio.Runner
    house: House
    steps: dict[str, int] = field(default_factory=dict)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def count(self, step: str) -> None:
        self.steps[step] = self.steps.get(step, 0) + 1


class Copying(RuleBasedStateMachine):
    """One client with two plans, whose runs are steps in any order; and what must always hold."""

    bench: Bench

    @initialize()
    def begin(self) -> None:
        self.house = self.bench.house
        self.now: datetime = clock.now() + timedelta(hours=1)
        self.runs: dict[UUID, Run] = {}
        self.trees: dict[UUID, dict[bytes, tuple[bytes, ...]]] = {}
        self.uploading: asyncio.Task[Any] | None = None
        self.open_gates()
        self.client: Client = self.bench.run(self.house.tenant())
        for name in ("docs", "mails"):
            self.trees[self.bench.run(self.client.plan(name))] = {}

    def open_gates(self) -> None:
        objects = self.house.objects
        for gate in (objects.after_put, objects.before_delete):
            if gate is not None:
                gate.set()
        objects.after_put = objects.before_delete = None
        objects.refuses_deletes = False

    # --- runs ------------------------------------------------------------------------------

    @rule(
        which=st.integers(0, 1),
        names=st.sets(st.sampled_from(NAMES), min_size=1),
        content=st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=5, unique=True),
        keep=st.booleans(),
        extra=st.sets(st.sampled_from(CONTENTS), max_size=3),
        far=st.sampled_from(["commits", "commits", "takes batch", "uploads", "starts"]),
    )
    def start_run(
        self,
        which: int,
        names: set[bytes],
        content: list[bytes],
        keep: bool,
        extra: set[bytes],
        far: str,
    ) -> None:
        plan_id = list(self.trees)[which]
        # A small file is one chunk: ingest refuses another.
        files = {name: (content[i % len(content)],) for i, name in enumerate(sorted(names))}
        removed = [] if keep else [name for name in self.trees[plan_id] if name not in files]
        run_id = self.bench.run(self.client.start(plan_id))
        run = self.runs[plan_id] = Run(plan_id, run_id, files, removed)
        if far != "starts":
            self.send_missing(run, extra)
        if far in ("takes batch", "commits"):
            run.is_taken = self.bench.run(self.take(run))
        if far == "commits" and run.is_taken:
            self.end_run(run)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), extra=st.sets(st.sampled_from(CONTENTS), max_size=2))
    def upload(self, data: st.DataObject, extra: set[bytes]) -> None:
        self.send_missing(self.choose_run(data), extra)

    def send_missing(self, run: Run, extra: set[bytes]) -> None:
        """Sends what is missing, and more in the same pack."""
        contents = sorted({one for file in run.files.values() for one in file})

        async def send() -> None:
            missing = await self.client.missing(run.run_id, contents)
            if missing:
                await self.attempt(self.client.upload(run.run_id, *sorted({*missing, *extra})))

        self.bench.run(send())

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def take_batch(self, data: st.DataObject) -> None:
        run = self.choose_run(data)
        run.is_taken = self.bench.run(self.take(run)) or run.is_taken

    async def take(self, run: Run) -> bool:
        return await self.attempt(self.client.batch(run.run_id, run.files, run.removed))

    @precondition(lambda self: any(run.is_taken for run in self.runs.values()))
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        taken = [run for run in self.runs.values() if run.is_taken]
        self.end_run(taken[data.draw(st.integers(0, len(taken) - 1))])

    def end_run(self, run: Run) -> None:
        if self.bench.run(self.attempt(self.client.commit(run.run_id))):
            tree = self.trees[run.plan_id]
            tree.update(run.files)
            for name in run.removed:
                tree.pop(name)
            del self.runs[run.plan_id]
            self.bench.count("commit")
            self.check_all_readable()

    # --- an upload that waits between its object and its rows --------------------------------

    @precondition(lambda self: self.runs and self.uploading is None)
    @rule(data=st.data(), contents=st.sets(st.sampled_from(CONTENTS), min_size=1, max_size=3))
    def begin_upload(self, data: st.DataObject, contents: set[bytes]) -> None:
        run = self.choose_run(data)

        async def begin() -> asyncio.Task[Any] | None:
            self.house.objects.after_put = asyncio.Event()
            task = asyncio.create_task(self.attempt(self.client.upload(run.run_id, *contents)))
            arrived = asyncio.create_task(self.house.objects.put_arrived.wait())
            await asyncio.wait([task, arrived], return_when=asyncio.FIRST_COMPLETED)
            await cancelled(arrived)
            if not task.done():
                return task
            self.house.objects.after_put = None
            return None

        self.uploading = self.bench.run(begin())

    @precondition(lambda self: self.uploading is not None)
    @rule(dies=st.booleans())
    def end_upload(self, dies: bool) -> None:
        task, self.uploading = self.uploading, None

        async def end() -> None:
            gate, self.house.objects.after_put = self.house.objects.after_put, None
            assert task is not None
            if dies:
                await cancelled(task)
            assert gate is not None
            gate.set()
            if not dies:
                acknowledged = await task
                self.bench.count("crossed upload " + ("kept" if acknowledged else "refused"))

        self.bench.run(end())
        self.check_all_readable()

    # --- what must hold ----------------------------------------------------------------------

    @invariant()
    def the_volume_is_exact(self) -> None:
        if not hasattr(self, "client"):
            return
        rows = self.bench.run(
            self.house.fetch(
                "SELECT v.stored_bytes, (SELECT coalesce(sum(object_bytes), 0)"
                " FROM catalogue.packs p WHERE p.tenant_id = $1 AND p.state <> 'condemned'),"
                " v.protected_bytes FROM catalogue.volumes v WHERE v.tenant_id = $1",
                self.client.tenant_id,
            )
        )
        for stored, summed, protected in rows:
            assert stored == summed
            files = [file for tree in self.trees.values() for file in tree.values()]
            assert protected == sum(len(content) for file in files for content in file)

    def check_all_readable(self) -> None:
        """Every chunk that any version needs opens: current ones, and those of older points."""

        async def check() -> None:
            rows = await self.house.fetch(
                "SELECT DISTINCT substr(chunk_ids, at, 32) FROM catalogue.versions,"
                " generate_series(1, octet_length(chunk_ids), 32) AS at WHERE tenant_id = $1",
                self.client.tenant_id,
            )
            known = {self.client.id_of(content): content for content in CONTENTS}
            needed = [known[row[0]] for row in rows]
            for tree in self.trees.values():
                for file in tree.values():
                    assert set(file) <= set(needed)
            await self.client.read(needed)

        self.bench.run(check())

    # --- small things ------------------------------------------------------------------------

    def choose_run(self, data: st.DataObject) -> Run:
        runs = list(self.runs.values())
        return runs[data.draw(st.integers(0, len(runs) - 1))]

    async def attempt(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Whether ingest took it; a refusal is an answer, an error of ours is not."""
        gate = self.house.objects.after_put
        if self.uploading is not None:
            self.house.objects.after_put = None
        try:
            await work
        except Refused as refused:
            self.bench.count(f"refused {refused.code}")
            return False
        finally:
            if self.uploading is not None:
                self.house.objects.after_put = gate
        return True
