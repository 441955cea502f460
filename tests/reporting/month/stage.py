"""Plays a script: reporting's own handlers, jobs and queue, by a moved clock and to a real sink."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

from libs.shared import database
from libs.shared.events import (
    Counted,
    ExpiryCleared,
    IncidentDecided,
    NoticePublished,
    PlanPaused,
    Reader,
    Recipient,
    SubscriptionState,
    Texts,
)
from libs.shared.reasons import Reason
from services.reporting import actions, store
from services.reporting.rules.missed import Hearing
from tests.reporting.conftest import Client, Desk
from tests.reporting.faulty_smtp import Fault, FaultySMTP
from tests.reporting.month.oracle import HOTLINE, Told, day_of
from tests.reporting.month.script import (
    DAY,
    MINUTE,
    Act,
    Customer,
    Ran,
    Script,
)
from tests.reporting.month.timeline import Declared, Returned, Step, list_timeline
from tests.reporting.test_bounces import Post, make_notice

_OUTCOMES = {
    "REUSSIE": ("fr", "report succeeded"),
    "REUSSIE AVEC RESERVES": ("fr", "report warned"),
    "REUSSIE, INHABITUELLE": ("fr", "report succeeded unusual"),
    "ECHEC": ("fr", "report failed"),
    "RETABLIE": ("fr", "report recovered"),
    "MANQUEE": ("fr", "missed"),
    "SUCCEEDED": ("en", "report succeeded"),
    "SUCCEEDED WITH WARNINGS": ("en", "report warned"),
    "SUCCEEDED, UNUSUAL": ("en", "report succeeded unusual"),
    "FAILED": ("en", "report failed"),
    "RECOVERED": ("en", "report recovered"),
    "MISSED": ("en", "missed"),
}
_WEEKS = ("Les sauvegardes de la semaine", "The week’s backups")


class Stage:
    """Where a script is played."""

    def __init__(self, desk: Desk, script: Script, post: Post) -> None:
        self.desk = desk
        self.script = script
        self.post = post
        self.now = script.start
        self.smtp = FaultySMTP(self._choose)
        self.clients: dict[str, Client] = {}
        self.states: dict[str, SubscriptionState] = {}
        self.versions: Counter[str] = Counter()
        self.steady_since: datetime | None = None
        self.is_down = False
        self.counted = {name for name, _ in script.encrypted}

    async def play(self) -> None:
        """From the beginning to the end, in which every mail has gone out."""
        for customer in self.script.customers:
            tenant_id = uuid4()
            for plan in customer.plans:
                self.clients[plan.name] = Client(
                    customer.locale, customer.name, plan.name, tenant_id=tenant_id
                )
        timeline = list_timeline(self.script)
        async with self.smtp, self.desk.sending(self.smtp.port):
            day = day_of(timeline[0][0])
            for now, item in timeline:
                if day_of(now) != day:
                    await self.settle()
                    day = day_of(now)
                await self._follow_mail_server(now)
                self.now = now
                await self._take(item)
                if self._is_watched_closely():
                    await self.settle()
            await self.settle()

    async def _take(self, item: Any) -> None:
        match item:
            case Declared():
                await self._declare(item)
            case Ran():
                await self._run(item)
            case Act():
                await self._act(item)
            case Step():
                await self._step()
            case Returned():
                self.steady_since = None
                await self._look_for_missed()

    # --- the mail server ---

    def _choose(self, recipient: str, _nth: int) -> Fault:
        if self.is_down:
            return "cut-at-person"
        if self.script.refusing and recipient.endswith("@" + self.script.refusing[0]):
            _, begins, ends = self.script.refusing
            return "text-later" if begins <= self.now < ends else "none"
        return "none"

    async def _follow_mail_server(self, now: datetime) -> None:
        if self.script.mail_down is None:
            return
        begins, ends = self.script.mail_down
        is_down = begins <= now < ends
        if is_down and not self.is_down:
            await self.settle()
            self.is_down = True
            await self.smtp.stop()
        elif self.is_down and not is_down:
            self.is_down, self.now = False, now
            await self.smtp.start()
            await self.settle()  # the sender rests for seconds that no moved clock shortens

    def _is_watched_closely(self) -> bool:
        """Is it known what the sender does at each moment, and not only what it did by the end?"""
        bounces = [act.at for act in self.script.acts if act.kind == "bounce"]
        spans = [self.script.refusing[1:]] if self.script.refusing else []
        if bounces:
            spans.append((bounces[0] - DAY, bounces[-1] + 3 * DAY))
        return any(begins <= self.now <= ends for begins, ends in spans)

    async def settle(self) -> None:
        """Until nothing is due to be sent."""
        if self.is_down:
            return
        async with asyncio.timeout(60):
            while await self._count_due():
                await asyncio.sleep(0.01)

    async def _count_due(self) -> int:
        async with database.acquire(self.desk.pool) as conn:
            count: int = await conn.fetchval(
                "SELECT count(*) FROM mails WHERE state = 'sending'"
                " OR state = 'queued' AND due_at <= $1",
                self.now,
            )
        return count

    # --- what happens ---

    async def _declare(self, item: Declared) -> None:
        [customer] = [one for one in self.script.customers if one.name == item.customer]
        await self._change(customer, "active")
        for name in item.plans:
            plan, client = self.script.plans[name], self.clients[name]
            await self.desk.handle(
                client.plan(schedule=plan.rhythm.cron, timezone=plan.zone, recipients=())
            )
            if plan.people:
                people = tuple(
                    Reader(name="", email=one.email, locale=one.locale, choice=one.choice)
                    for one in plan.people
                )
                told = client.recipients().model_copy(update={"recipients": people})
                await self.desk.handle(told)

    async def _change(self, customer: Customer, state: SubscriptionState) -> None:
        self.versions[customer.name] += 1
        client = self.clients[customer.plans[0].name]
        administrators = tuple(
            Recipient(name="", email=one.email, locale=one.locale, choice=one.choice)
            for one in customer.administrators
        )
        await self.desk.handle(
            client.tenant(
                version=self.versions[customer.name],
                timezone=customer.zone,
                administrators=administrators,
                subscription=state,
                reports_declined=customer.declined,
            )
        )

    async def _run(self, ran: Ran) -> None:
        client = self.clients[ran.plan]
        await self.desk.handle(
            client.run(
                ran.number,
                outcome=ran.outcome,
                reason=Reason(ran.code) if ran.code else None,
                restore_point=ran.restore_point,
                counted=self._count(ran),
                started_at=ran.at - 10 * MINUTE,
                finished_at=ran.at,
            )
        )

    def _count(self, ran: Ran) -> Counted | None:
        """What ingest counts of plans that are judged: a thousand files, of which a few change."""
        if ran.plan not in self.counted or not ran.restore_point:
            return None
        changed = 960 if ran.is_encrypted else 3
        new_bytes = 1_000_000 * changed
        return Counted(
            files_total=1_000,
            files_new=1_000 if ran.number == 1 else 0,
            files_changed=changed,
            files_removed=0,
            bytes_protected=1_000_000_000,
            bytes_replaced=new_bytes,
            new_bytes=new_bytes,
            packed_bytes=new_bytes if ran.is_encrypted else new_bytes // 2,
        )

    async def _act(self, act: Act) -> None:
        customers = {one.name: one for one in self.script.customers}
        match act.kind:
            case "suspend":
                await self._change(customers[act.about], "suspended")
            case "resume":
                await self._change(customers[act.about], "active")
            case "pause":
                client = self.clients[act.about]
                assert act.until
                paused = PlanPaused(
                    tenant_id=client.tenant_id,
                    plan_id=client.plan_id,
                    version=1,
                    until=act.until,
                    reason="retired",
                    by="Paul",
                    paused_at=self.now,
                )
                await self.desk.handle(paused)
            case "announce":
                await self._announce(act, customers[act.about])
            case "acknowledge" | "snooze":
                await self._decide(act)
            case "bounce" | "forge":
                await self._bounce(act)
            case "clear":
                await self._clear(act)

    async def _clear(self, act: Act) -> None:
        """Somebody says that what was unusual was meant."""
        client = self.clients[act.about]
        cleared = ExpiryCleared(
            tenant_id=client.tenant_id,
            plan_id=client.plan_id,
            numbers=tuple(
                one.number for one in self.script.runs if one.plan == act.about and one.is_encrypted
            ),
            reason="meant",
            cleared_at=self.now,
        )
        await self.desk.handle(cleared)

    async def _announce(self, act: Act, customer: Customer) -> None:
        notice = NoticePublished(
            tenant_id=self.clients[customer.plans[0].name].tenant_id,
            notice_id=uuid4(),
            mailing_id=uuid4(),
            version=1,
            kind="maintenance",
            title=Texts(fr="Serveurs", en="Servers"),
            text=Texts(fr="Rien à faire.", en="Nothing to do."),
            begins_at=act.begins,
            ends_at=act.until,
        )
        await self.desk.handle(notice)

    async def _decide(self, act: Act) -> None:
        client = self.clients[act.about]
        async with database.acquire(self.desk.pool) as conn:
            known = await store.incidents.find_open(
                conn, client.tenant_id, client.plan_id, "failed"
            )
        assert known is not None
        decided = IncidentDecided(
            tenant_id=client.tenant_id,
            decision_id=uuid4(),
            incident_id=known.incident_id,
            decision="snooze" if act.until else "acknowledge",
            until=act.until,
            note="",
            by="Paul",
            decided_at=self.now,
        )
        await self.desk.handle(decided)

    async def _bounce(self, act: Act) -> None:
        """The newest mail to an address comes back; or somebody who saw another's says so of it."""
        newest = [one for one in self.smtp.taken if one.recipient == act.about][-1]
        if act.kind == "bounce":
            self.post.deliver(make_notice(newest.sender, newest.message_id))
            return
        self.post.deliver(make_notice(_spoil(newest.sender), newest.message_id))
        others = [one for one in self.smtp.taken if one.recipient != act.about][-1]
        self.post.deliver(make_notice(newest.sender, others.message_id))

    # --- what the clock brings ---

    async def _step(self) -> None:
        pool, office = self.desk.pool, self.desk.office
        await self._look_for_missed()
        await actions.hotline.escalate_old(pool, office)
        if self.post.left():
            await actions.bounces.take_bounces(pool, office, self.post.mailbox)
        await actions.sending.verdicts.trust_again(pool, office)
        await actions.delays.tell_late(pool, office)
        await actions.digests.write_digests(pool, office)
        await actions.reviews.write_reviews(pool, office)
        await actions.hotline.write_morning(pool, office)

    async def _look_for_missed(self) -> None:
        """As if reporting had heard itself each minute since it was there."""
        async with database.transaction(self.desk.pool) as conn:
            if self.steady_since is not None:
                heard = Hearing(self.now - MINUTE, self.steady_since)
                await store.missed.put_hearing(conn, heard)
            await conn.execute("DELETE FROM inbox WHERE type = 'service.pinged.v1'")
            await conn.execute(
                "INSERT INTO inbox (event_id, source, type, received_at, state, next_at, done_at)"
                " VALUES ($1, 'reporting', 'service.pinged.v1', $2, 'done', $2, $2)",
                uuid4(),
                self.now,
            )
        self.steady_since = self.steady_since or self.now
        await actions.missed.tell_missed(self.desk.pool, self.desk.office)

    # --- what came of it ---

    async def list_told(self) -> Counter[Told]:
        """What the mail server took, each mail by what it says on its outside."""
        taken = Counter(one.message_id for one in self.smtp.taken)
        assert not [one for one, times in taken.items() if times > 1], "the same mail twice"
        async with database.acquire(self.desk.pool) as conn:
            rows = await conn.fetch("SELECT message_id, kind, tenant_id, plan_id, state FROM mails")
        by_id = {row["message_id"]: row for row in rows}
        left = [row["state"] for row in rows if row["state"] in {"queued", "sending", "withheld"}]
        assert not left, "the queue is empty"
        assert taken.keys() == by_id.keys(), "what was written was sent"
        plans = {client.plan_id: name for name, client in self.clients.items()}
        names = {client.tenant_id: client.name for client in self.clients.values()}
        locales = {
            one.email: one.locale
            for customer in self.script.customers
            for one in (*customer.administrators, *(p for q in customer.plans for p in q.people))
        }
        told: Counter[Told] = Counter()
        for one in self.smtp.taken:
            row = by_id[one.message_id]
            locale, what = _describe(row["kind"], one.message)
            at = parsedate_to_datetime(str(one.message["Date"]))
            to = HOTLINE if one.recipient in self.desk.office.hotline else one.recipient
            if locale and locale != locales.get(to, "fr"):
                what += f" in {locale}"
            about = plans.get(row["plan_id"]) or names.get(row["tenant_id"], "")
            told[Told(day_of(at), to, what, about)] += 1
        return told


