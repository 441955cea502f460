"""The portal as a process: its settings, its start, its readiness, its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.world.house import open_house
from tests.world.machines import ROOT


def test_it_starts_serves_publishes_and_ends(
    servers: Any, database_template: str, tmp_path: Path
) -> None:
    with open_house(servers, database_template, tmp_path / "house", "portal") as house:
        house.wait_ready("portal")
        assert house.portal.ask("GET", "/tenants") == {"tenants": []}
        monitor = house.place.monitor_url("portal")
        with house.operator() as web:
            assert "coffre_http_requests_total" in web.get(f"{monitor}/metrics").text
            assert set(web.get(f"{monitor}/health/ready").json()["checks"]) == {
                "serving",
                "database",
                "broker",
                "time",
                "loops",
            }
            assert web.get(f"{house.url('portal')}/metrics").status_code == 404
            ready = web.get(f"{house.url('portal')}/health/ready")
            assert ready.json() == {"status": "ready"}
        house.stop("portal")


def test_it_names_what_it_is_not_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.portal"],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    for name in (b"COFFRE_DATABASE_URL", b"COFFRE_S3_BUCKET", b"COFFRE_OPERATOR_TOKEN_FILE"):
        assert name in done.stderr
