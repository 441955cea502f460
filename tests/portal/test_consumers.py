"""The portal's own copies: late, early, twice, in any order, the end is the same."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from libs.shared import events
from libs.shared.database import transaction
from libs.shared.reasons import Reason
from services.portal import store
from services.portal.consumers import HANDLERS

AT = datetime(2026, 11, 22, 1, 14, tzinfo=UTC)


async def handle(portal: Any, *arrived: events.Event) -> None:
    """Hands events over one by one, each in its transaction, as the inbox does."""
    for event in arrived:
        async with transaction(portal.parts.pool) as conn:
            await HANDLERS[type(event)](conn, event)


def story(tenant_id: UUID) -> list[events.Event]:
    """One plan's first night."""
    plan_id, agent_id, run_id = uuid4(), uuid4(), uuid4()
    plan = {
        "tenant_id": tenant_id, "plan_id": plan_id, "agent_id": agent_id, "hostname": "srv",
        "folders": ("/srv",), "schedule": "15 2 * * *", "timezone": "Europe/Paris", "dumps": (),
        "recipients": ("a@x.example",), "reports": True,
    }  # fmt: skip
    return [
        events.AgentEnrolled(
            tenant_id=tenant_id, agent_id=agent_id, hostname="srv", platform="linux",
            agent_version="0.1.0", enrolled_at=AT,
        ),
        events.PlanDeclared(version=2, name="new name", **plan),
        events.PlanDeclared(version=1, name="old name", **plan),
        events.RunStarted(
            tenant_id=tenant_id, run_id=run_id, plan_id=plan_id, number=1, started_at=AT
        ),
        events.RunFinished(
            tenant_id=tenant_id, run_id=run_id, plan_id=plan_id, plan_name="old name",
            agent_id=agent_id, hostname="srv", number=1, outcome="failed",
            reason=Reason("x", "a \0 in it"), started_at=AT, finished_at=AT + timedelta(minutes=1),
            files_total=1, files_new=1, files_changed=0, files_removed=0, files_not_copied=1,
            bytes_protected=10, bytes_sent=10, stored_bytes=5, restore_point=False,
            not_copied=(events.NotCopied(path="a\0b", reason=Reason("y", detail="no \0")),),
            log_tail="x\0",
            warnings=(Reason("newer", detail="a\0b"),),
        ),
        events.VolumeChanged(tenant_id=tenant_id, stored_bytes=5, protected_bytes=10, sequence=2),
        events.VolumeChanged(tenant_id=tenant_id, stored_bytes=1, protected_bytes=1, sequence=1),
        events.AllowanceChanged(
            tenant_id=tenant_id, version=2, ceiling_bytes=9, blocked=True, reason="full"
        ),
        events.AllowanceChanged(tenant_id=tenant_id, version=1, ceiling_bytes=9, blocked=False),
    ]  # fmt: skip


async def test_order_and_repetition_change_nothing(portal: Any) -> None:
    shuffles = list(itertools.islice(itertools.permutations(range(9)), 0, 362_880, 30_011))
    for order in shuffles:
        tenant_id = uuid4()
        told = story(tenant_id)
        await handle(portal, *(told[n] for n in order), *told)
        async with transaction(portal.parts.pool) as conn:
            [plan] = await store.runs.shown.list_plans(conn, tenant_id)
            assert (plan.name, plan.schedule, plan.hostname) == ("new name", "15 2 * * *", "srv")
            [run] = await store.runs.shown.list_runs(
                conn, tenant_id, plan.plan_id, before=99, limit=9
            )
            assert run.outcome == "failed"
            assert run.reason == Reason("x", "a \ufffd in it")
            missed = events.NotCopied(path="a\ufffdb", reason=Reason("y", detail="no \ufffd"))
            assert run.not_copied == [missed]
            assert run.warnings == [Reason("newer", detail="a\ufffdb")]
            volume = await store.runs.shown.find_volume(conn, tenant_id)
            assert (volume.stored_bytes, volume.blocked) == (5, True)
            assert len(await store.machines.list_agents(conn, tenant_id)) == 1


async def test_a_report_that_came_back_was_not_received(portal: Any) -> None:
    """The mail server took it, and returned it later; of both events either may be first."""
    for order in itertools.permutations(range(3)):
        tenant_id, run_id, plan_id = uuid4(), uuid4(), uuid4()
        one = {"tenant_id": tenant_id, "run_id": run_id, "plan_id": plan_id}
        to = {**one, "recipient": "a@x.example"}
        sent = events.ReportSent(sent_at=AT, **to)
        told = (
            sent,
            events.ReportUndeliverable(reason="no such box", **to),
            events.ReportSent(sent_at=AT, **one, recipient="b@x.example"),
        )
        await handle(portal, *(told[n] for n in order), sent)
        async with transaction(portal.parts.pool) as conn:
            assert await store.runs.shown.list_reports(conn, tenant_id, run_id) == [
                ("a@x.example", None, "no such box"),
                ("b@x.example", AT, ""),
            ]


async def test_what_was_unusual_is_shown_until_it_was_meant_and_then_since_when(
    portal: Any,
) -> None:
    for order in itertools.permutations(range(3)):
        tenant_id = uuid4()
        run = next(one for one in story(tenant_id) if isinstance(one, events.RunFinished))
        plan = {"tenant_id": tenant_id, "plan_id": run.plan_id}
        verdict = Reason("mass-rename", ".locked", 46_210, 47_900)
        judged = events.RunJudged(
            run_id=run.run_id, number=1, verdicts=(verdict,), figures=(), judged_at=AT, **plan
        )
        cleared = [
            events.ExpiryCleared(
                numbers=(number,), reason="", cleared_at=AT + timedelta(days=number), **plan
            )
            for number in (0, 1, 2)
        ]
        told = (run, judged, cleared[1])
        await handle(portal, *(told[n] for n in order), judged, cleared[2], cleared[0])
        async with transaction(portal.parts.pool) as conn:
            [shown] = await store.runs.shown.list_runs(
                conn, tenant_id, run.plan_id, before=99, limit=9
            )
        assert (shown.verdicts, shown.cleared_at) == ([verdict], AT + timedelta(days=1))


async def test_the_day_of_destruction_goes_with_the_end_it_belongs_to(portal: Any) -> None:
    tenant_id = UUID(await portal.open_tenant("Client", "a@client.example"))

    async def due() -> Any:
        async with portal.operator() as api:
            [one] = (await api.get("/api/v1/tenants")).json()["tenants"]
        return one["destruction_due_at"]

    async def step(name: str) -> None:
        async with portal.operator() as api:
            await api.post(f"/api/v1/tenants/{tenant_id}/{name}", json={"reason": "r"})

    def scheduled(version: int, days: int) -> events.DestructionScheduled:
        return events.DestructionScheduled(
            tenant_id=tenant_id, ended_at=AT, due_at=AT + timedelta(days=days), version=version
        )

    await step("end")  # version 2
    await handle(portal, scheduled(2, 30))
    assert await due() is not None
    await step("reinstate")  # version 3
    assert await due() is None
    await handle(portal, scheduled(2, 30))
    assert await due() is None
    await step("end")  # version 4
    await handle(portal, scheduled(4, 60), scheduled(2, 30))
    assert (await due()).startswith("2027-01-21")
