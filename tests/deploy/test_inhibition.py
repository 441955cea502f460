"""A real Alertmanager holds back what follows from something else that is told already."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.deploy.alert_cases import CASES
from tests.deploy.test_monitoring import ALERTS, MONITORING
from tests.servers import free_port
from tests.world.waiting import wait_for

CONFIGURATION = MONITORING / "alertmanager.yml"
RULES: list[dict[str, Any]] = yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[httpx2.Client]:
    """As compose starts it, with our configuration; gives its API."""
    address = f"127.0.0.1:{free_port()}"
    told = [f"--config.file={CONFIGURATION}", f"--storage.path={tmp_path}"]
    alone = [f"--web.listen-address={address}", "--cluster.listen-address="]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(["prometheus-alertmanager", *told, *alone], stderr=log)
    try:
        with httpx2.Client(
            base_url=f"http://{address}/api/v2/", trust_env=False, timeout=60
        ) as api:
            wait_for("Alertmanager", lambda: is_up(api))
            yield api
    finally:
        running.kill()
        running.wait()


def is_up(api: httpx2.Client) -> bool:
    try:
        return api.get("status").status_code == 200
    except httpx2.TransportError:
        return False


def matching(matchers: list[str]) -> list[str]:
    """The alerts of ours that all matchers mean."""
    names = [str(rule["alert"]) for rule in ALERTS]
    for matcher in matchers:
        name, operator, text = re.fullmatch(r'(\w+)(!?=~?|=~)"(.*)"', matcher).groups()  # type: ignore[union-attr]  # else it is written otherwise
        assert name == "alertname"
        names = [
            each for each in names if bool(re.fullmatch(text, each)) is not operator.startswith("!")
        ]
    return names


def alert(name: str, number: int) -> dict[str, Any]:
    """An alert with the labels that it really has; the service is one for each rule."""
    [rule] = [rule for rule in ALERTS if rule["alert"] == name]
    labels = {"alertname": name, **CASES[name].labels, **rule["labels"], "case": str(number)}
    if "service" in labels:
        labels["service"] = f"service{number}"
    return {"labels": labels}


def inhibited(api: httpx2.Client) -> set[tuple[str, int]]:
    """What is held back: name and rule."""
    return {
        (one["labels"]["alertname"], int(one["labels"]["case"]))
        for one in api.get("alerts").raise_for_status().json()
        if one["status"]["inhibitedBy"]
    }


def test_what_follows_is_held_back_and_nothing_else(alertmanager: httpx2.Client) -> None:
    causes = [matching(rule["source_matchers"])[0] for rule in RULES]
    sources = [alert(name, number) for number, name in enumerate(causes)]
    targets, expected = [], set()
    for number, rule in enumerate(RULES):
        for name in matching(rule["target_matchers"]):
            one = alert(name, number)
            (sources if name in causes else targets).append(one)
            if set(rule.get("equal", ())) <= set(one["labels"]):
                expected.add((name, number))
        assert any(each[1] == number for each in expected), f"{causes[number]} holds nothing back"
    alertmanager.post("alerts", json=targets).raise_for_status()
    wait_for("the alerts", lambda: len(alertmanager.get("alerts").json()) == len(targets))
    assert inhibited(alertmanager) == set()
    alertmanager.post("alerts", json=sources).raise_for_status()
    wait_for("all to follow", lambda: inhibited(alertmanager) >= expected)
    # A chain without `equal` holds back the same alert wherever else it stands.
    everywhere = {
        name for rule in RULES if "equal" not in rule for name in matching(rule["target_matchers"])
    }
    assert {one for one in inhibited(alertmanager) - expected if one[0] not in everywhere} == set()
