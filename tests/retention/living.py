"""Random lives: expiry and collection as further steps, which cross a client's runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import closing
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from libs.shared.errors import Unavailable
from services.ingest.actions.rebuild import fetching
from services.ingest.actions.rebuild.gathering import gather
from services.retention import actions, rules
from tests.retention.copying import Copying
from tests.retention.house import cancelled

FOREVER = timedelta(days=9_999)


class Life(Copying):
    """Runs, collections and crossings are steps in any order."""

    @initialize()
    def begin(self) -> None:
        self.deleting: asyncio.Task[Any] | None = None
        self.marks: list[actions.collection.packs.Marked] = []
        super().begin()
        # As long as `expire` keeps anything: the audit tells what went before its time.
        self.bench.run(self.client.becomes("active", retention_days=1))

    # --- collection --------------------------------------------------------------------------

    def expire(self) -> None:
        async def expire() -> None:
            keeper = self.house.keeper
            tenant_id = self.client.tenant_id
            window = rules.expiry.Window(timedelta(days=1), self.now + FOREVER)
            for plan_id in self.trees:
                async with keeper.pool.acquire() as conn, conn.transaction():
                    await actions.expiry.judge_window(conn, tenant_id, plan_id, window, self.now)
                    await conn.execute(
                        "UPDATE expiry_holds SET cleared_at = $1, cleared_reason = ''"
                        " WHERE cleared_at IS NULL AND plan_id = $2",
                        self.now,
                        plan_id,
                    )
                await actions.expiry.expire_plan(keeper, tenant_id, plan_id, window, self.now)

        self.bench.run(expire())

    @rule(expires=st.booleans(), acts=st.booleans(), passes=st.sampled_from([True, True, False]))
    def mark(self, expires: bool, acts: bool, passes: bool) -> None:
        if expires:
            self.expire()
        self.now += timedelta(days=2 * passes)
        marked = self.bench.run(
            actions.collection.packs.mark_tenant(self.house.keeper, self.client.tenant_id, self.now)
        )
        self.marks = [*self.marks[-1:], marked]
        for step in ("resurrect", "condemn", "repack") if acts else ():
            self.take_step(step, marked)
        if acts and passes and self.deleting is None:
            self.begin_delete("through", marked)

    @precondition(lambda self: self.marks)
    @rule(step=st.sampled_from(["resurrect", "condemn", "repack", "forget"]), old=st.booleans())
    def act(self, step: str, old: bool) -> None:
        self.take_step(step, self.marks[0 if old else -1])

    def take_step(self, step: str, marked: actions.collection.packs.Marked) -> None:
        keeper = self.house.keeper
        steps: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "resurrect": lambda: actions.collection.packs.resurrect(keeper, marked),
            "condemn": lambda: actions.collection.packs.condemn(keeper, marked, self.now),
            "repack": lambda: actions.collection.repacking.repack(keeper, marked, self.now),
            "forget": lambda: actions.collection.packs.forget(keeper, marked.mark, self.now),
        }
        gate, self.house.objects.after_put = self.house.objects.after_put, None
        try:
            done = self.bench.run(steps[step]())
        except actions.collection.packs.MarkOutdated:
            assert marked is not self.marks[-1]
            return
        finally:
            self.house.objects.after_put = gate
        if isinstance(done, actions.collection.packs.Collected):
            assert not done.failed
            for name in ("condemned", "repacked", "resurrected"):
                if getattr(done, name):
                    self.bench.count(name)

    @precondition(lambda self: self.marks and self.deleting is None)
    @rule(how=st.sampled_from(["through", "waits", "dies"]), old=st.booleans())
    def delete(self, how: str, old: bool) -> None:
        """Deletes, or stays between rows and objects, or dies there."""
        self.begin_delete(how, self.marks[0 if old else -1])

    def begin_delete(self, how: str, marked: actions.collection.packs.Marked) -> None:
        async def delete() -> asyncio.Task[Any] | None:
            objects = self.house.objects
            objects.refuses_deletes = how == "dies"
            objects.before_delete = asyncio.Event() if how == "waits" else None
            task = asyncio.create_task(
                actions.collection.packs.delete(self.house.keeper, marked, self.now)
            )
            arrived = asyncio.create_task(objects.delete_arrived.wait())
            await asyncio.wait([task, arrived], return_when=asyncio.FIRST_COMPLETED)
            await cancelled(arrived)
            objects.refuses_deletes = False
            if not task.done():
                return task
            objects.before_delete = None
            try:
                done = task.result()
                self.bench.count(f"deleted {done.deleted > 0}")
            except actions.collection.packs.MarkOutdated:
                assert marked is not self.marks[-1]
            except Unavailable:
                assert how == "dies"
                self.bench.count("died before deleting objects")
            return None

        self.deleting = self.bench.run(delete())
        if self.deleting is not None:
            self.bench.count("deletion waits")
        self.check_all_readable()

    @precondition(lambda self: self.deleting is not None)
    @rule(dies=st.booleans())
    def end_delete(self, dies: bool) -> None:
        task, self.deleting = self.deleting, None

        async def end() -> None:
            gate, self.house.objects.before_delete = self.house.objects.before_delete, None
            assert task is not None
            assert gate is not None
            if dies:
                await cancelled(task)
            gate.set()
            if not dies:
                await task

        self.bench.run(end())
        self.check_all_readable()

    @precondition(lambda self: self.deleting is None)
    @rule()
    def finish_removals_and_sweep(self) -> None:
        async def sweep() -> None:
            keeper, tenant_id = self.house.keeper, self.client.tenant_id
            await actions.collection.packs.remove_objects(keeper, tenant_id, self.now)
            store_now = self.now + timedelta(days=2)
            if await actions.collection.strays.sweep_strays(keeper, tenant_id, self.now, store_now):
                self.bench.count("swept")
            if await actions.parts.sweep_parts(keeper, tenant_id, self.now, store_now):
                self.bench.count("swept parts")

        self.bench.run(sweep())
        self.check_all_readable()

    # --- the end -----------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        if self.uploading is not None:
            self.end_upload(dies=False)
        if self.deleting is not None:
            self.end_delete(dies=False)
        self.open_gates()
        self.bench.run(self.come_to_rest())

    async def come_to_rest(self) -> None:
        """Once nobody is busy any more, what is stored is what is needed, and sparse no more."""
        keeper, tenant_id = self.house.keeper, self.client.tenant_id
        for _ in range(3):
            self.now += timedelta(days=2)
            done = await actions.collection.tenant.collect_tenant(keeper, tenant_id, self.now)
            assert not done.failed
        await actions.collection.strays.sweep_strays(
            keeper, tenant_id, self.now, self.now + timedelta(days=2)
        )
        await actions.parts.sweep_parts(keeper, tenant_id, self.now, self.now + timedelta(days=2))
        assert await self.client.objects() == set(await self.client.packs())
        marked = await actions.collection.packs.mark_tenant(keeper, tenant_id, self.now)
        assert {verdict for verdict, packs in marked.packs.items() if packs} <= {"keep"}
        for usage in marked.packs.get("keep", []):
            assert usage.needed_bytes, "what nothing needs has gone"
        async for one in actions.audit.repairing.audit_tenant(
            keeper, tenant_id, self.now, self.now + timedelta(days=2), repair=False
        ):
            raise AssertionError(one)
        for found in await fetching.list_runs(self.house.ingest, tenant_id):
            gathered = await gather(self.house.ingest, tenant_id, self.client.keys, found)
            with closing(gathered.file):
                assert gathered.troubles == [], "a rebuild finds every part that it needs"
