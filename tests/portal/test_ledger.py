"""What is due follows from the orders alone, whenever months are closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.shared.errors import InvalidRequest
from services.portal.rules.orders import ledger, ordering, prices
from services.portal.rules.orders.ledger import Due, LedgerLine
from services.portal.rules.orders.months import Month, list_months
from services.portal.rules.orders.ordering import Order, OrderWish
from services.portal.rules.orders.prices import NoPrice, PriceList, SizeNotOffered, Step

PARIS = ZoneInfo("Europe/Paris")
GB = 10**9
SOLD = PriceList(
    Month(2020, 1), None, "EUR", Decimal(20), Decimal("15.00"), Decimal("3.00"), Decimal("9.00")
)
DEARER = PriceList(
    Month(2027, 1), None, "EUR", Decimal(20), Decimal("16.00"), Decimal("3.333"), Decimal("9.99")
)
BOTH = (replace(SOLD, last=Month(2026, 12)), DEARER)
NOVEMBER, DECEMBER, JANUARY = Month(2026, 11), Month(2026, 12), Month(2027, 1)


def at(day: int, hour: int = 12, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=PARIS).astimezone(UTC)


@dataclass
class Books:
    """A client's orders and ledger, as store and jobs keep them."""

    zone: ZoneInfo = PARIS
    lists: Sequence[PriceList] = (SOLD,)
    orders: list[Order] = field(default_factory=list)
    lines: list[LedgerLine] = field(default_factory=list)
    closed: Month | None = None

    def has(self, what: ordering.What, now: datetime) -> int:
        standing = ordering.find_standing(self.orders, what, now + timedelta(microseconds=1))
        return standing.after if standing else 0

    def order(self, what: ordering.What, after: int, now: datetime) -> Order:
        made = ordering.make_order(
            self.orders, self.lists, OrderWish(what, after), before=self.has(what, now),
            cause="ordered", by="Camille", now=now, zone=self.zone,
        )  # fmt: skip
        self.orders.append(made)
        return made

    def close(self, month: Month) -> list[LedgerLine]:
        booked: dict[Due, Decimal] = {}
        for line in self.lines:
            booked[line.due] = booked.get(line.due, Decimal(0)) + line.amount
        added = ledger.close(self.orders, booked, self.closed, month, self.zone)
        self.lines += added
        if self.closed is None or month > self.closed:
            self.closed = month
        return added


def amounts(lines: Sequence[LedgerLine]) -> list[tuple[str, str, str]]:
    return [(str(one.month), one.rule, str(one.amount)) for one in lines]


def opened() -> Books:
    client = Books()
    client.order("storage", 100 * GB, at(3))
    client.order("seats", 3, at(3))
    return client


def test_more_counts_for_the_whole_month_and_less_from_the_next_on() -> None:
    client = opened()
    more = client.order("seats", 4, at(22))
    assert more.effective_at == more.ordered_at
    less = client.order("storage", 0, at(22))
    assert less.effective_at == datetime(2026, 12, 1, tzinfo=PARIS)
    assert amounts(client.close(NOVEMBER)) == [
        ("2026-11", "storage-month", "9.00"),
        ("2026-11", "seats-month", "12.00"),
        ("2026-11", "seats-entry", "45.00"),
        ("2026-11", "seats-entry", "15.00"),
    ]
    assert amounts(client.close(DECEMBER)) == [("2026-12", "seats-month", "12.00")]
    assert client.close(DECEMBER) == client.close(NOVEMBER) == []


def test_a_newer_order_takes_the_place_of_one_that_is_to_come() -> None:
    client = opened()
    client.order("seats", 1, at(10))
    stays = client.order("seats", 3, at(20))
    assert (stays.effective_at, stays.entry) == (at(20), Decimal(0))
    client.close(NOVEMBER)
    assert ("2026-12", "seats-month", "9.00") in amounts(client.close(DECEMBER))


