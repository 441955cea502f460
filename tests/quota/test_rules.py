"""How far a tenant may grow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.quota.rules import Account, Allowance, Block, decide_allowance

sizes = st.integers(0, 10**15)


@given(sizes, sizes)
def test_without_a_block_the_ceiling_is_the_contract(contracted: int, stored: int) -> None:
    assert decide_allowance(Account(contracted, stored)) == Allowance(contracted, False, "")


@given(sizes, sizes, sizes)
def test_a_block_stops_at_what_was_held_then(contracted: int, stored: int, then: int) -> None:
    allowance = decide_allowance(Account(contracted, stored, Block("unpaid", then)))
    assert allowance == Allowance(then, True, "unpaid")


@given(sizes)
def test_nothing_is_said_before_the_contract_is_known(stored: int) -> None:
    assert decide_allowance(Account(None, stored)) is None
    assert decide_allowance(Account(None, stored, Block("x", 1))) is None
