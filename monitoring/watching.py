"""A real Prometheus that watches services of this machine, with the rules of the repository."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from monitoring.metrics import ROOT

SERVICES = 5
STEP_SECONDS = 2
STARTING_SECONDS = 120


class Prometheus:
    """What a running Prometheus is asked."""

    def __init__(self, url: str) -> None:
        self.began = time.time()
        self._url = url

    def get(self, path: str, **params: Any) -> Any:
        """What its API answers."""
        query = urllib.parse.urlencode(params)
        address = f"{self._url}/api/v1/{path}?{query}"
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own address
            return json.loads(answer.read())["data"]

    def sees_all(self) -> bool:
        """Whether it runs, and every service answered it."""
        try:
            seen = self.get("query", query=f'sum(up{{job="coffre"}}) == {SERVICES}')
        except (urllib.error.URLError, OSError):
            return False
        return bool(seen["result"])

    def course(self, expression: str) -> Any:
        """All series of an expression from the beginning until now."""
        span = {"start": self.began, "end": time.time(), "step": STEP_SECONDS}
        return self.get("query_range", query=expression, **span)["result"]


@contextmanager
def watch(monitors: Mapping[str, str], address: str, folder: Path) -> Iterator[Prometheus]:
    """Debian's Prometheus with compose's jobs, once it has seen all services.

    monitors: by service, where it answers metrics. address: host:port on which it listens.
    """
    config = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "2s"}
    config["rule_files"] = [str(ROOT / "deploy/monitoring/rules/*.yml")]
    del config["alerting"]
    [job] = [each for each in config["scrape_configs"] if each["job_name"] == "coffre"]
    config["scrape_configs"] = [job]
    for target in job["static_configs"]:
        monitor = monitors[target["labels"]["service"]]
        target["targets"] = [monitor.removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        *("prometheus", f"--config.file={folder}/prometheus.yml"),
        *(f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"),
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        prometheus = Prometheus(f"http://{address}")
        deadline = time.monotonic() + STARTING_SECONDS
        while not prometheus.sees_all():
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"Prometheus doesn't see all services: {folder}/prometheus.log")
            time.sleep(0.2)
        yield prometheus
    finally:
        process.terminate()
        process.wait(30)
