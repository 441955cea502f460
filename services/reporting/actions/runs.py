"""The mails of runs, once client and plan are known."""

from __future__ import annotations

from uuid import UUID

from libs.shared import clock, logs
from libs.shared.database import Connection
from libs.shared.events import RunFinished
from services.reporting import rules, store
from services.reporting.actions import hotline, incidents, mails, missed, usual
from services.reporting.actions.resources import Resources
from services.reporting.mail import letters
from services.reporting.mail.letters.figures import RunFacts
from services.reporting.mail.letters.hotline import HotlineFacts


async def report_waiting(conn: Connection, resources: Resources, tenant_id: UUID) -> None:
    """Writes the mails of every run whose client and plan are known by now.

    Whichever comes last of run, plan and client leads here, so their order does not matter.
    """
    tenant = await store.clients.find(conn, tenant_id)
    if tenant is None:
        return
    for run in await store.runs.list_waiting(conn, tenant_id):
        plan = await store.plans.find(conn, tenant_id, run.plan_id)
        if plan is not None:
            await _report(conn, resources, tenant, plan, run)


async def _report(
    conn: Connection,
    resources: Resources,
    tenant: rules.clients.Tenant,
    plan: rules.plans.Plan,
    run: RunFinished,
) -> None:
    tenant_id = tenant.tenant_id
    judged = await usual.judge_run(conn, plan, run)
    recovers = run.outcome != "failed" and await store.runs.is_after_trouble(
        conn, tenant_id, run.plan_id, run.number
    )
    await missed.note_run(conn, resources, tenant_id, plan, run)
    audience = await store.plans.find_audience(conn, tenant_id, run.plan_id)
    facts = RunFacts(
        run,
        tenant,
        plan,
        audience,
        judged,
        resources.portal_url,
        resources.mail_key,
        before=next(
            iter(await store.runs.list_before(conn, tenant_id, run.plan_id, run.number, 1)), None
        ),
        past=await store.runs.list_past(
            conn, tenant_id, run.plan_id, run.number, rules.runs.SHOWN - 1
        ),
        row=await store.runs.find_row(conn, tenant_id, run.plan_id, run.number),
        good=None
        if run.restore_point
        else await store.runs.find_last_good(conn, tenant_id, run.plan_id),
        has_recovered=recovers,
    )
    written = await mails.write(conn, resources, tenant_id, letters.report.KIND, facts)
    if judged.verdicts and not tenant.is_over:
        await hotline.report_unusual(conn, resources, facts)
    if run.outcome == "failed":
        written += await _tell_hotline(conn, resources, facts)
    else:
        await hotline.note_success(conn, resources, tenant, plan, run)
    await store.runs.mark_reported(conn, tenant_id, run.run_id, clock.now(), recovers=recovers)
    logs.get().info(
        "run.reported",
        tenant_id=str(tenant_id),
        run_id=str(run.run_id),
        outcome=run.outcome,
        mails=written,
    )


async def _tell_hotline(conn: Connection, resources: Resources, facts: RunFacts) -> int:
    """Writes to the hotline where an incident begins, or has gone on for long.

    Nothing begins for a client whose subscription has ended: its machines can only fail.
    """
    run = facts.run
    if facts.tenant.is_over:
        return 0
    noted = await incidents.note_failure(conn, resources, run)
    incident, step = noted or (None, None)
    if incident is None or step is None or step == "repeated":
        return 0
    before = await store.runs.list_before(
        conn, run.tenant_id, run.plan_id, run.number, rules.incidents.LISTED_BEFORE
    )
    told = HotlineFacts(facts, incident, step, before, resources.hotline)
    return await mails.write(conn, resources, run.tenant_id, letters.hotline.KIND, told)
