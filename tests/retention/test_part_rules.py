"""What the sweep of parts takes for unneeded, no rebuild would read: whatever a bucket tells."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.shared import clock
from libs.shared.bucket import End, Head, StoredPart
from services.ingest import rules as ingest_rules
from services.retention import rules

NOW = clock.now()
NOBODY = UUID(int=0)
NUMBERS = range(1, 7)


def make_head(run_id: int, number: int, parent: int | None, parts: set[int]) -> Head:
    names = [f"{number}.{part}" for part in sorted(parts)]
    return Head(
        tenant_id=NOBODY,
        plan_id=NOBODY,
        plan="docs",
        plan_version=1,
        plan_created_at=NOW,
        agent_id=NOBODY,
        hostname="caisse",
        platform="linux",
        agent_version="1",
        enrolled_at=NOW,
        declaration={},
        run_id=UUID(int=run_id),
        number=number,
        parent=parent,
        full=False,
        started_at=NOW,
        asked_at=NOW,
        outcome="succeeded",
        reason=None,
        counters={},
        parts=[StoredPart(name, "", 1) for name in names],
    )


def make_end(run_id: int, number: int, state: str, head_key: str | None) -> End:
    return End(
        tenant_id=NOBODY,
        plan_id=NOBODY,
        run_id=UUID(int=run_id),
        number=number,
        state=state,
        head_key=head_key,
        finished_at=NOW,
        outcome="succeeded",
        reason=None,
        files_total=None,
        bytes_protected=None,
        superseded_from=None,
    )


@st.composite
def buckets(draw: st.DrawFn) -> tuple[dict[str, Head], dict[int, End], set[int]]:
    """(heads by key, ends by number, runs with a whole list): also of several databases' lives."""
    heads: dict[str, Head] = {}
    ends: dict[int, End] = {}
    for number in NUMBERS:
        parents = st.sampled_from([None, *range(1, number)])
        for place in range(draw(st.integers(0, 2))):
            parts = draw(st.sets(st.integers(0, 2)))
            head = make_head(draw(st.integers(1, 2)), number, draw(parents), parts)
            heads[f"{number}.head.{place}"] = head
        if draw(st.booleans()):
            state = draw(st.sampled_from(["committed", "failed"]))
            key = draw(st.sampled_from([None, *(k for k in heads if k.startswith(f"{number}."))]))
            head_key = key if state == "committed" else None
            ends[number] = make_end(draw(st.integers(1, 2)), number, state, head_key)
    return heads, ends, draw(st.sets(st.sampled_from(NUMBERS), max_size=2))


Bucket: TypeAlias = tuple[dict[str, Head], dict[int, End], set[int]]


@given(buckets(), st.integers(0, 6))
@settings(max_examples=400, deadline=None)
def test_what_goes_is_read_by_no_rebuild(bucket: Bucket, base: int) -> None:
    check_what_goes(bucket, base)


@pytest.mark.long
@given(buckets(), st.integers(0, 6))
@settings(max_examples=5_000, deadline=None)
def test_what_goes_is_read_by_no_rebuild_of_thousands(bucket: Bucket, base: int) -> None:
    check_what_goes(bucket, base)


def check_what_goes(bucket: Bucket, base: int) -> None:
    heads, ends, listed = bucket
    # A rebuild begins at a whole list, or at the first run where it can read none.
    base = base if base in listed else 0
    history = ingest_rules.manifests.history.decide_history(
        {key: head for key, head in heads.items() if head.number >= base},
        [end for number, end in ends.items() if number >= base],
        NUMBERS,
        [base] if base else [],
    )
    for number in NUMBERS:
        parts = {f"{number}.{part}" for part in range(4)}
        own = [head for head in heads.values() if head.number == number]
        later = [head for head in heads.values() if head.number > number]
        unneeded = rules.parts.find_unneeded(parts, own)
        assert f"{number}.3" in unneeded, "no head names it"
        if number not in listed and rules.parts.is_given_up(number, ends.get(number), later):
            unneeded = parts
        if number in history.heads:
            _, chosen = history.heads[number]
            assert not unneeded & {part.key for part in chosen.parts}


def test_a_head_that_cannot_be_read_keeps_all() -> None:
    head = make_head(1, 2, 1, {0})
    assert rules.parts.find_unneeded({"2.0", "2.1"}, [head]) == {"2.1"}
    assert rules.parts.find_unneeded({"2.0", "2.1"}, [head, None]) == set()
    assert rules.parts.find_unneeded({"2.0"}, []) == {"2.0"}
    failed = make_end(1, 2, "failed", None)
    assert rules.parts.is_given_up(2, failed, [head])
    assert not rules.parts.is_given_up(2, failed, [head, None])
    assert not rules.parts.is_given_up(1, failed, [head]), "somebody's parent"
    assert not rules.parts.is_given_up(2, make_end(1, 2, "committed", None), [])
    assert not rules.parts.is_given_up(2, None, [])