def test_an_order_half_an_hour_into_december_in_paris_is_decembers() -> None:
    client = opened()
    client.order("storage", 200 * GB, datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
    assert amounts(client.close(NOVEMBER))[0] == ("2026-11", "storage-month", "9.00")
    assert amounts(client.close(DECEMBER))[0] == ("2026-12", "storage-month", "18.00")
    behind = Books(zone=ZoneInfo("America/Cayenne"))
    behind.order("storage", 200 * GB, datetime(2026, 12, 1, 2, 30, tzinfo=UTC))
    assert amounts(behind.close(NOVEMBER)) == [("2026-11", "storage-month", "18.00")]


def test_an_order_keeps_its_price_until_the_next_one() -> None:
    client = Books(lists=BOTH)
    client.order("seats", 3, at(3))
    client.close(JANUARY)
    assert amounts(client.lines)[-1] == ("2027-01", "seats-month", "9.00")
    february = Month(2027, 2)
    client.order("seats", 4, datetime(2027, 2, 5, tzinfo=UTC))
    assert amounts(client.close(february)) == [
        ("2027-02", "seats-month", "13.33"),  # four times 3.333, rounded once
        ("2027-02", "seats-entry", "16.00"),
    ]


def test_what_comes_too_late_for_a_closed_month_is_corrected_in_the_next() -> None:
    client = opened()
    client.close(NOVEMBER)
    before = list(client.lines)
    client.order("storage", 300 * GB, at(30, 23))  # its clock was behind
    corrected = client.close(DECEMBER)
    assert client.lines[: len(before)] == before, "nothing of a closed month changes"
    assert {one.month for one in corrected} == {DECEMBER}
    assert sorted((str(one.about), one.rule, str(one.amount)) for one in corrected) == [
        ("2026-11", "storage-month", "-9.00"),
        ("2026-11", "storage-month", "27.00"),
        ("2026-12", "seats-month", "9.00"),
        ("2026-12", "storage-month", "27.00"),
    ]
    assert client.close(DECEMBER) == []


def test_months_left_open_are_closed_with_a_later_one() -> None:
    client = opened()
    lines = client.close(Month(2027, 2))
    assert [str(one) for one in sorted({line.month for line in lines})] == [
        "2026-11", "2026-12", "2027-01", "2027-02",
    ]  # fmt: skip


def test_an_end_is_due_to_its_month_and_a_return_costs_no_entry() -> None:
    client = opened()
    ended = at(20)
    client.orders += ordering.end_orders(client.orders, "Coffre", ended, PARIS)
    client.close(NOVEMBER)
    assert client.close(DECEMBER) == []
    client.orders += ordering.reopen_orders(client.orders, "Op", datetime(2027, 1, 9, tzinfo=UTC))
    assert amounts(client.close(JANUARY)) == [
        ("2027-01", "storage-month", "9.00"), ("2027-01", "seats-month", "9.00"),
    ]  # fmt: skip


def test_a_return_in_the_month_of_the_end_is_as_if_nothing_was() -> None:
    client = opened()
    client.order("storage", 0, at(10))  # which would have taken effect
    client.orders += ordering.end_orders(client.orders, "Coffre", at(20), PARIS)
    client.orders += ordering.reopen_orders(client.orders, "Op", at(21))
    client.close(NOVEMBER)
    assert [line[2] for line in amounts(client.close(DECEMBER))] == ["9.00", "9.00"]


def test_a_preview_says_what_the_ledger_will() -> None:
    client = opened()
    order = client.order("seats", 5, at(22))
    lines = ledger.preview(client.orders, order, PARIS)
    assert amounts(lines) == [
        ("2026-11", "seats-month", "15.00"),
        ("2026-11", "seats-entry", "30.00"),
        ("2026-12", "seats-month", "15.00"),
    ]
    client.close(DECEMBER)
    assert set(lines) <= set(client.lines)
    other = client.order("seats", 6, at(23))
    assert ledger.quote(order, lines) != ledger.quote(other, lines)


ZONES = st.sampled_from(["Europe/Paris", "America/Cayenne", "Pacific/Kiritimati", "UTC"])
MOMENTS = st.integers(0, 540 * 24).map(
    lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
)
CHANGES = st.one_of(
    st.tuples(st.just("storage"), st.integers(0, 9).map(lambda n: n * 70 * GB)),
    st.tuples(st.just("seats"), st.integers(1, 9)),
    st.tuples(st.just("close"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["end", "reopen"]), st.just(0)),
)
LIVES = st.lists(st.tuples(MOMENTS, CHANGES), max_size=25)


def live(client: Books, life: Sequence[tuple[datetime, tuple[str, int]]]) -> None:
    """Orders, ends, returns and closes, in the order of the list, whatever their clocks say."""
    for now, (what, amount) in life:
        if what == "close":
            month = Month.of(now, client.zone)
            for _ in range(amount):
                month = Month(month.year - (month.number == 1), (month.number - 2) % 12 + 1)
            client.close(month)
        elif what == "end":
            client.orders += ordering.end_orders(client.orders, "Coffre", now, client.zone)
        elif what == "reopen":
            client.orders += ordering.reopen_orders(client.orders, "Op", now)
        else:
            client.order("storage" if what == "storage" else "seats", amount, now)


def balance(client: Books) -> None:
    """The ledger equals what the orders alone come to, to the cent, for each order and rule."""
    assert client.closed is not None
    expected: dict[Due, Decimal] = {}
    months = [Month.of(one.effective_at, client.zone) for one in client.orders]
    for month in list_months(min(months, default=client.closed.next), client.closed):
        for line in ledger.bill(client.orders, month, client.zone):
            expected[line.due] = line.amount
    booked: dict[Due, Decimal] = {}
    for line in client.lines:
        booked[line.due] = booked.get(line.due, Decimal(0)) + line.amount
    assert {due: amount for due, amount in booked.items() if amount} == expected


@settings(max_examples=400, deadline=None)
@given(life=LIVES, zone=ZONES, in_order=st.booleans())
def test_the_ledger_equals_the_orders_whenever_months_are_closed(
    life: list[tuple[datetime, tuple[str, int]]], zone: str, in_order: bool
) -> None:
    if in_order:
        life = sorted(life, key=lambda one: one[0])
    client = Books(zone=ZoneInfo(zone), lists=BOTH)
    client.order("storage", 100 * GB, datetime(2026, 1, 3, tzinfo=UTC))
    client.order("seats", 2, datetime(2026, 1, 3, tzinfo=UTC))
    live(client, life)
    closed_before = list(client.lines)
    client.close(Month(2027, 7))
    assert client.lines[: len(closed_before)] == closed_before
    balance(client)
    once = Books(zone=client.zone, orders=client.orders)
    once.close(Month(2027, 7))
    balance(once)
    assert sum(one.amount for one in once.lines) == sum(one.amount for one in client.lines)


# --- prices


def stepped(**more: object) -> PriceList:
    steps = (
        Step(100 * GB, Decimal("8.90")),
        Step(250 * GB, Decimal(20)),
        Step(10**12, Decimal(70)),
    )
    values = {
        "first": Month(2026, 1), "last": None, "currency": "EUR", "vat_percent": Decimal(20),
        "seat_entry": Decimal(15), "seat_monthly": Decimal(3), "per_100_gb": None, "steps": steps,
    }  # fmt: skip
    return PriceList(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "steps", "begun"),
    [
        (0, "0", "0"),
        (1, "8.90", "9.00"),
        (100 * GB, "8.90", "9.00"),
        (100 * GB + 1, "20", "18.00"),
        (10**12, "70", "90.00"),
    ],
)
def test_storage_is_priced_by_steps_or_by_hundreds_begun(size: int, steps: str, begun: str) -> None:
    assert stepped().price_storage(size) == Decimal(steps)
    assert SOLD.price_storage(size) == Decimal(begun)


