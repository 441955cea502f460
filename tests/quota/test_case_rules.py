"""The life of an overage case, by tables and by chance: no clock, no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.quota.rules import cases
from services.quota.rules.cases import ANSWERED_DAYS, PERIOD, REMINDER_DAYS, Case

TENANT = UUID(int=7)
BEGAN = datetime(2026, 11, 22, 1, 14, tzinfo=UTC)
DAY = timedelta(days=1)


def at(days: float) -> datetime:
    return BEGAN + days * DAY


class Life:
    """A tenant's cases, one word after the other; `told`: (day, what happened)."""

    def __init__(self) -> None:
        self.case: Case | None = None
        self.stored = 0
        self.told: list[tuple[float, str]] = []

    @property
    def open_case(self) -> Case | None:
        return self.case if self.case and self.case.is_open else None

    def _take(self, step: cases.Step | None, day: float) -> None:
        if step is not None:
            self.case = step.case
            shown = (
                f"{step.what} {step.case.reminded_day}" if step.what == "reminded" else step.what
            )
            self.told.append((day, shown))

    def holds(self, day: float, stored: int) -> None:
        """Volume, against a contract of 100."""
        self.stored = stored
        turn = cases.find_turn(self.case, TENANT, stored, at(day), is_over=stored > 100)
        self._take(turn, day)

    def look(self, day: float) -> None:
        """The job's turn."""
        if self.case:
            self._take(cases.find_due(self.case, self.stored, at(day)), day)

    def answer(self, day: float, answer: cases.Answer = "order") -> None:
        if case := self.open_case:
            self.case = cases.take_answer(case, answer, at(day))

    def live(self, first: int, last: int) -> None:
        """The job looks each day."""
        for day in range(first, last + 1):
            self.look(day)


def over(day: float = 0) -> Life:
    life = Life()
    life.holds(day, 120)
    return life


ANSWERED = [(day, f"reminded {day}") for day in ANSWERED_DAYS]
REMINDED = [(day, f"reminded {day}") for day in REMINDER_DAYS]


def test_a_case_without_an_answer_is_blocked_at_its_deadline() -> None:
    life = over()
    assert life.told == [(0, "opened")]
    assert life.case is not None
    assert life.case.deadline_at == at(30)
    life.live(0, 90)
    assert life.told == [(0, "opened"), *REMINDED, (30, "blocked")]
    assert life.case.ceiling_bytes == 120


def test_a_block_holds_what_was_held_at_that_moment() -> None:
    life = over()
    life.holds(12, 150)
    life.live(0, 29)
    life.holds(29.5, 170)
    life.look(30)
    life.holds(31, 160)
    assert life.case is not None
    assert life.case.ceiling_bytes == 170


def test_with_an_answer_growth_goes_on_to_the_second_deadline() -> None:
    life = over()
    life.answer(12, "reduce")
    life.live(1, 90)
    assert life.told == [(0, "opened"), *REMINDED, *ANSWERED, (60, "blocked")]


def test_an_answer_at_the_last_moment_is_reminded_of_as_well() -> None:
    life = over()
    life.live(1, 30)
    life.answer(29.9)  # late on its way
    life.live(31, 61)
    assert life.told == [(0, "opened"), *REMINDED, (30, "blocked"), *ANSWERED, (60, "blocked")]
    corrected = over()
    corrected.answer(12)
    corrected.live(1, 52)
    corrected.holds(53, 90)
    corrected.live(54, 70)
    assert corrected.told[-2:] == [ANSWERED[0], (53, "closed")]


def test_an_answer_after_the_deadline_lifts_nothing() -> None:
    life = over()
    life.live(1, 30)
    life.answer(31, "order")
    assert life.case is not None
    assert life.case.answer == "order"
    assert life.case.ceiling_bytes == 120
    before = over()
    before.answer(30.001)  # the job has not looked yet
    before.look(30.002)
    assert before.told[-1] == (30.002, "blocked")


def test_an_answer_that_was_late_on_its_way_counts_from_when_it_was_given() -> None:
    life = over()
    life.live(1, 30)
    life.answer(29.9)
    assert life.case is not None
    assert life.case.ceiling_bytes is None
    assert life.case.next_at == at(51)


def test_the_newest_answer_stays_and_the_first_decides_whether_it_was_in_time() -> None:
    life = over()
    life.answer(5, "reduce")
    life.answer(31, "call")
    life.answer(4, "order")  # older, and later on its way
    assert life.case is not None
    assert (life.case.answer, life.case.blocks_at) == ("call", at(60))


def test_a_job_that_was_away_tells_only_the_newest_reminder() -> None:
    life = over()
    life.look(22)
    life.look(22)
    life.look(26)
    life.look(27)
    assert life.told == [(0, "opened"), (22, "reminded 21"), (27, "reminded 27")]
    life = over()
    life.look(45)
    life.look(46)
    assert life.told == [(0, "opened"), (45, "blocked")]


def test_a_case_that_opens_again_within_three_days_keeps_its_deadline() -> None:
    life = over()
    life.live(1, 8)
    life.holds(9, 100)
    life.holds(12, 101)
    assert life.case is not None
    assert (life.case.opened_at, life.case.passed_at) == (at(0), at(12))
    life.live(12, 31)
    assert life.told == [
        (0, "opened"), (7, "reminded 7"), (9, "closed"), (12, "opened"), *REMINDED[1:],
        (30, "blocked"),
    ]  # fmt: skip


