"""The fixed facts that specimens of mails are made of."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid5

from libs.shared.events import (
    DumpResult,
    Event,
    NotCopied,
    Outcome,
    OverageOpened,
    RunJudged,
)
from libs.shared.reasons import Reason
from services.reporting import rules
from services.reporting.mail.letters.figures import RunFacts
from services.reporting.rules.incidents import Incident
from services.reporting.rules.mails import Mail
from services.reporting.rules.missed import Expectation
from services.reporting.rules.runs import EndedRun, Row
from services.reporting.rules.usual.judging import Judgement
from tests.reporting.conftest import MAIL_KEY, Client, compared
from tests.world.overages import told

EVENTS = Path(__file__).parents[2] / "shared" / "golden"
TENANT = UUID("5f0c7a3e-1c55-4d7b-9d7e-5c1b1a6c0001")
PLAN = UUID("5f0c7a3e-1c55-4d7b-9d7e-5c1b1a6c0003")
NIGHT = datetime(2026, 11, 22, 22, 5, tzinfo=UTC)
PORTAL = "https://portal.example"
HOTLINE = ("hotline@provider.example",)
ZONE = "Europe/Paris"
NIGHTS: tuple[Outcome, ...] = (
    *("succeeded",) * 6, "succeeded_with_warnings", "succeeded", "succeeded", "failed",
    *("succeeded",) * 3,
)  # fmt: skip
E = TypeVar("E", bound=Event)

CLIENT = Client(tenant_id=TENANT, plan_id=PLAN, agent_id=UUID(int=4))


def read(event: type[E], **changes: Any) -> E:
    """An event as its golden file has it, but for some fields."""
    text = (EVENTS / f"{event.type}.json").read_text()
    return event.model_validate(json.loads(text) | changes)


def a_tenant(**changes: Any) -> rules.clients.Tenant:
    event = CLIENT.tenant()
    tenant = rules.clients.Tenant(
        TENANT, event.name, "fr", ZONE, event.administrators, event.contracted_bytes, "active"
    )
    return replace(tenant, **changes)


def a_plan() -> rules.plans.Plan:
    return rules.plans.Plan(PLAN, "documents", "srv-bureau", "5 23 * * *", ZONE, True)


def a_run(number: int = 214, *, failed: bool = False, **changes: Any) -> Any:
    begun = NIGHT - timedelta(days=214 - number)
    fields = {
        "run_id": uuid5(PLAN, f"run {number}"),
        "started_at": begun,
        "finished_at": begun + timedelta(minutes=16, seconds=53),
    }
    make = CLIENT.failed_run if failed else CLIENT.run
    return make(number, **(fields | changes))


def a_report(run: Any, nights: tuple[Outcome, ...] = NIGHTS, **changes: Any) -> RunFacts:
    """A report after nights of which the last is the newest."""
    failures = next((n for n, one in enumerate(reversed(nights)) if one != "failed"), 0)
    figures = {
        "files_total": 47_874,
        "files_new": 12,
        "files_changed": 97,
        "files_removed": 0,
        "bytes_protected": 182_100_000_000,
        "bytes_sent": 870_000_000,
    }
    before = a_run(213, failed=nights[-1:] == ("failed",), **figures)
    before = before.model_copy(update={"finished_at": before.started_at + timedelta(minutes=14)})
    fields: dict[str, Any] = {
        "judged": compared(run.files_total, 47_800, 300, run.bytes_protected),
        "before": before,
        "past": [
            EndedRun(213 - n, outcome, NIGHT - timedelta(days=n + 1) + timedelta(minutes=17))
            for n, outcome in enumerate(reversed(nights))
        ],
        "row": Row(failures, before.run_id if failures else None),
        "good": a_run(211),
        "has_recovered": failures > 0 and run.outcome != "failed",
    }
    return RunFacts(
        run,
        a_tenant(),
        a_plan(),
        rules.plans.Audience(),
        portal_url=PORTAL,
        mail_key=MAIL_KEY,
        **(fields | changes),
    )


def a_judgement() -> Judgement:
    """On a run in which most files were renamed."""
    told = read(RunJudged)
    return Judgement(told.verdicts, told.figures)


def warned_run() -> Any:
    missed = (
        ("/srv/documents/compta/Grand livre 2026.ods", Reason("in-use")),
        ("/srv/documents/Outlook/jeanne.pst", Reason("in-use")),
        ("/srv/documents/partage/paie", Reason("permission-denied")),
    )
    dumps = (
        DumpResult(name="dolibarr", succeeded=True, guaranteed=True, size_bytes=120_000_000),
        DumpResult(
            name="/var/lib/mysql/ibdata1",
            succeeded=True,
            guaranteed=False,
            size_bytes=79_700_000,
            reason=Reason("database-file"),
        ),
    )
    return a_run(
        outcome="succeeded_with_warnings",
        files_not_copied=61,
        not_copied=tuple(
            NotCopied(path=path, is_folder=path.endswith("paie"), reason=reason)
            for path, reason in missed
        ),
        dumps=dumps,
        warnings=(Reason("clock-behind", amount=540),),
        stored_bytes=431_000_000_000,
    )


def an_incident(cause: Any = "failed", times: int = 1) -> Incident:
    since = NIGHT - timedelta(days=times - 1)
    return Incident(TENANT, uuid5(PLAN, "incident"), PLAN, cause, since, NIGHT, 214, times)


def an_expectation() -> Expectation:
    return Expectation(
        TENANT, PLAN, "5 23 * * *", ZONE, NIGHT - timedelta(days=90), 211,
        NIGHT + timedelta(days=1), NIGHT + timedelta(days=1, hours=1),
        since=NIGHT - timedelta(days=1), times=2,
    )  # fmt: skip


def a_case(kind: Any = OverageOpened, **changes: Any) -> Any:
    fills: Any = told(TENANT).fills[0].model_copy(update={"plan_id": PLAN})
    days = {"opened_at": 0, "passed_at": 0, "deadline_at": 30, "final_at": 60}
    moments = {name: NIGHT + timedelta(days=days) for name, days in days.items()}
    return told(TENANT, kind, **(moments | {"fills": (fills,)} | changes))


def a_refused_mail() -> Mail:
    subject = "[ECHEC] Boulangerie Martin · documents · 22/11/2026 23:05"
    return Mail(
        UUID(int=5), TENANT, "report", UUID(int=6), PLAN, "compta@martin.example", "<x@p.example>",
        subject, b"", False, NIGHT, 1, "fr",
    )  # fmt: skip


def a_certificate() -> str:
    document = {
        "subscription": {"ended_at": "2026-10-23T17:00:00Z"},
        "completed_at": "2026-11-22T22:05:00Z",
        "destroyed": {"objects": 120_412, "bytes": 96_300_000_000},
    }
    return json.dumps({"certificate": document, "signature": "c2lnbmF0dXJl"})
