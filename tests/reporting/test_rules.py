"""Who is written to, what is usual, when to try again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.shared.events import Reader, Recipient
from libs.shared.words.foreign import plain
from services.reporting import rules
from services.reporting.mail import letters
from services.reporting.mail.letters.figures import RunFacts
from services.reporting.rules.usual.judging import Judgement
from tests.reporting.conftest import Client

NOW = datetime(2026, 11, 23, 2, 14, tzinfo=UTC)
JEANNE = Recipient(name="Jeanne", email="Jeanne@martin.example", locale="en")
TENANT = rules.clients.Tenant(uuid4(), "Martin", "fr", "Europe/Paris", (JEANNE,), 10**9, "active")
PAUL = Reader(name="", email="paul@x.example", locale="fr")
HOTLINE = Reader(name="", email="hot@p.example", locale="fr")
Audience = rules.plans.Audience


def plan(reports: bool = True) -> rules.plans.Plan:
    return rules.plans.Plan(uuid4(), "p", "h", "0 2 * * *", "Europe/Paris", reports)


@pytest.mark.parametrize(
    ("a_plan", "audience", "outcome", "expected"),
    [
        (plan(), Audience(), "succeeded", [("report", "Jeanne@martin.example", "en")]),
        (plan(), Audience((PAUL,)), "succeeded", [("report", "paul@x.example", "fr")]),
        (
            plan(),
            Audience((Reader(**JEANNE.model_dump()), PAUL, PAUL)),
            "succeeded",
            [("report", "Jeanne@martin.example", "en"), ("report", "paul@x.example", "fr")],
        ),
        (
            plan(),
            Audience((PAUL,), pending=1),
            "succeeded",
            [("report", "Jeanne@martin.example", "en"), ("report", "paul@x.example", "fr")],
        ),
        (plan(reports=False), Audience((PAUL,)), "succeeded", []),
        (plan(reports=False), Audience(), "failed", []),
        (plan(), Audience(), "failed", [("report", "Jeanne@martin.example", "en")]),
        (
            plan(),
            Audience(),
            "succeeded_with_warnings",
            [("report", "Jeanne@martin.example", "en")],
        ),
    ],
)
def test_addressees(a_plan, audience, outcome, expected) -> None:
    run = Client().run(outcome=outcome)
    facts = RunFacts(run, TENANT, a_plan, audience, Judgement(), "https://portal.example", b"")
    chosen = [("report", one.email, one.locale) for one in letters.report.KIND.choose(facts)]
    assert chosen == expected


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("jeanne@martin.example", "jeanne@martin.example"),
        (" jeanne@martin.example ", "jeanne@martin.example"),
        ("jeanne@société.example", "jeanne@xn--socit-esab.example"),
        ("o'neil+copies@x.example", "o'neil+copies@x.example"),
        ("jérôme@martin.example", None),
        ("jeanne", None),
        ("@martin.example", None),
        ("jeanne@", None),
        ("jeanne@martin.example\r\nBcc: all@x.example", None),
        ("a b@x.example", None),
        ("<jeanne@martin.example>", None),
        ("a@x.example, b@x.example", None),
        ("jeanne@x..example", None),
        ("x" * 250 + "@x.example", None),
        ("", None),
    ],
)
def test_addresses(text: str, address: str | None) -> None:
    assert rules.mails.parse_address(text) == address


@given(st.text(max_size=60))
def test_whatever_is_taken_for_an_address_is_safe_in_a_command(text: str) -> None:
    address = rules.mails.parse_address(text)
    assert address is None or (address.isascii() and address.isprintable() and " " not in address)


@given(st.text())
def test_plain_text_is_one_printable_line(text: str) -> None:
    made = plain(text)
    assert len(made.splitlines()) <= 1
    assert not any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 or c in "\u202e\u2028" for c in made)
    assert plain(made) == made
    made.encode()


@given(st.lists(st.integers(0, 10**12), min_size=3, max_size=10))
def test_one_strange_run_does_not_move_what_is_usual(history: list[int]) -> None:
    usual = rules.usual.figures.find_usual(history)
    assert usual is not None
    assert min(history) <= usual.median <= max(history)
    assert 0 <= usual.spread <= max(history) - min(history)


@pytest.mark.parametrize(
    ("schedule", "timezone", "after", "expected"),
    [
        ("15 2 * * *", "Europe/Paris", "2026-11-23T01:31+00:00", "2026-11-24T01:15+00:00"),
        # The clocks of Paris go back on 25 October: the day has 25 hours.
        ("15 2 * * *", "Europe/Paris", "2026-10-24T01:00+00:00", "2026-10-25T00:15+00:00"),
        ("0 12 * * *", "Europe/Paris", "2026-10-24T11:00+00:00", "2026-10-25T11:00+00:00"),
        # And on 29 March half past two does not exist there: cron takes the next hour.
        ("30 2 * * *", "Europe/Paris", "2026-03-28T02:00+00:00", "2026-03-29T01:00+00:00"),
        ("0 0 31 2 *", "Europe/Paris", "2026-01-01T00:00+00:00", None),
        ("every day", "Europe/Paris", "2026-01-01T00:00+00:00", None),
        ("0 2 * * *", "Moon/Crater", "2026-01-01T00:00+00:00", None),
        ("0 2 * * *", "", "2026-01-01T00:00+00:00", None),
    ],
)
def test_next_report(schedule: str, timezone: str, after: str, expected: str | None) -> None:
    found = rules.plans.find_next_report(schedule, timezone, datetime.fromisoformat(after))
    wanted = datetime.fromisoformat(expected).astimezone(UTC) if expected else None
    assert (found.astimezone(UTC) if found else None) == wanted


@pytest.mark.parametrize(
    ("stage", "code", "judgement"),
    [
        ("recipient", 450, "later"),
        ("recipient", 550, "refused"),
        ("recipient", 551, "refused"),
        ("text", 452, "later"),
        ("text", 554, "refused"),
        ("sender", 451, "later"),
        ("sender", 550, "refused"),
        ("sender", 503, "later"),
        ("sender", 530, "later"),
        ("recipient", 535, "later"),
        ("recipient", 504, "later"),
        ("text", 504, "later"),
        ("text", 250 + 1, "later"),
        ("text", -1, "later"),
        ("text", 552, "too-large"),
        ("recipient", 552, "refused"),
    ],
)
def test_refusals(stage: rules.mails.Stage, code: int, judgement: rules.mails.Judgement) -> None:
    assert rules.mails.judge_refusal(stage, code) == judgement


@pytest.mark.parametrize(
    ("stage", "code", "answer", "judgement"),
    [
        ("text", 552, "5.3.4 Message size exceeds fixed limit", "too-large"),
        ("sender", 552, "5.3.4 too big", "too-large"),
        ("text", 550, "5.2.3 longer than we take", "too-large"),
        ("text", 554, "5.3.4 too big", "too-large"),
        ("text", 552, "5.2.2 mailbox full", "refused"),
        ("text", 452, "5.3.4 nonsense", "later"),
        ("text", 554, "5.3.41 what", "refused"),
    ],
)
def test_refusals_of_a_size(
    stage: rules.mails.Stage, code: int, answer: str, judgement: rules.mails.Judgement
) -> None:
    assert rules.mails.judge_refusal(stage, code, answer) == judgement


@pytest.mark.parametrize(
    ("code", "answer", "judgement"),
    [
        (550, "5.7.1 <srv>: Helo command rejected: Host not found", "later"),
        (501, "5.5.4 Invalid EHLO name", "later"),
        (550, "5.1.1 <helo.martin@x.example>: unknown", "refused"),
        (550, "5.1.1 no Helot lives here", "refused"),
    ],
)
def test_refusals_of_our_own_name(code: int, answer: str, judgement: rules.mails.Judgement) -> None:
    assert rules.mails.judge_refusal("recipient", code, answer) == judgement


@pytest.mark.parametrize(
    ("host", "signs_in", "needs"),
    [
        ("127.0.0.1", False, False),
        ("::1", False, False),
        ("localhost", False, False),
        ("127.0.0.1", True, True),
        ("smtp.provider.example", False, True),
        ("localhost.evil.example", False, True),
        ("10.0.0.7", False, True),
    ],
)
def test_only_what_stays_in_the_machine_goes_openly(host: str, signs_in: bool, needs: bool) -> None:
    assert rules.mails.needs_encryption(host, signs_in=signs_in) is needs


@given(st.integers(1, 10_000))
def test_tries_come_ever_slower_until_they_end(tries: int) -> None:
    give_up_at = NOW + rules.mails.REPORT_KEPT_TRYING
    due_at = rules.mails.find_next_try(tries, NOW, give_up_at)
    later = rules.mails.find_next_try(tries + 1, NOW, give_up_at)
    assert due_at is not None
    assert later is not None
    assert NOW < due_at <= later <= NOW + timedelta(minutes=15)
    assert rules.mails.find_next_try(tries, give_up_at, give_up_at) is None


def test_message_ids_differ_by_kind_subject_and_person_only() -> None:
    tenant, subject = UUID(int=5), UUID(int=7)

    def make(a_tenant: UUID, kind: str, a_subject: UUID, person: str) -> str:
        return rules.mails.make_message_id(
            bytes(32), a_tenant, kind, a_subject, person, "p.example"
        )

    made = make(tenant, "report", subject, "A@x.example")
    assert made == make(tenant, "report", subject, "a@X.example")
    others = {
        make(UUID(int=6), "report", subject, "a@x.example"),
        make(tenant, "hotline", subject, "a@x.example"),
        make(tenant, "report", UUID(int=8), "a@x.example"),
        make(tenant, "report", subject, "b@x.example"),
    }
    assert len({made, *others}) == 5