def test_after_more_than_three_days_it_is_another_case() -> None:
    life = over()
    first = life.case
    life.holds(9, 99)
    life.holds(12.001, 101)
    assert life.case is not None
    assert first is not None
    assert life.case.case_id != first.case_id
    assert life.case.deadline_at == at(42.001)


def test_a_pause_across_the_deadline_is_no_way_around_it() -> None:
    life = over()
    life.live(1, 29)
    life.holds(29, 90)
    life.holds(31, 130)
    assert life.told[-2:] == [(29, "closed"), (31, "blocked")]
    assert life.case is not None
    assert life.case.ceiling_bytes == 130


def test_days_that_passed_in_a_pause_are_not_reminded_of() -> None:
    life = over()
    life.holds(5, 90)
    life.holds(7.5, 130)
    life.look(7.6)
    assert life.told == [(0, "opened"), (5, "closed"), (7.5, "opened")]


def test_an_extension_moves_the_deadline_and_its_reminders() -> None:
    life = over()
    life.live(1, 20)
    assert life.case is not None
    life.case = cases.extend(life.case, at(60), "they wait for their budget", at(20))
    assert (life.case.deadline_at, life.case.final_at) == (at(60), at(90))
    life.live(20, 61)
    assert life.told[3:] == [
        *((30 + day, f"reminded {day}") for day in REMINDER_DAYS), (60, "blocked"),
    ]  # fmt: skip


def test_an_extension_lifts_the_block_of_its_deadline_and_shortens_nothing() -> None:
    life = over()
    life.live(1, 30)
    assert life.case is not None
    life.case = cases.extend(life.case, at(40), "x", at(31))
    assert life.case.ceiling_bytes is None
    assert cases.extend(life.case, at(35), "earlier", at(32)) == life.case
    assert cases.extend(life.case, at(41), "past", at(50)) == life.case
    life.live(31, 41)
    assert life.told[-3:] == [(37, "reminded 27"), (39, "reminded 29"), (40, "blocked")]


def test_a_release_gives_a_last_period() -> None:
    life = over()
    life.live(1, 30)
    assert life.case is not None
    life.case = cases.release(life.case, "their order is on its way", at(33))
    assert (life.case.ceiling_bytes, life.case.blocks_at) == (None, at(63))
    life.answer(40)
    life.live(34, 64)
    assert life.told[-1] == (63, "blocked")


@pytest.mark.parametrize("answered", [None, 3.0, 29.0, 45.0])
def test_what_is_due_next_is_what_comes_next(answered: float | None) -> None:
    """The job that looks only when `next_at` has come misses nothing."""
    life = over()
    if answered is not None and answered < 30:
        life.answer(answered)
    watched = [life.case]
    while (case := life.case) and case.next_at is not None:
        life.look((case.next_at - BEGAN) / DAY)
        assert life.case != case, "something happens at that moment"
        watched.append(life.case)
    assert life.told[-1][1] == "blocked"
    assert [what for _, what in life.told][:6] == ["opened", *(what for _, what in REMINDED)]


words = st.one_of(
    st.tuples(st.just("holds"), st.integers(80, 140)),
    st.tuples(st.just("look"), st.just(0)),
    st.tuples(st.just("answer"), st.sampled_from(["order", "reduce", "call"])),
    st.tuples(st.just("extend"), st.integers(1, 60)),
    st.tuples(st.just("release"), st.just(0)),
)


@settings(max_examples=400)
@given(st.lists(st.tuples(st.floats(0, 9, allow_nan=False), words), max_size=80))
def test_whatever_happens_no_promise_is_broken(happenings) -> None:
    life, day = Life(), 0.0
    reminders: set[tuple[UUID, datetime, int]] = set()
    for pause, (word, value) in happenings:
        day += pause
        before, told = life.case, len(life.told)
        if word == "holds":
            life.holds(day, value)
        elif word == "look":
            life.look(day)
        elif word == "answer":
            life.answer(day, value)
        elif (case := life.open_case) and word == "extend":
            life.case = cases.extend(case, at(day + value), "why", at(day))
        elif case and word == "release":
            life.case = cases.release(case, "why", at(day))
        case = life.case
        if case is None:
            continue
        assert case.is_open == (life.stored > 100)
        assert case.final_at >= case.deadline_at
        for _, what in life.told[told:]:
            if what.startswith("reminded"):
                key = (case.case_id, case.deadline_at, case.reminded_day)
                assert key not in reminders, "a day before a deadline is told once"
                reminders.add(key)
                assert at(day) < case.blocks_at
                assert case.reminded_day in case.reminder_days
            elif what == "blocked":
                assert at(day) >= case.blocks_at, "never before the deadline"
                assert case.ceiling_bytes == life.stored
            elif what == "opened":
                is_same = before is not None and before.case_id == case.case_id
                assert is_same or case.deadline_at - at(day) == PERIOD
        if case.ceiling_bytes is not None:
            assert case.is_open
            assert case.next_at is None
        elif case.is_open and word == "look":
            assert case.next_at is not None
            assert case.next_at > at(day), "nothing that was due is left"
