"""The limit of bandwidth, without a line: how much passes in which time, at which hour."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from agent.config import Bandwidth, BandwidthHours
from agent.server.bandwidth import Throttle

WEEKDAYS = frozenset(range(5))
MONDAY_NOON = datetime(2026, 11, 23, 12, 0).astimezone()


def test_threads_share_one_limit_and_nearly_reach_it() -> None:
    throttle = Throttle(Bandwidth(400_000))
    passed: list[int] = []

    def send() -> None:
        passed.extend(len(piece) for piece in throttle.pieces(bytes(300_000)))

    threads = [threading.Thread(target=send) for _ in range(3)]
    began, used = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    assert sum(passed) == 900_000
    # One second's worth may pass at once; the rest takes its time.
    assert 1.2 < seconds < 30
    assert time.process_time() - used < 0.5, "waiting is not working"


def test_new_hours_hold_while_a_body_is_under_way() -> None:
    hours = BandwidthHours(8 * 60, 18 * 60, WEEKDAYS, 1_000)
    clock = [MONDAY_NOON]
    throttle = Throttle(Bandwidth(None, (hours,)), lambda: clock[0])
    began = time.monotonic()
    sent = 0
    for number, piece in enumerate(throttle.pieces(bytes(10_000_000))):
        sent += len(piece)
        if number == 1:
            assert sent < 2_000
            clock[0] = MONDAY_NOON.replace(hour=19)
    assert sent == 10_000_000
    assert time.monotonic() - began < 60, "at a kilobyte a second it would take hours"


def test_a_body_comes_whole_whatever_the_limit() -> None:
    body = bytes(range(256)) * 20
    for limit in (None, 10_000, 10**12):
        assert b"".join(Throttle(Bandwidth(limit)).pieces(body)) == body
    assert list(Throttle(Bandwidth(5)).pieces(b"")) == []
    assert not Throttle(Bandwidth()).is_needed
