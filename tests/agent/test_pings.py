"""A monitoring service is told how runs go, and can do them no harm."""

from __future__ import annotations

import socket
import time

from agent.programs import pings
from agent.programs.pings import Pings
from agent.telling.teller import Teller
from libs.shared.reasons import Reason
from tests.agent.monitors import Monitor


def test_a_run_is_told_from_its_start_to_its_end(monitor: Monitor) -> None:
    teller = Teller(as_json=False, title="")
    for outcome, path in {
        "succeeded": "/ping/0000-secret",
        "succeeded_with_warnings": "/ping/0000-secret",
        "failed": "/ping/0000-secret/fail",
    }.items():
        told = Pings(monitor.url, teller)
        told.started()
        told.ended(outcome, "x" * 20_000 + "the dump é failed")
        assert [each[0] for each in monitor.told] == ["/ping/0000-secret/start", path]
        body = monitor.told[1][1]
        assert body.endswith("the dump é failed")
        assert len(body.encode()) <= pings.MAX_BODY_BYTES
        monitor.told.clear()
    assert teller.log_tail() == ""


def test_an_address_may_have_parameters(monitor: Monitor) -> None:
    told = Pings(monitor.url + "/?create=1", Teller(as_json=False, title=""))
    told.ended("failed", "")
    assert monitor.told == [("/ping/0000-secret/fail?create=1", "")]


def test_a_service_in_trouble_is_asked_again_and_then_told_of(monitor: Monitor) -> None:
    teller = Teller(as_json=False, title="")
    monitor.answers = [500, 200]
    told = Pings(monitor.url, teller)
    told.started()
    assert told.warning() is None
    told.ended("succeeded", "")
    assert [path.removeprefix("/ping/0000-secret") for path, _ in monitor.told] == [
        "/start", "/start", ""
    ]  # fmt: skip
    assert teller.log_tail() == ""
    monitor.answers = [404, 404, 200]
    told = Pings(monitor.url, teller)
    told.started()
    warning = told.warning()
    assert warning is not None
    assert warning == Reason("ping-failed", "127.0.0.1", detail="HTTP Error 404: Not Found")
    told.ended("succeeded", "")
    assert "The monitoring service 127.0.0.1 could not be told of the backup: " in teller.log_tail()
    assert "404" in teller.log_tail()
    assert "secret" not in teller.log_tail()


def test_a_run_does_not_wait_for_the_answer_to_its_start() -> None:
    teller = Teller(as_json=False, title="")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        told = Pings(f"http://127.0.0.1:{deaf.getsockname()[1]}/x", teller)
        told.started()
        assert teller.log_tail() == "", "there is none yet"
    assert told.warning() is not None


def test_a_service_that_says_nothing_does_not_hold_a_run_up() -> None:
    teller = Teller(as_json=False, title="")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/x"
        told = Pings(url, teller, answer_seconds=0.3)
        began = time.monotonic()
        told.started()
        warning = told.warning()
        assert warning is not None
        assert warning == Reason("ping-failed", "127.0.0.1", detail="timed out")
        told.ended("succeeded", "")
        assert time.monotonic() - began > 0.8, "each was waited for as long as was said"
    assert teller.log_tail().count("could not be told of the backup: timed out") == 2
    refused = Pings(url, teller)
    refused.started()
    refused.ended("failed", "")
    assert "refused" in teller.log_tail()


def test_without_an_address_nothing_is_sent() -> None:
    told = Pings(None, Teller(as_json=False, title=""))
    told.started()
    told.ended("failed", "")
