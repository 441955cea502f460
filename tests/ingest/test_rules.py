"""Decisions of ingest, by tables and properties."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.shared.entries import Entry, EntryRejected, FolderDelta
from libs.shared.errors import Unavailable
from libs.shared.events import DumpResult, NotCopied
from libs.shared.reasons import Reason
from services.ingest import rules


def dump(name: str, *, succeeded: bool) -> DumpResult:
    return DumpResult(name=name, succeeded=succeeded, guaranteed=succeeded, size_bytes=1)


BAD = dump("a", succeeded=False)


@pytest.mark.parametrize(
    ("hint", "not_copied", "dumps", "expected", "outcome", "reason"),
    [
        ("succeeded", 0, (), (), "succeeded", None),
        ("succeeded", 1, (), (), "succeeded_with_warnings", None),
        ("succeeded_with_warnings", 0, (), (), "succeeded_with_warnings", None),
        ("failed", 0, (), (), "failed", Reason("incomplete")),
        ("succeeded", 0, (dump("a", succeeded=True),), ("a",), "succeeded", None),
        ("succeeded", 0, (BAD,), ("a",), "failed", Reason("dump-failed", "a", 1)),
        ("failed", 0, (BAD,), ("a", "b"), "failed", Reason("dump-failed", "a, b", 2)),
        ("succeeded", 0, (BAD,), (), "failed", Reason("dump-failed", "a", 1)),
        ("succeeded_with_warnings", 3, (), ("a",), "failed", Reason("dump-missing", "a", 1)),
    ],
)
def test_what_became_of_a_run(hint, not_copied, dumps, expected, outcome, reason):  # type: ignore[no-untyped-def] # a table
    counters = rules.reported.Counters(files_not_copied=not_copied)
    assert rules.commits.decide_outcome(hint, counters, dumps, expected) == (outcome, reason)


def test_what_an_agent_says_of_its_failure_is_kept() -> None:
    again = Reason("missed-again", amount=2, limit=3)
    told = rules.commits.decide_outcome("failed", rules.reported.Counters(), (), (), (), again)
    assert told == ("failed", again)
    told = rules.commits.decide_outcome("succeeded", rules.reported.Counters(), (), (), (), again)
    assert told == ("succeeded", None)


def test_a_run_that_warns_of_something_has_not_simply_succeeded() -> None:
    warnings = (Reason("clock-ahead", amount=600),)
    told = rules.commits.decide_outcome("succeeded", rules.reported.Counters(), (), (), warnings)
    assert told == ("succeeded_with_warnings", None)


@pytest.mark.parametrize(
    ("ceiling", "stored", "growth", "blocked"),
    [
        (None, 10**15, 10**15, False),
        (100, 90, 10, False),
        (100, 90, 11, True),
        (100, 200, 0, False),
        (0, 0, 1, True),
    ],
)
def test_growth(ceiling: int | None, stored: int, growth: int, blocked: bool) -> None:
    try:
        rules.agents.check_growth(ceiling, "", stored, growth)
    except rules.refusals.GrowthBlocked:
        assert blocked
    else:
        assert not blocked


def test_the_ceiling_is_what_was_held_when_growth_was_blocked() -> None:
    assert rules.agents.decide_ceiling(False, 100, 50, None) is None
    assert rules.agents.decide_ceiling(True, 100, 50, None) == 50
    assert rules.agents.decide_ceiling(True, 100, 30, 50) == 50
    assert rules.agents.decide_ceiling(True, 40, 30, 50) == 40


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        ("active", None),
        ("ending", None),
        ("ended", rules.refusals.SubscriptionOver),
        ("destroyed", rules.refusals.SubscriptionOver),
        ("suspended", rules.refusals.SubscriptionSuspended),
        (None, Unavailable),
    ],
)
def test_subscriptions(state: str | None, refusal: type[Exception] | None) -> None:
    if refusal is None:
        rules.agents.check_subscription(state, "")
    else:
        with pytest.raises(refusal):
            rules.agents.check_subscription(state, "")


@given(st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=8))
def test_crc32_of_a_file_from_its_chunks(contents: list[bytes]) -> None:
    ids = [bytes([place]) * 32 for place in range(len(contents))]
    facts = {
        chunk_id: (len(content), zlib.crc32(content), 1, len(content))
        for chunk_id, content in zip(ids, contents, strict=True)
    }
    size = sum(map(len, contents))
    entry = Entry(b"f", "f", 0, 0, 0, 0, size, b"", b"".join(ids))
    empty = Entry(b"e", "f", 0, 0, 0, 0, 0, b"", b"")
    delta = FolderDelta(b"", [empty, entry], [])
    assert rules.intake.check_chunks([delta], facts, {}) == [0, zlib.crc32(b"".join(contents))]
    assert sorted(rules.intake.list_chunk_ids([delta])) == sorted(ids)
    with pytest.raises(rules.refusals.ChunkUnknown):
        rules.intake.check_chunks([delta], {}, {})


component = st.binary(min_size=1, max_size=3).filter(lambda name: b"/" not in name)


@given(st.lists(st.lists(component, max_size=5).map(b"/".join), max_size=10))
def test_folders_come_after_their_parents(paths: list[bytes]) -> None:
    listed = rules.intake.list_folders(paths)
    assert len(listed) == len(set(listed))
    assert {path for path in paths if path} <= set(listed)
    for place, folder in enumerate(listed):
        above = folder.rpartition(b"/")[0]
        assert not above or above in listed[:place]
    assert rules.intake.list_folders(paths, listed) == []


def test_folders_that_can_not_be_held() -> None:
    with pytest.raises(EntryRejected):
        rules.intake.list_folders(b"%d" % i + b"/a" * 2000 for i in range(1000))


def test_an_ending_within_limits() -> None:
    many = tuple(NotCopied(path="p" * 5000, reason=Reason("vanished")) for _ in range(1200))
    loud = tuple(Reason("new", detail="\0" + "d" * 1_000_000) for _ in range(1000))
    ending = rules.reported.Ending(
        not_copied=many, warnings=loud, log_tail="é" * 40_000
    ).shortened()
    assert len(ending.not_copied) == 1000
    assert len(ending.not_copied[0].path) == 4096
    assert ending.counters.files_not_copied == 1200
    assert len(ending.log_tail.encode()) <= 64 * 1024
    assert ending.warnings == (Reason("new", detail="\ufffd" + "d" * 499),) * 20
