"""The portal's own copies: late, early, twice, in any order, the end is the same."""

from __future__ import annotations

import itertools
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from libs.shared import clock, events
from libs.shared.database import transaction
from libs.shared.reasons import Reason
from services.portal import jobs, store
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


async def test_clients_are_judged_by_their_last_runs_in_whatever_order_these_are_told(
    portal: Any,
) -> None:
    for order in itertools.permutations(range(3)):
        tenant_id = UUID(await portal.open_tenant("Dupré", f"{uuid4().hex}@dupre.example"))
        first = next(one for one in story(tenant_id) if isinstance(one, events.RunFinished))
        told = [first] + [
            first.model_copy(
                update={
                    "run_id": uuid4(), "number": number, "outcome": outcome,
                    "finished_at": AT + timedelta(days=number),
                }
            )
            for number, outcome in ((2, "failed"), (3, "succeeded_with_warnings"))
        ]  # fmt: skip
        await handle(portal, *(told[n] for n in order), first)
        async with transaction(portal.parts.pool) as conn:
            [seen] = [
                one for one in await store.clients.list_all(conn) if one.tenant_id == tenant_id
            ]
        assert (seen.plans, seen.failing_plans, seen.reserved_plans) == (1, 0, 1)
        assert seen.last_finished_at == AT + timedelta(days=3)


async def test_what_an_older_portal_heard_meanwhile_is_noted_beside_its_plan(portal: Any) -> None:
    tenant_id = UUID(await portal.open_tenant("Dupré", f"{uuid4().hex}@dupre.example"))
    first = next(one for one in story(tenant_id) if isinstance(one, events.RunFinished))
    second = {"run_id": uuid4(), "number": 2, "outcome": "failed"}
    await handle(portal, first, first.model_copy(update=second))
    noted = "SELECT last_number, last_outcome FROM portal.plans WHERE tenant_id = $1"
    for number, outcome in ((None, None), (1, "succeeded")):  # as after an update, and one back
        await portal.admin.execute(
            "UPDATE portal.plans SET last_number = $2, last_outcome = $3 WHERE tenant_id = $1",
            tenant_id,
            number,
            outcome,
        )
        assert await jobs.note_last_runs(portal.parts) == 1
        assert tuple(await portal.admin.fetchrow(noted, tenant_id)) == (2, "failed")
    assert await jobs.note_last_runs(portal.parts) == 0


async def test_a_report_that_came_back_was_not_received(portal: Any) -> None:
    """The mail server took it, and returned it later; of both events either may be first."""
    for order in itertools.permutations(range(3)):
        tenant_id, run_id, plan_id = uuid4(), uuid4(), uuid4()
        one = {"tenant_id": tenant_id, "run_id": run_id, "plan_id": plan_id}
        to = {**one, "recipient": "a@x.example"}
        sent = events.ReportSent(sent_at=AT, subject="[ECHEC]", text="as it was sent", **to)
        told = (
            sent,
            events.ReportUndeliverable(reason="no such box", **to),
            events.ReportSent(sent_at=AT, **one, recipient="b@x.example"),
        )
        await handle(portal, *(told[n] for n in order), sent)
        async with transaction(portal.parts.pool) as conn:
            reports = await store.runs.shown.list_reports(conn, tenant_id, run_id)
        assert [astuple(one) for one in reports] == [
            ("a@x.example", None, "no such box", "[ECHEC]", "as it was sent"),
            ("b@x.example", AT, "", "", ""),
        ]
        for days, text in ((399, "as it was sent"), (401, "")):
            async with transaction(portal.parts.pool) as conn:
                before = clock.now() + timedelta(days=days) - events.MAIL_KEPT
                await store.runs.received.forget_mails(conn, before, 10)
                [one, _] = await store.runs.shown.list_reports(conn, tenant_id, run_id)
            assert (one.subject, one.body) == ("[ECHEC]", text)


async def test_what_was_unusual_is_shown_until_it_was_meant_and_then_since_when(
    portal: Any,
) -> None:
    for order in itertools.permutations(range(3)):
        tenant_id = uuid4()
        run = next(one for one in story(tenant_id) if isinstance(one, events.RunFinished))
        plan = {"tenant_id": tenant_id, "plan_id": run.plan_id}
        verdict = Reason("mass-rename", ".locked", 46_210, 47_900)
        judged = events.RunJudged(
            run_id=run.run_id, number=1, verdicts=(verdict,), figures=(), judged_at=AT, **plan,
            moved=(moved := events.MovedBytes(name="read", now=5, usual=4, spread=1),),
        )  # fmt: skip
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
        assert shown.moved == [moved]


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
