"""A real Prometheus watches running services; every panel of every dashboard has data."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from libs.shared.database import SERVICES
from monitoring.boards import BOARDS
from monitoring.panels import WINDOW
from monitoring.pictures import Asked, draw
from tests.servers import free_port
from tests.world.house import House, open_house
from tests.world.waiting import wait_for

ROOT = Path(__file__).parents[2]
PICTURES = "COFFRE_DASHBOARD_PICTURES"
"""A folder into which the dashboards are drawn from what was measured."""

# What two minutes can't show.
WITHOUT_DATA = {"Days until the contract is reached"}

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


class Prometheus:
    """What a running Prometheus is asked."""

    def __init__(self, url: str) -> None:
        self.began = time.time()
        self._http = httpx2.Client(base_url=url, trust_env=False, timeout=60)

    def get(self, path: str, **params: Any) -> Any:
        answer = self._http.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def close(self) -> None:
        self._http.close()

    def is_up(self) -> bool:
        try:
            return bool(self._http.get("/-/ready").status_code == 200)
        except httpx2.TransportError:
            return False

    def course(self, expression: str) -> Any:
        """All series of an expression from the beginning until now."""
        span = {"start": self.began, "end": time.time(), "step": 2}
        return self.get("query_range", query=expression, **span)["result"]


@contextmanager
def started(house: House, folder: Path) -> Iterator[Prometheus]:
    """Debian's Prometheus, with the rules of the repository and compose's jobs."""
    config = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "2s"}
    config["rule_files"] = [str(ROOT / "deploy/monitoring/rules/*.yml")]
    del config["alerting"]
    [job] = [each for each in config["scrape_configs"] if each["job_name"] == "coffre"]
    config["scrape_configs"] = [job]
    for target in job["static_configs"]:
        monitor = house.place.monitor_url(target["labels"]["service"])
        target["targets"] = [monitor.removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        *("prometheus", f"--config.file={folder}/prometheus.yml"),
        *(f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"),
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        prometheus = Prometheus(f"http://{address}")
        wait_for(f"Prometheus: {folder}/prometheus.log", prometheus.is_up)
        is_seen = {"query": 'sum(up{job="coffre"}) == 5'}
        wait_for("every service", lambda: prometheus.get("query", **is_seen)["result"] or None)
        yield prometheus
        prometheus.close()
    finally:
        process.terminate()
        process.wait(30)


def test_every_panel_shows_what_went_on(
    servers: Any, database_template: str, tmp_path: Path
) -> None:
    environ = {"COFFRE_METRICS_PER_TENANT": "true"}
    place = tmp_path / "house"
    with (
        open_house(servers, database_template, place, *SERVICES, **environ) as house,
        started(house, tmp_path) as prometheus,
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
        if folder := os.environ.get(PICTURES):
            asked: Asked = ask
            for board in BOARDS:
                (Path(folder) / f"{board.name}.svg").write_text(draw(board, asked))