def _describe(kind: str, message: Any) -> tuple[str, str]:
    """The language, where the subject says it, and what is told."""
    subject = str(message["Subject"]).replace("\u00a0", " ").replace("\u202f", " ")
    if kind in {"report", "missed"}:
        found = re.match(r"\[([^]]+)\]", subject)
        assert found, subject
        return _OUTCOMES[found.group(1)]
    if kind in {"hotline", "silent", "incident"}:
        return "", "escalated" if message["References"] else "opened"
    if kind == "review":
        return "", "review week" if subject.startswith(_WEEKS) else "review day"
    return "", kind


def _spoil(sender: str) -> str:
    """An envelope sender that names a mail of ours, with a proof that somebody made up."""
    local, _, domain = sender.rpartition("@")
    return f"{local[:-10]}{'a' * 10}@{domain}"


def list_differences(foreseen: Counter[Told], told: Counter[Told]) -> list[str]:
    """Each mail that is missing or too much, by day."""
    missing, extra = foreseen - told, told - foreseen
    lines = [(one, f"- {count} x") for one, count in missing.items()]
    lines += [(one, f"+ {count} x") for one, count in extra.items()]
    return [f"{one.day} {sign} {one.what}: {one.about} -> {one.to}" for one, sign in sorted(lines)]
