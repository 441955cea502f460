"""A month of fifty plans brings exactly the mails that it should, in order and in disorder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.shared import clock
from services.reporting.actions.sending import sender
from tests.reporting.conftest import Desk
from tests.reporting.month.oracle import Oracle
from tests.reporting.month.script import Script, make_autumn, make_march
from tests.reporting.month.stage import Stage, list_differences
from tests.reporting.test_bounces import Post, post  # noqa: F401


@pytest.mark.parametrize(("make", "at_least"), [(make_march, 700), (make_autumn, 100)])
async def test_a_month_sends_the_mails_that_it_should(
    desk: Desk,
    post: Post,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[], Script],
    at_least: int,
) -> None:
    script = make()
    foreseen = Oracle(script).foresee()
    desk.office = replace(desk.office, bounces_address="bounces@provider.example")
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.03)
    stage = Stage(desk, script, post)
    monkeypatch.setattr(clock, "now", lambda: stage.now)
    monkeypatch.setattr(clock, "offset", lambda: stage.now - datetime.now(UTC))
    await stage.play()
    told = await stage.list_told()
    differences = list_differences(foreseen, told)
    assert not differences, "\n".join(differences)
    assert told.total() > at_least
