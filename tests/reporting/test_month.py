"""A month of fifty plans brings exactly the mails that it should, in order and in disorder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.shared import clock
from tests.reporting.conftest import Desk
from tests.reporting.month.oracle import Oracle
from tests.reporting.month.script import Script, make_autumn, make_march
from tests.reporting.month.stage import Stage, list_differences
from tests.reporting.test_bounces import Post, post  # noqa: F401


@pytest.mark.parametrize(("make", "mails"), [(make_march, 1), (make_autumn, 1)])
async def test_a_month_sends_the_mails_that_it_should(
    desk: Desk,
    post: Post,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[], Script],
    mails: int,
) -> None:
    script = make()
    foreseen = Oracle(script).foresee()
    desk.office = replace(desk.office, bounces_address="bounces@provider.example")
    stage = Stage(desk, script, post)
    monkeypatch.setattr(clock, "now", lambda: stage.now)
    monkeypatch.setattr(clock, "offset", lambda: stage.now - datetime.now(UTC))
    began, cpu = time.monotonic(), time.process_time()
    await stage.play()
    told = await stage.list_told()
    print(
        "RUNS", len(script.runs), "STEPS", len(script.steps), "MAILS", told.total(),
        "WALL", time.monotonic() - began, "CPU", time.process_time() - cpu,
    )
    assert list_differences(foreseen, told) == []
    assert told.total() > mails
