"""Runs are judged: compared with what is usual for their plan, and told of."""

from __future__ import annotations

from libs.shared import clock, logs, outbox
from libs.shared.database import Connection
from libs.shared.events import RunFinished, RunJudged
from services.reporting import rules, store
from services.reporting.rules.usual.judging import Judgement


async def judge_run(conn: Connection, plan: rules.plans.Plan, run: RunFinished) -> Judgement:
    """Judges a restore point by those before, keeps that and says it; an empty one of other runs.

    One that failed is judged as well: whoever makes all runs of a machine fail hides nothing.
    """
    past = await store.usual.list_past(
        conn, run.tenant_id, run.plan_id, run.number, rules.usual.figures.LOOKED_BACK
    )
    before = past[0].figures if past else None
    figures = rules.usual.figures.read_run(run, plan.timezone, before)
    if figures is None:
        return Judgement()
    history = rules.usual.judging.choose_history(past)
    judged = rules.usual.judging.judge(figures, history)
    await store.usual.add(conn, run, figures, is_unusual=bool(judged.verdicts))
    event = RunJudged(
        tenant_id=run.tenant_id,
        run_id=run.run_id,
        plan_id=run.plan_id,
        number=run.number,
        verdicts=judged.verdicts,
        figures=judged.figures,
        moved=judged.moved,
        judged_at=clock.now(),
    )
    await outbox.add(conn, event)
    if judged.verdicts:
        logs.get().warning(
            "run.unusual",
            tenant_id=str(run.tenant_id),
            run_id=str(run.run_id),
            why=[one.code for one in judged.verdicts],
        )
    return judged
