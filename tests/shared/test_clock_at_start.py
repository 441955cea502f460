"""A service on a machine whose clock is an hour off, from its start on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.shared.conftest import until

FOUND = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
FAKETIME = str(FOUND[0]) if FOUND else ""


@pytest.mark.skipif(not FAKETIME, reason="without Debian's package faketime no clock is off")
@pytest.mark.parametrize(("off", "told"), [("+1h", "60 minutes ahead"), ("-1h", "60 minutes beh")])
async def test_it_says_whose_clock_it_doubts_and_goes_on(
    start: Any,
    off: str,
    told: str,
) -> None:
    service = await start(LD_PRELOAD=FAKETIME, FAKETIME=off, DONT_FAKE_MONOTONIC="1")
    await until(service.is_ready, 90)
    await until(lambda: service.says(f"This machine's clock is {told}"), 90)
    checks = (await service.look("/health/ready")).json()["checks"]
    assert checks["time"].startswith(f"This machine's clock is {told}")
    assert "of the database's" in checks["time"]
    assert checks["database"] == "ok"