def test_the_next_sizes_are_larger_than_what_is_contracted() -> None:
    assert [one.storage_bytes // GB for one in SOLD.list_next_sizes(100 * GB)] == [200, 300, 400]
    assert [one.storage_bytes // GB for one in SOLD.list_next_sizes(GB)] == [100, 200, 300]
    assert [one.storage_bytes // GB for one in stepped().list_next_sizes(100 * GB)] == [250, 1000]
    assert stepped().list_next_sizes(10**12) == ()
    assert stepped().find_size_for(101 * GB) == 250 * GB
    assert SOLD.find_size_for(100 * GB) == 100 * GB
    with pytest.raises(SizeNotOffered):
        stepped().price_storage(10**12 + 1)
    with pytest.raises(SizeNotOffered):
        stepped().find_size_for(10**12 + 1)


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ((), "There is no list"),
        ((stepped(last=Month(2026, 6)), stepped(first=Month(2026, 8))), "gap between 2026-06 and"),
        ((stepped(last=Month(2026, 6)), stepped(first=Month(2026, 6))), "begins before"),
        ((stepped(), stepped(first=Month(2027, 1))), "begins before"),
        ((stepped(first=Month(2027, 1), last=Month(2027, 2)), stepped()), "begins before"),
        ((stepped(last=Month(2026, 6)),), "The last list has an end"),
        ((stepped(last=Month(2025, 6)), stepped(first=Month(2025, 7))), "ends before it begins"),
        ((stepped(seat_entry=Decimal(-1)),), "below zero"),
        ((stepped(steps=(Step(GB, Decimal("-0.01")),)),), "below zero"),
        ((stepped(vat_percent=Decimal(101)),), "above 100"),
        ((stepped(steps=(Step(GB, Decimal(1)), Step(GB, Decimal(2)))),), "don't grow"),
        ((stepped(steps=()),), "steps or per 100 GB"),
        ((stepped(per_100_gb=Decimal(9)),), "steps or per 100 GB"),
    ],
)
def test_lists_that_do_not_follow_each_other_are_refused_in_words(
    lists: tuple[PriceList, ...], said: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        prices.check_lists(lists)
    assert said in refused.value.detail


def test_lists_that_follow_each_other_pass() -> None:
    first, then = stepped(last=Month(2026, 12)), stepped(first=Month(2027, 1))
    prices.check_lists([first, then])
    assert prices.find_list([first, then], Month(2026, 12)) is first
    assert prices.find_list([first, then], Month(2027, 1)) is then
    with pytest.raises(NoPrice):
        prices.find_list([first, then], Month(2025, 12))
    for one in (first, then, SOLD):
        assert prices.from_json(prices.to_json(one)) == one


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [("0.005", "0.01"), ("0.015", "0.02"), ("-0.005", "-0.01"), ("1", "1.00")],
)
def test_halves_of_a_cent_go_away_from_zero(amount: str, rounded: str) -> None:
    assert str(prices.round_money(Decimal(amount))) == rounded


def test_months_are_written_and_read() -> None:
    assert str(Month.read("2026-09")) == "2026-09"
    assert Month(2026, 12).next == Month(2027, 1)
    for wrong in ("2026-13", "2026-00", "26-01", "2026-1", "2026-011", "November"):
        with pytest.raises(InvalidRequest):
            Month.read(wrong)
