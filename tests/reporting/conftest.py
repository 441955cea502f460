"""A reporting office on a real database, with events at hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import clock, database, keys
from libs.shared.database import Pool
from libs.shared.errors import Unavailable
from libs.shared.events import (
    Event,
    JudgedFigure,
    PasswordIssued,
    PlanDeclared,
    Reader,
    Recipient,
    RecipientInvited,
    RecipientsChanged,
    RunFinished,
    TenantChanged,
)
from libs.shared.heartbeats import Heartbeat
from libs.shared.reasons import Reason
from libs.shared.runtime.jobs import Runner
from services.reporting import consumers, rules
from services.reporting.actions.resources import Resources
from services.reporting.actions.sending import Sender
from services.reporting.jobs import JOBS
from services.reporting.mail import letters
from services.reporting.mail.letters.figures import RunFacts
from services.reporting.mail.letters.hotline import HotlineFacts
from services.reporting.mail.rendering import House, Rendered, render
from services.reporting.mail.smtp import MailServer, Patience
from services.reporting.rules.incidents import Incident
from services.reporting.rules.pacing import Limits
from services.reporting.rules.usual.judging import Judgement

MAIL_KEY = bytes(range(32))
INCIDENT_ID = UUID(int=7)
HOUSE = House(
    "Sauvegardes du Midi",
    "+33 4 12 34 56 78",
    "aide@midi.example",
    {"fr": "du lundi au vendredi, de 8 h 30 à 18 h", "en": "Monday to Friday, 8:30 to 18:00"},
)
ABOUT = "Boulangerie Martin · documents · 23/11/2026 02:15"


@dataclass
class Client:
    """A client with one plan, and the events that tell of them."""

    locale: Any = "fr"
    name: str = "Boulangerie Martin"
    plan_name: str = "documents"
    tenant_id: UUID = field(default_factory=uuid4)
    plan_id: UUID = field(default_factory=uuid4)
    agent_id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        self.email = f"jeanne-{self.tenant_id.hex[:8]}@martin.example"

    def tenant(self, **changes: Any) -> TenantChanged:
        fields: dict[str, Any] = {
            "tenant_id": self.tenant_id,
            "version": 1,
            "name": self.name,
            "locale": self.locale,
            "timezone": "Europe/Paris",
            "administrators": (
                Recipient(name="Jeanne Martin", email=self.email, locale=self.locale),
            ),
            "contracted_bytes": 500_000_000_000,
            "seats": 3,
            "subscription": "active",
            "retention_days": 30,
        }
        return TenantChanged(**(fields | changes))

    def plan(self, **changes: Any) -> PlanDeclared:
        fields: dict[str, Any] = {
            "tenant_id": self.tenant_id,
            "plan_id": self.plan_id,
            "version": 1,
            "agent_id": self.agent_id,
            "hostname": "srv-bureau",
            "name": self.plan_name,
            "folders": ("/srv/documents",),
            "schedule": "15 2 * * *",
            "timezone": "Europe/Paris",
            "dumps": (),
            "recipients": (self.email,),
            "reports": True,
        }
        return PlanDeclared(**(fields | changes))

    def recipients(self, *emails: str, **changes: Any) -> RecipientsChanged:
        fields: dict[str, Any] = {
            "tenant_id": self.tenant_id,
            "plan_id": self.plan_id,
            "version": 1,
            "plan_name": self.plan_name,
            "hostname": "srv-bureau",
            "recipients": tuple(
                Reader(name="", email=email, locale=self.locale) for email in emails
            ),
            "pending": 0,
            "news": (),
        }
        return RecipientsChanged(**(fields | changes))

    def invitation(self, email: str, **changes: Any) -> RecipientInvited:
        fields: dict[str, Any] = {
            "tenant_id": self.tenant_id,
            "invitation_id": uuid4(),
            "email": email,
            "locale": self.locale,
            "invited_by": "Jeanne Martin",
            "expires_at": clock.now() + timedelta(days=30),
        }
        return RecipientInvited(**(fields | changes))

    def run(self, number: int = 1, **changes: Any) -> RunFinished:
        started_at = datetime(2026, 11, 23, 1, 15, 2, tzinfo=UTC)
        fields: dict[str, Any] = {
            "tenant_id": self.tenant_id,
            "run_id": uuid4(),
            "plan_id": self.plan_id,
            "plan_name": self.plan_name,
            "agent_id": self.agent_id,
            "hostname": "srv-bureau",
            "number": number,
            "outcome": "succeeded",
            "started_at": started_at,
            "finished_at": started_at + timedelta(minutes=16, seconds=53),
            "files_total": 47912,
            "files_new": 38,
            "files_changed": 112,
            "files_removed": 4,
            "files_not_copied": 0,
            "bytes_protected": 182_340_000_000,
            "bytes_sent": 1_234_000_000,
            "stored_bytes": 96_300_000_000,
            "restore_point": True,
        }
        return RunFinished(**(fields | changes))

    def failed_run(self, number: int = 1, **changes: Any) -> RunFinished:
        fields = {
            "outcome": "failed",
            "reason": Reason("folder-missing", "/srv/documents", detail="ENOENT"),
            "restore_point": False,
        }
        return self.run(number, **(fields | changes))

    def password(self, password: str = "Zk3-9xQm-77Lp", **changes: Any) -> PasswordIssued:
        fields: dict[str, Any] = {
            "tenant_id": self.tenant_id,
            "password_id": uuid4(),
            "user_id": uuid4(),
            "name": "Jeanne Martin",
            "email": self.email,
            "locale": self.locale,
            "sealed_password": "",
            "expires_at": clock.now() + timedelta(hours=24),
            "first": True,
        }
        issued = PasswordIssued(**(fields | changes))
        sealed = keys.seal_text(MAIL_KEY, password, issued.beside)
        return issued.model_copy(update={"sealed_password": sealed})


@pytest.fixture
def client() -> Client:
    return Client()


class Desk:
    """Reporting's handlers and its sender, on the test's own database."""

    def __init__(self, pool: Pool, dsn: str, office: Resources) -> None:
        self.pool = pool
        self.dsn = dsn
        self.office = office
        self.limits = Limits(first_pause=0.1, longest_pause=1)
        self.patience = Patience()
        self.handlers = consumers.handlers(office)
        self.heartbeat: Heartbeat | None = None

    async def handle(self, *events: Event) -> None:
        """Handles events one after the other, each in its transaction, as the inbox does."""
        for event in events:
            async with database.transaction(self.pool) as conn:
                await self.handlers[type(event)](conn, event)

    @asynccontextmanager
    async def sending(
        self, port: int, host: str = "127.0.0.1", **changes: Any
    ) -> AsyncIterator[Sender]:
        """The sender at work, towards that mail server; changes: of its job."""
        server = MailServer(host, port, "none", patience=self.patience)
        sender = Sender(self.pool, server, self.office, self.limits)
        [job] = [job for job in JOBS if job.name == "send_mails"]
        runner = Runner("reporting", self.dsn, replace(job, **changes), sender)
        self.heartbeat = runner.heartbeat
        task = asyncio.create_task(runner.run())
        try:
            yield sender
        finally:
            for seconds in (2, None):  # as a service ends
                task.cancel()
                await asyncio.wait([task], timeout=seconds)

    async def mails(self, **where: Any) -> list[dict[str, Any]]:
        while True:
            with suppress(Unavailable):
                async with database.acquire(self.pool) as conn:
                    rows = await conn.fetch(
                        "SELECT * FROM mails ORDER BY created_at, kind, recipient"
                    )
                    break
        found = [dict(row) for row in rows]
        return [mail for mail in found if all(mail[key] == value for key, value in where.items())]

    async def published(self, type_: str) -> list[dict[str, Any]]:
        async with database.acquire(self.pool) as conn:
            rows = await conn.fetch("SELECT * FROM outbox WHERE type = $1 ORDER BY position", type_)
        return [dict(row) for row in rows]

    async def wait(
        self, is_so: Callable[[list[dict[str, Any]]], bool], seconds: float = 60
    ) -> None:
        """Waits until the queue looks as wanted."""
        try:
            async with asyncio.timeout(seconds):
                while not is_so(await self.mails()):
                    await asyncio.sleep(0.03)
        except TimeoutError:
            shown = [(m["kind"], m["recipient"], m["state"]) for m in await self.mails()]
            pytest.fail(f"the queue did not become as wanted: {shown}")

    async def make_due(self) -> None:
        """Spares a test the pauses between tries; leaves alone what a sender writes just now."""
        async with database.acquire(self.pool) as conn:
            await conn.execute(
                "UPDATE mails SET due_at = created_at WHERE mail_id IN"
                " (SELECT mail_id FROM mails WHERE state = 'queued' FOR UPDATE SKIP LOCKED)"
            )


@dataclass(frozen=True)
class LaidOut:
    """A letter as its reader sees it."""

    subject: str
    content: Rendered
    log: str


def lay_out(letter: letters.Letter, house: House = HOUSE) -> LaidOut:
    """A letter as its reader sees it, from the provider of these tests."""
    return LaidOut(letter.subject, render(letter.subject, letter.content, house), letter.log)


def write(
    client: Client,
    run: RunFinished,
    *,
    locale: Any = "fr",
    kind: str = "report",
    judged: Judgement | None = None,
) -> LaidOut:
    """A report on a run of the client's, as one addressee gets it."""
    event, declared = client.tenant(), client.plan()
    tenant = rules.clients.Tenant(
        event.tenant_id,
        event.name,
        event.locale,
        event.timezone,
        event.administrators,
        event.contracted_bytes,
        event.subscription,
    )
    plan = rules.plans.Plan(
        declared.plan_id,
        declared.name,
        declared.hostname,
        declared.schedule,
        declared.timezone,
        declared.reports,
    )
    audience = rules.plans.Audience()
    facts = RunFacts(
        run, tenant, plan, audience, judged or Judgement(), "https://portal.example/", MAIL_KEY
    )
    reader = rules.mails.Addressee(client.email, "Jeanne", locale)
    if kind == "report":
        return lay_out(letters.report.KIND.write(facts, reader, rules.mails.SHOWN[0]))
    ended = run.finished_at
    incident = Incident(client.tenant_id, INCIDENT_ID, run.plan_id, "failed", ended, ended, 1, 1)
    told = HotlineFacts(facts, incident, "opened", [], ("hotline@provider.example",))
    return lay_out(letters.hotline.KIND.write(told, reader, rules.mails.SHOWN[0]))


def compared(files: int, usual: int, spread: int, size_bytes: int) -> Judgement:
    """A judgement on a run with so many files."""
    figures = {"files": (files, usual, spread), "size_bytes": (size_bytes, size_bytes, 0)}
    return Judgement(
        (),
        tuple(
            JudgedFigure.model_validate(
                {"name": name, "now": now, "usual": middle, "spread": far, "is_unusual": False}
            )
            for name, (now, middle, far) in figures.items()
        ),
    )


def is_finished(mails: list[dict[str, Any]]) -> bool:
    return all(mail["state"] in {"sent", "undeliverable"} for mail in mails)


@pytest.fixture
async def desk(database: Any) -> AsyncIterator[Desk]:
    from libs.shared.database import create_pool

    dsn = database.dsn("reporting")
    pool = await create_pool(dsn, "reporting")
    office = Resources(
        sender="Coffre <coffre@provider.example>",
        hotline=(f"hotline-{os.urandom(4).hex()}@provider.example",),
        portal_url="https://portal.example",
        mail_key=MAIL_KEY,
    )
    yield Desk(pool, dsn, office)
    await pool.close()
