"""A real Prometheus watches running services; every panel of every dashboard has data."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from libs.shared.database import SERVICES
from monitoring.boards import BOARDS
from monitoring.panels import WINDOW
from monitoring.watching import watch
from tests.servers import free_port
from tests.world.house import open_house
from tests.world.waiting import wait_for

# What two minutes can't show, and what PostgreSQL of the tests has not.
WITHOUT_DATA = {
    "Days until the contract is reached",
    "Since WAL was last archived",
    "Since the last base backup",
}

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def test_every_panel_shows_what_went_on(
    servers: Any, database_template: str, tmp_path: Path
) -> None:
    environ = {"COFFRE_METRICS_PER_TENANT": "true"}
    place = tmp_path / "house"
    with (
        open_house(servers, database_template, place, *SERVICES, **environ) as house,
        watch(
            {service: house.place.monitor_url(service) for service in SERVICES},
            f"127.0.0.1:{free_port()}",
            tmp_path,
        ) as prometheus,
    ):
        client = house.open_client("Boulangerie Martin")
        papers = tmp_path / "papers"
        papers.mkdir()
        plans = {"papers": {"folders": [str(papers)]}, "gone": {"folders": [str(tmp_path / "no")]}}
        machine = client.machine(tmp_path / "agent", plans)
        for day in range(3):
            (papers / f"{day}.bin").write_bytes(os.urandom(3_000_000))
            machine.run("papers")
        assert machine.agent("run", "gone").returncode not in (0, 3)
        client.restore(machine, tmp_path / "back", plan="papers")
        house.mail(client.email, "papers")
        # What they measure every few minutes they measure half a minute after their start.
        house.stop("quota", "reporting")
        for service in ("quota", "reporting"):
            house.start(service)
        (papers / "late.bin").write_bytes(os.urandom(3_000_000))
        machine.run("papers")
        # A series begins with what it first counts: only what is counted once more is a rate.
        client.restore(machine, tmp_path / "again", plan="papers")
        for _ in range(3):
            house.wait_ready(*SERVICES)
            time.sleep(1.5)
        wait_for(
            "the newest of what is measured",
            lambda: (
                prometheus.get(
                    "query",
                    query="count_over_time(coffre_tenant_last_good_run_timestamp_seconds[1m]) > 5"
                    " and on() count_over_time(coffre_tenant_stored_bytes[1m]) > 5"
                    " and on() count_over_time(coffre_clients_full_in[1m]) > 5"
                    " and on() count_over_time(coffre_plans[1m]) > 5",
                )["result"]
                or None
            ),
            120,
        )

        def ask(expression: str) -> Any:
            filled = expression.replace(WINDOW, "30s").replace("$tenant", client.tenant_id)
            return prometheus.course(filled)

        empty = {
            panel.title
            for board in BOARDS
            for panel in board.panels
            if not any(ask(query.expression) for query in panel.queries)
        }
        assert empty <= WITHOUT_DATA
        unanswered = [
            (panel.title, query.legend)
            for board in BOARDS
            for panel in board.panels
            for query in panel.queries
            if panel.title not in WITHOUT_DATA and not ask(query.expression)
        ]
        assert unanswered == []

        groups = prometheus.get("rules")["groups"]
        assert [rule for group in groups for rule in group["rules"] if rule.get("lastError")] == []
        firing = {alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"]
                  if alert["state"] == "firing"}  # fmt: skip
        assert firing == set()
