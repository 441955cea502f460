"""Which mails a month should bring: the rules read once more, plainly and slowly.

Nothing of reporting's own is used here. Design, section 7; decisions 48, 52, 54, 55 and 56.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.reporting.month.script import (
    DAY,
    HOUR,
    MINUTE,
    PARIS,
    Act,
    Customer,
    Person,
    Planned,
    Ran,
    Script,
)
from tests.reporting.month.timeline import Declared, Step, list_timeline

HOTLINE = "hotline"
GRACE = HOUR  # every run takes ten minutes
SILENT_AFTER = 7 * DAY
ESCALATED_AFTER, ESCALATED_TIMES = 3 * DAY, 3
TRUSTED_AFTER = DAY


class Told(NamedTuple):
    """A mail: on which day in Paris, to whom, what, about which plan or client."""

    day: date
    to: str
    what: str
    about: str


def day_of(at: datetime) -> date:
    return at.astimezone(ZoneInfo(PARIS)).date()


@dataclass
class _Watched:
    """What is known of a plan; due_at without expected_at: it is paused until then."""

    plan: Planned
    expected_at: datetime | None = None
    due_at: datetime | None = None
    last: Ran | None = None
    is_missed: bool = False
    since: datetime | None = None
    told_at: datetime | None = None


@dataclass
class _Incident:
    opened_at: datetime
    times: int
    is_escalated: bool = False
    is_acknowledged: bool = False
    snoozed_until: datetime | None = None
    addresses: dict[str, datetime] = field(default_factory=dict)

    def is_put_off(self, now: datetime) -> bool:
        return self.snoozed_until is not None and now < self.snoozed_until


class Oracle:
    """Follows a script from its beginning to its end, and notes what should be mailed."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.customers = {one.name: one for one in script.customers}
        self.told: Counter[Told] = Counter()
        self.written: list[tuple[datetime, str]] = []
        self.watched: dict[str, _Watched] = {}
        self.incidents: dict[tuple[str, str], _Incident] = {}
        self.suspended: set[str] = set()
        self.windows: dict[str, list[tuple[datetime, datetime]]] = {}
        self.happened: list[tuple[datetime, str, str]] = []
        self.days: dict[str, datetime] = {}
        self.weeks: dict[str, datetime] = {}
        self.mornings: set[date] = set()
        self.late: set[tuple[str, date]] = set()
        self.bounced: list[str] = []

    def foresee(self) -> Counter[Told]:
        for now, item in list_timeline(self.script):
            match item:
                case Declared():
                    self._declare(item, now)
                case Ran():
                    self._run(item, now)
                case Act():
                    self._act(item, now)
                case Step():
                    self._step(now)
        return self.told

    def _tell(self, now: datetime, to: str, what: str, about: str) -> None:
        self.told[Told(day_of(now), to, what, about)] += 1
        if to != HOTLINE:
            self.written.append((now, to))

    # --- who ---

    def _readers(self, plan: Planned) -> tuple[Person, ...]:
        customer = self.customers[plan.client]
        return () if customer.declined else plan.people or customer.administrators

    def _tell_readers(self, now: datetime, plan: Planned, what: str, news: str) -> None:
        for one in self._readers(plan):
            wants_all = one.choice == "every"
            if wants_all or (
                one.choice == "failures" and news in {"failed", "missed", "recovered"}
            ):
                self._tell(now, one.email, what, plan.name)

    # --- when ---

    def _next(self, plan: Planned, after: datetime) -> datetime:
        found = plan.rhythm.list_times(plan.zone, after + timedelta(seconds=1), after + 70 * DAY)
        return found[0] if found else after + SILENT_AFTER

    def _expect(self, watched: _Watched, after: datetime) -> None:
        at = self._next(watched.plan, after)
        watched.expected_at = self._excuse(watched.plan, at)
        watched.due_at = self._due(watched.plan, watched.expected_at)

    def _excuse(self, plan: Planned, at: datetime) -> datetime:
        for begins, ends in self.windows.get(plan.client, []):
            if begins <= at < ends:
                at = self._next(plan, ends - timedelta(seconds=1))
        return at

    def _due(self, plan: Planned, at: datetime) -> datetime:
        due = at + GRACE
        for begins, ends in self.windows.get(plan.client, []):
            if at < begins < due:
                due = max(due, ends + GRACE)
        return due

    # --- what happens ---

    def _declare(self, item: Declared, now: datetime) -> None:
        for name in item.plans:
            self.watched[name] = _Watched(self.script.plans[name])
            self._expect(self.watched[name], now)
        self.days.setdefault(item.customer, now)
        self.weeks.setdefault(item.customer, now)

    def _run(self, ran: Ran, now: datetime) -> None:
        watched = self.watched[ran.plan]
        plan, before = watched.plan, watched.last
        is_good = ran.outcome != "failed"
        had_trouble = watched.is_missed or (before is not None and before.outcome == "failed")
        news = {"succeeded": "succeeded", "succeeded_with_warnings": "warned", "failed": "failed"}[
            ran.outcome
        ]
        if is_good and had_trouble:
            news = "recovered"
        unusual = " unusual" if ran.is_encrypted else ""
        self._tell_readers(now, plan, f"report {news}{unusual}", news)
        self.happened.append((now, plan.name, news))
        watched.last, watched.is_missed = ran, False
        watched.since = watched.told_at = None
        self._expect(watched, min(ran.at, now) + 5 * MINUTE)
        if ran.is_encrypted:
            self._note(plan.name, "unusual", ran.at, 1, now)
        if is_good:
            for cause in ("failed", "abandoned", "refused", "missed"):
                if self.incidents.pop((plan.name, cause), None):
                    self._tell(now, HOTLINE, "recovered", plan.name)
        else:
            cause = {"abandoned": "abandoned", "subscription-suspended": "refused"}.get(
                ran.code, "failed"
            )
            self._note(plan.name, cause, ran.at, 1, now)

    def _note(self, about: str, cause: str, at: datetime, times: int, now: datetime) -> None:
        known = self.incidents.get((about, cause))
        if known is None:
            self.incidents[about, cause] = _Incident(at, times)
            self._tell(now, HOTLINE, "opened", about)
            return
        known.times += times
        lasts = now - known.opened_at >= ESCALATED_AFTER
        if known.times > ESCALATED_TIMES or lasts:
            self._escalate(about, known, now)

    def _escalate(self, about: str, known: _Incident, now: datetime) -> None:
        if not (known.is_escalated or known.is_acknowledged or known.is_put_off(now)):
            known.is_escalated = True
            self._tell(now, HOTLINE, "escalated", about)

    def _act(self, act: Act, now: datetime) -> None:
        about = act.about
        if act.kind == "suspend":
            self.suspended.add(about)
        elif act.kind == "resume":
            self.suspended.remove(about)
        elif act.kind == "pause":
            watched = self.watched[about]
            watched.expected_at, watched.due_at = None, act.until
            watched.since = watched.told_at = None
            if self.incidents.pop((about, "missed"), None):
                self._tell(now, HOTLINE, "closed", about)
        elif act.kind == "announce":
            assert act.begins
            assert act.until
            self.windows.setdefault(about, []).append((act.begins, act.until))
            for one in self.customers[about].administrators:
                self._tell(now, one.email, "notice", about)
        elif act.kind == "clear":
            del self.incidents[about, "unusual"]
            self._tell(now, HOTLINE, "closed", about)
        elif act.kind == "acknowledge":
            self.incidents[about, "failed"].is_acknowledged = True
        elif act.kind == "snooze":
            self.incidents[about, "failed"].snoozed_until = act.until
            self.incidents[about, "failed"].is_escalated = False
        elif act.kind == "bounce":
            self.bounced.append(about)

    # --- what the clock brings ---

    def _step(self, now: datetime) -> None:
        for watched in self.watched.values():
            self._look_for(watched, now)
        for (about, _), incident in self.incidents.items():
            if now - incident.opened_at >= ESCALATED_AFTER:
                self._escalate(about, incident, now)
        self._read_bounces(now)
        self._tell_late(now)
        for customer in self.customers.values():
            if customer.name in self.days:
                self._review(customer, now)
        self._write_morning(now)

    def _look_for(self, watched: _Watched, now: datetime) -> None:
        plan = watched.plan
        if watched.due_at is None or watched.due_at > now:
            return
        if watched.expected_at is None or plan.client in self.suspended:
            self._expect(watched, now)
            return
        at = self._excuse(plan, watched.expected_at)
        if self._due(plan, at) > now:
            watched.expected_at, watched.due_at = at, self._due(plan, at)
            return
        missed = [at]
        while self._due(plan, later := self._excuse(plan, self._next(plan, missed[-1]))) <= now:
            missed.append(later)
        watched.is_missed = True
        watched.since = watched.since or watched.expected_at
        pause = 20 * HOUR if now - watched.since < 7 * DAY else 7 * DAY - 4 * HOUR
        if watched.told_at is None or now - watched.told_at >= pause:
            watched.told_at = now
            self._tell_readers(now, plan, "missed", "missed")
            self.happened.append((now, plan.name, "missed"))
        self._expect(watched, missed[-1])
        self._note(plan.name, "missed", watched.since, len(missed), now)

    def _read_bounces(self, now: datetime) -> None:
        for email in self.bounced:
            about = email.partition("@")[2].partition(".")[0]
            if (about, "undeliverable") not in self.incidents:
                self._note(about, "undeliverable", now, 1, now)
            self.incidents[about, "undeliverable"].addresses[email] = now
        self.bounced.clear()
        for (about, cause), incident in list(self.incidents.items()):
            if cause == "undeliverable" and all(
                any(refused < at <= now - TRUSTED_AFTER and to == email for at, to in self.written)
                for email, refused in incident.addresses.items()
            ):
                del self.incidents[about, cause]
                self._tell(now, HOTLINE, "closed", about)

    def _tell_late(self, now: datetime) -> None:
        if self.script.refusing is None:
            return
        domain, begins, ends = self.script.refusing
        about, day = domain.partition(".")[0], now.astimezone(UTC).date()
        is_late = any(
            begins <= at <= now - DAY and to.endswith("@" + domain) for at, to in self.written
        )
        if is_late and now < ends and (about, day) not in self.late:
            self.late.add((about, day))
            self._tell(now, HOTLINE, "delayed", about)

    def _review(self, customer: Customer, now: datetime) -> None:
        morning = _newest_seven(now, customer.zone)
        monday = morning
        while monday.astimezone(ZoneInfo(customer.zone)).weekday():
            monday = _newest_seven(monday - HOUR, customer.zone)
        name = customer.name
        weekly = {
            (one, plan.name)
            for plan in customer.plans
            if plan.name in self.watched
            for one in self._readers(plan)
            if one.choice == "weekly"
        }
        if self.weeks[name] < monday:
            for email in {one.email for one, _ in weekly}:
                self._tell(now, email, "review week", name)
            self.weeks[name] = monday
            self.days[name] = max(self.days[name], monday)
        if self.days[name] < morning:
            news = {
                plan
                for at, plan, what in self.happened
                if self.days[name] < at <= morning and what in {"failed", "missed", "recovered"}
            }
            for email in {one.email for one, plan in weekly if plan in news}:
                self._tell(now, email, "review day", name)
            self.days[name] = morning

    def _write_morning(self, now: datetime) -> None:
        local = now.astimezone(ZoneInfo(PARIS))
        if not time(7) <= local.time() < time(12) or local.date() in self.mornings:
            return
        seven = _newest_seven(now, PARIS)
        if any(
            one.opened_at < seven and not one.is_put_off(now) for one in self.incidents.values()
        ):
            self.mornings.add(local.date())
            self._tell(now, HOTLINE, "morning", "")


def _newest_seven(now: datetime, zone: str) -> datetime:
    local = now.astimezone(ZoneInfo(zone))
    day = local.date() if local.time() >= time(7) else local.date() - DAY
    return datetime.combine(day, time(7), ZoneInfo(zone)).astimezone(UTC)
